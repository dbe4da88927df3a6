"""What the magics of one shell share: the client, what runs, and the names that hold replies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec

from nbgemini._async.handle import StreamHandle
from nbgemini.bulk.table import MapResult
from nbgemini.chat.reply import CompleteAnswer, Reply
from nbgemini.client import Client
from nbgemini.journal import Journal
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Schema, Turn
from nbgemini.notebook.approvals import AlwaysAllowed, Approvals
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.jobs import Jobs, ReplyJob
from nbgemini.notebook.kernel import environment
from nbgemini.notebook.kernel.environment import in_colab
from nbgemini.notebook.kernel.gui import Gui
from nbgemini.notebook.kernel.interrupts import interrupts_say
from nbgemini.notebook.kernel.output_routing import PrintCapture
from nbgemini.notebook.kernel.running_cells import LastError, LastPicture, Results
from nbgemini.notebook.options import LAST_MAP, LAST_REPLY, PromptArgs
from nbgemini.notebook.prompt.cells import code_title
from nbgemini.notebook.prompt.lookup import named_tool, named_type
from nbgemini.notebook.settings import OptionResolver, SettingsResolver
from nbgemini.notebook.usage import WORTH_ASKING, ContextWindows, KernelJournal, UsageMeter
from nbgemini.notebook.views import ViewFactory
from nbgemini.replay.session import Replay
from nbgemini.services import Service
from nbgemini.tools.tool import Tool
from nbgemini.tools.toolbox import build_toolbox as toolbox_of, refuse_all

Prompt: TypeAlias = str | Turn | Exchange

_PROPERTIES = {
    name for kind in (CompleteAnswer, MapResult) for name, value in vars(kind).items() if isinstance(value, property)
}
FINAL_FIELDS = (_PROPERTIES | {"to_frame"}) - {"state"}  # what of a reply or a map is complete only at its end


class Session:
    """What the magics of one shell share.

    Attributes:
        shell: the IPython shell.
        config: its settings.
        pictures: remembers the last figure.
        errors: remembers the last exception.
        jobs: what runs.
        backend: which service is asked, with which keys.
        options: how the options of a prompt are resolved.
        views: what shows a prompt's output.
        usage: tokens and cost so far.
        windows: the context windows of models.
        always_allowed: the tools that run without asking.
    """

    def __init__(self, shell: Any, config: Gemini, pictures: LastPicture, errors: LastError) -> None:
        self.shell = shell
        self.config = config
        self.pictures = pictures
        self.errors = errors
        self.gui = Gui(environment.kernel_of(shell))
        self.jobs = Jobs(self.gui)
        self.backend = SettingsResolver(config)
        self.options = OptionResolver(shell, config)
        self.views = ViewFactory(shell, config, self.jobs.stop)
        self.usage = UsageMeter()
        self.windows = ContextWindows()
        self.always_allowed = AlwaysAllowed()
        self._journal = KernelJournal(shell, config)
        self._client = Client(self.backend.settings(), log=self._journal)
        self._prints = PrintCapture()
        self._results = Results(shell)
        self._results.install()
        self._bound: dict[str, StreamHandle] = {}
        self._prompts: dict[str, int] = {}  # how many the running execution has sent

    @property
    def client(self) -> Client:
        """The client, brought up to date with %config, the environment, and `%gemini key` or `demo`."""
        settings = self.backend.settings()
        if settings != self._client.settings:
            self._client.use(settings)
        return self._client

    @property
    def journal(self) -> Journal | None:
        """The journal of this kernel; None if %config wants none."""
        return self._journal.current

    @property
    def answering(self) -> str:
        """What answers: `live`, `offline`, another host, or a cassette."""
        taping = self._client.services.taping
        return f"replay of {taping.path.name}" if isinstance(taping, Replay) else self.backend.name

    @property
    def pending(self) -> dict[str, StreamHandle]:
        """What still runs, by the names that -o gave it."""
        names = self.shell.user_ns
        self._bound = {name: handle for name, handle in self._bound.items() if not handle.done and names.get(name) is handle}
        return self._bound

    @property
    def last(self) -> dict[str, StreamHandle]:
        """The last reply and the last map while they run, by the names that always hold them."""
        names = self.shell.user_ns
        found = {name: names.get(name) for name in (LAST_REPLY, LAST_MAP)}
        return {name: handle for name, handle in found.items() if isinstance(handle, StreamHandle) and not handle.done}

    def missing_key(self, args: PromptArgs) -> Service | None:
        """Return the service whose key a prompt still needs, if Colab may have it; elsewhere there is nowhere to look.

        Raises:
            ConfigurationError: there is no such service.
        """
        if not in_colab():
            return None
        model = self.options.model(args.model or self.config.model) or self.client.settings.model
        return self.client.services.lacking(model, self.options.taping(args))

    async def find_key(self, args: PromptArgs) -> None:
        """Get the key that a prompt still needs from Colab's secrets, off the loop.

        Raises:
            ConfigurationError: there is none, or this notebook may not read it.
        """
        service = self.missing_key(args)
        with interrupts_say("the key was not found yet; nothing was sent"):
            if service is not None:
                await self.backend.find_key(service)

    def close(self) -> None:
        """Stop all streams and the offline service."""
        self.jobs.stop()
        self._client.services.endpoints.retire()
        self.views.close()
        self.backend.leave_demo()
        self._journal.close()
        self._prints.remove()
        self._results.remove()

    def begin(
        self,
        args: PromptArgs,
        prompt: Prompt,
        tools: Sequence[Tool] = (),
        schema: Schema | None = None,
        purpose: str = "prompt",
    ) -> ReplyJob:
        """Store the prompt and return its job, not started yet; `_gemini` and the name after -o hold the reply.

        An exchange is sent again, in its own place.

        Raises:
            PromptError, ConfigurationError: nothing was stored or sent.
        """
        chat = self.client.one_shot() if args.once else self.client.chat(self.options.chat_name(args))
        cell = self.cell_key()
        if isinstance(prompt, Exchange):
            cell = prompt.cell = prompt.cell or cell or uuid4().hex
            prompt = prompt.asked
        title = partial(code_title, self.shell)
        approvals = Approvals(self.always_allowed, title) if self.views.mode(args) == "widgets" else None
        reply = chat.begin(
            prompt,
            cell=None if args.once else cell,
            toolbox=toolbox_of(tools, self.options.approve(args), approvals or refuse_all) if tools else None,
            taping=self.options.taping(args),
            schema=schema,
            purpose=purpose,
            **self.options.resolve(args, chat.options),
        )
        if "system" in args.changes:
            chat.options = msgspec.structs.replace(chat.options, system=args.changes["system"])
        self.usage.follow_reply(reply)
        self._results.asked(reply)
        self.shell.user_ns[LAST_REPLY] = reply
        if args.out:
            self.bind(args.out, reply)
        return ReplyJob(chat, reply, self.views.reply_view(args, reply, approvals), cell, self._complete)

    def bind(self, name: str, handle: StreamHandle) -> None:
        """Bind what runs to a name of the notebook; a cell that reads the name waits for it."""
        self.shell.user_ns[name] = self._bound[name] = handle

    def named_tools(self, args: PromptArgs) -> list[Any]:
        """Return what -t names: functions, tools, MCP servers or lists of them, or raise PromptError: there is no such name."""
        return [named_tool(self.shell.user_ns, name) for name in args.tools]

    def named_schema(self, args: PromptArgs) -> Any:
        """Return the type that --schema names; None without --schema, or raise PromptError: there is no such name."""
        return named_type(self.shell.user_ns, args.schema) if args.schema else None

    def cell_key(self) -> str | None:
        """Return a name for this prompt that stays the same when its cell is run again: the cell, and the n-th prompt in it."""
        cell = environment.cell_id(self.shell)
        if cell is None:
            return None
        execution = environment.execution_id(self.shell)
        self._prompts = {execution: self._prompts.get(execution, 0) + 1}
        return f"{cell}#{self._prompts[execution]}"

    async def _complete(self, reply: Reply) -> None:
        """Add to a finished reply what only the service knows: a better error, and the size of the context window."""
        if reply.error:
            reply.error.args = (await self.client.services.explain(reply.error, reply.provider, reply.options.model),)
        if reply.so_far.context >= WORTH_ASKING:
            await self.windows.learn(self.client, reply.provider)
        reply.window = self.windows.of(self.client, reply.model, reply.provider)
