"""The notebook's own state: its client, its jobs, its settings, and the offline service if it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec

from nbgemini._async.handle import StreamHandle
from nbgemini._storage.sqlite import default_path
from nbgemini.bulk.table import MapResult
from nbgemini.chat.chat import Chat
from nbgemini.chat.reply import Answer, Reply
from nbgemini.client import Client
from nbgemini.journal import Journal
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Schema, Turn
from nbgemini.notebook.approvals import Approvals
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.context_windows import WORTH_ASKING, Windows
from nbgemini.notebook.display.canvas import Painting
from nbgemini.notebook.display.insert_cell import has_commands, offered_code
from nbgemini.notebook.display.output_area import output_around
from nbgemini.notebook.display.stream_view import StreamView
from nbgemini.notebook.display.throttle import Refresh
from nbgemini.notebook.jobs import Job, Jobs, View
from nbgemini.notebook.kernel import environment
from nbgemini.notebook.kernel.gui import Gui
from nbgemini.notebook.kernel.interrupts import IdleInterrupt
from nbgemini.notebook.kernel.output_routing import Route, Routes, Straight
from nbgemini.notebook.kernel.result import Results
from nbgemini.notebook.magics.map_options import OUT as LAST_MAP
from nbgemini.notebook.magics.options import think_level
from nbgemini.notebook.magics.parsing import Ask
from nbgemini.notebook.prompt.cell_code import code_title
from nbgemini.notebook.prompt.lookup import named_tool, named_type
from nbgemini.notebook.prompt.watchers import LastError, LastPicture
from nbgemini.notebook.settings import Backend
from nbgemini.notebook.terminal.view import TerminalView
from nbgemini.notebook.usage import Spending
from nbgemini.replay.session import AT_ONCE, Record, Replay, Taping, place_of
from nbgemini.tools.approval import toolbox as toolbox_of
from nbgemini.tools.decorator import Tool
from nbgemini.tools.toolbox import refuse


def taping_of(ask: Ask, shell: Any) -> Taping | None:
    """Return what a prompt's line wants recorded or replayed, if it does."""
    if ask.record:
        return Record(place_of(ask.record))
    return Replay(place_of(ask.replay), speed=usual_speed(shell)) if ask.replay else None


def usual_speed(shell: Any) -> float:
    """Return how fast a cassette plays unless its user says: as it was recorded for a reader, at once for nobody."""
    headless = environment.kernel_of(shell) is not None and not environment.someone_sits_there(shell)
    return AT_ONCE if headless else 1.0


Prompt: TypeAlias = str | Turn | Exchange

LAST_REPLY = "_gemini"
_WHOLE = {name for kind in (Answer, MapResult) for name, value in vars(kind).items() if isinstance(value, property)}
_SAME = ("connect_timeout", "write_timeout", "first_timeout", "gap_timeout", "content_timeout", "retries", "max_streams")


class Session:
    """What the magics of one shell share."""

    def __init__(self, shell: Any, config: Gemini) -> None:
        """Begin with nothing open."""
        self.shell = shell
        self.config = config
        self.gui = Gui(environment.kernel_of(shell))
        self.jobs = Jobs(self.gui)
        self.pictures: LastPicture | None = None
        self.errors: LastError | None = None
        self.backend = Backend(config)
        self._journal: Journal | None = None
        self._client = Client(self.backend.settings(), log=self)
        self.spending = Spending()
        self.windows = Windows()
        self._results = Results(shell)
        self._results.install()
        self._asked: dict[str, int] = {}
        self._out: dict[str, StreamHandle] = {}
        self._routes = Routes(shell)
        self._always_approved: set[str] = set()
        self._decided = [0.0]
        self._last_view: tuple[str, StreamView] | None = None
        self._refresh = Refresh()
        self._interrupts = IdleInterrupt(environment.kernel_of(shell), self.jobs.stop)

    @property
    def client(self) -> Client:
        """The client, brought up to date with %config, the environment, and `%gemini key` or `demo`."""
        settings = self.backend.settings()
        if settings != self._client.settings:
            self._client.use(settings)
        return self._client

    @property
    def journal(self) -> Journal | None:
        """The record of this kernel, where %config wants it; None if it wants none."""
        wanted = self.config.journal
        path = default_path("journal.sqlite3") if wanted == "auto" else Path(wanted).expanduser()
        if self._journal is not None and (wanted == "off" or path != self._journal.path):
            self._close_journal()
        if self._journal is None and wanted != "off":
            self._journal = Journal(path, environment.notebook_name(self.shell))
        return self._journal

    @property
    def answering(self) -> str:
        """Who answers: `live`, `offline`, another host, or a cassette."""
        taping = self._client.services.taping
        return f"replay of {taping.path.name}" if isinstance(taping, Replay) else self.backend.name

    @property
    def pending(self) -> dict[str, StreamHandle]:
        """What still runs and an --out variable holds."""
        names = self.shell.user_ns
        self._out = {name: reply for name, reply in self._out.items() if not reply.done and names.get(name) is reply}
        return self._out

    @property
    def last(self) -> dict[str, StreamHandle]:
        """The last reply and the last map, by the names that always hold them, while they run."""
        names = self.shell.user_ns
        found = {name: names.get(name) for name in (LAST_REPLY, LAST_MAP)}
        return {name: running for name, running in found.items() if isinstance(running, StreamHandle) and not running.done}

    @property
    def fields(self) -> set[str]:
        """What of a reply or a map is whole only at its end."""
        return (_WHOLE | {"to_frame"}) - {"state"}

    def close(self) -> None:
        """Stop all streams and the offline service."""
        self.jobs.stop()
        self._client.services.endpoints.retire()
        self._interrupts.remove()
        self.backend.leave_demo()
        self._close_journal()
        self._results.remove()

    def begin(
        self, ask: Ask, prompt: Prompt, tools: Sequence[Tool] = (), schema: Schema | None = None, purpose: str = "prompt"
    ) -> Job:
        """Store the prompt and return its job, not started yet; `_gemini` and the name after -o hold the reply.

        An exchange is asked again, in its own place.

        Raises:
            PromptError, ConfigurationError: nothing was stored or sent.
        """
        chat = self.client.one_shot() if ask.once else self.client.chat(ask.chat or self.config.chat)
        cell = self.cell_key()
        if isinstance(prompt, Exchange):
            cell = prompt.cell = prompt.cell or cell or uuid4().hex
        way = self._way(ask)
        title_of = partial(code_title, self.shell)
        approvals = Approvals(self._always_approved, title_of, self._decided) if way == "widgets" else None
        asks = approvals.ask if approvals is not None else refuse
        toolbox = toolbox_of(tools, ask.approve or self.config.approve, asks) if tools else None
        asked = prompt.asked if isinstance(prompt, Exchange) else prompt
        taping = taping_of(ask, self.shell)
        how = {"toolbox": toolbox, "taping": taping, "schema": schema, "purpose": purpose, **self.changes(ask, chat)}
        reply = chat.begin(asked, cell=None if ask.once else cell, **how)
        if "system" in ask.changes:
            chat.options = msgspec.structs.replace(chat.options, system=ask.changes["system"])
        self.spending.follow(reply)
        self._results.asked(reply)
        self.shell.user_ns[LAST_REPLY] = reply
        if ask.out:
            self.bind(ask.out, reply)
        return Job(chat, reply, self._view(ask, reply, approvals), cell, self._complete)

    def named_tools(self, ask: Ask) -> list[Any]:
        """Return what -t names: functions, tools, MCP servers or lists of them.

        Raises:
            PromptError: there is none of that name.
        """
        return [named_tool(self.shell.user_ns, name) for name in ask.tools]

    def named_schema(self, ask: Ask) -> Any:
        """Return the type that --schema names; None if it names none.

        Raises:
            PromptError: there is none of that name.
        """
        return named_type(self.shell.user_ns, ask.schema) if ask.schema else None

    def waits(self, ask: Ask) -> bool:
        """Whether the cell waits for the answer: as its line says, else as %config says, else where no one sits."""
        if ask.wait is not None:
            return ask.wait
        if self.config.wait != "auto":
            return bool(self.config.wait)
        return not environment.someone_sits_there(self.shell) or self._routes.captured

    def follow(self, reply: Reply) -> None:
        """Write a reply down, if there is a journal."""
        if self.journal is not None:
            self.journal.follow(reply)

    async def saved(self) -> None:
        """Return when the journal holds what came so far."""
        if self.journal is not None:
            await self.journal.saved()

    def _close_journal(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.retire()  # what was stopped just now is not over yet: it gets its end

    def changes(self, ask: Ask, chat: Chat) -> dict[str, Any]:
        """Return the options for this prompt: its line's, else the chat's own, else %config's."""
        config = self.config
        defaults = {
            "model": self.model_named(config.model),
            "system": chat.options.system or config.system,
            "think": think_level(config.think) if config.think else None,
            "format": None if ask.schema else config.format,
        }
        said = {name: value for name, value in defaults.items() if value}
        return {**said, **ask.changes, **({"model": self.model_named(ask.model)} if ask.model else {})}

    def model_named(self, name: str) -> str:
        """Return the model that a name or an alias of %config stands for."""
        return str(self.config.aliases.get(name, name))

    def _view(self, ask: Ask, reply: Reply, approvals: Approvals | None) -> View:
        if environment.kernel_of(self.shell) is None:
            return TerminalView(reply)
        route, painting = self.canvas(ask)
        painting.approvals = approvals
        if not self.waits(ask) and has_commands(self.shell):
            painting.offered = partial(offered_code, reply)
        execution = environment.execution_id(self.shell)
        self._last_view = execution, StreamView(self.shell, route, reply, painting, self._earlier_in(execution))
        return self._last_view[1]

    def canvas(self, ask: Ask) -> tuple[Route, Painting]:
        """Return the way to the outputs of the cell that runs now, and the tools to paint there."""
        self._interrupts.install()
        route = Straight() if self._is_captured(ask) else self._routes.capture()
        updates = self.config.updates_per_second
        return route, Painting(self._way(ask), route, self._refresh, updates, shows_errors=not self.waits(ask))

    def bind(self, name: str, running: StreamHandle) -> None:
        """Let a name of the notebook hold what runs: a cell that reads it waits for it."""
        self.shell.user_ns[name] = self._out[name] = running

    def _earlier_in(self, execution: str) -> StreamView | None:
        """Return the view of the last prompt if it stood in the cell that runs now."""
        return self._last_view[1] if self._last_view and self._last_view[0] == execution else None

    def _way(self, ask: Ask) -> str:
        if not self.config.live or self._is_captured(ask):
            return "at_end"
        if self.waits(ask) and output_around(self.shell) is not None:
            return "at_end"  # it takes in no update
        if not environment.someone_sits_there(self.shell):
            return "kept" if environment.may_be_cut_off(self.shell) and self.waits(ask) else "at_end"
        deaf = self.waits(ask) and not environment.clicks_arrive_while_waiting(self.shell)
        wanted = self.config.widgets and environment.takes_our_widgets() and not self._refresh.no_widgets
        return "widgets" if wanted and not deaf else "html"

    def _is_captured(self, ask: Ask) -> bool:
        """Whether the answer goes where its cell's outputs are captured; it must be there when the cell ends."""
        return self._routes.captured and self.waits(ask)

    def cell_key(self) -> str | None:
        """Return a name for this prompt that is the same when its cell is run again: the cell and the n-th in it."""
        cell = environment.cell_id(self.shell)
        if cell is None:
            return None
        execution = environment.execution_id(self.shell)
        self._asked = {execution: self._asked.get(execution, 0) + 1}
        return f"{cell}#{self._asked[execution]}"

    async def _complete(self, reply: Reply) -> None:
        """Add to an answer that is over what the service alone can tell: a better error, how large the window is."""
        if reply.error:
            reply.error.args = (await self.client.services.explain(reply.error, reply.provider, reply.options.model),)
        if reply.so_far.context >= WORTH_ASKING:
            await self.windows.learn(self.client, reply.provider)
        reply.window = self.windows.of(self.client, reply.model, reply.provider)
