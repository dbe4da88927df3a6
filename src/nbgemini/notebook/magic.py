"""%%gemini and %gemini: arguments to calls, nothing else.

Each magic has two names. IPython calls `gemini` where the result can't be awaited; the await hook rewrites whole cells to
call `gemini_awaited`, whose coroutine the cell then awaits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from IPython.core.magic import Magics, magics_class, no_var_expand

from nbgemini.errors import NbGeminiError
from nbgemini.notebook.arguments import Ask, manual, parse_ask, parse_cell
from nbgemini.notebook.commands import command_of, commands_manual
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.waiting import AWAITED, run_from_within

_PATIENCE = 2.0  # seconds that an interrupted cell gives its stream to show what arrived


class Interrupted(KeyboardInterrupt):
    """The cell was interrupted; its stream was stopped and what arrived is kept."""

    def _render_traceback_(self) -> list[str]:
        return ["Interrupted: stopped; what arrived is kept"]


@magics_class
class GeminiMagics(Magics):
    """The two magics of one shell; everything heavy waits for the first use."""

    def __init__(self, shell: Any, config: Gemini) -> None:
        """Register nothing yet; the extension does."""
        super().__init__(shell)
        self._shell: Any = shell
        self._settings = config
        self._session: Any = None

    @property
    def session(self) -> Any:
        """The session, made at first use: %load_ext must stay quick."""
        if self._session is None:
            from nbgemini.notebook.session import Session  # noqa: PLC0415

            self._session = Session(self._shell, self._settings)
        return self._session

    def register(self) -> None:
        """Give the shell the four names."""
        add: Any = self._shell.register_magic_function
        add(self.cell, "cell", "gemini")
        add(self.line, "line", "gemini")
        add(self.cell_awaited, "cell", f"gemini{AWAITED}")
        add(self.line_awaited, "line", f"gemini{AWAITED}")

    def unregister(self) -> None:
        """Take them back and stop what runs."""
        for kind in ("cell", "line"):
            for name in ("gemini", f"gemini{AWAITED}"):
                self._shell.magics_manager.magics[kind].pop(name, None)
        if self._session is not None:
            self._session.close()

    @no_var_expand
    def cell(self, line: str, cell: str) -> None:
        """See `manual`."""
        self._ask(parse_cell(line), cell)

    @no_var_expand
    def line(self, line: str) -> Any:
        """See `commands_manual`."""
        name, rest = command_of(line)
        if name == "ask":
            return self._ask(*parse_ask(rest))
        return run_from_within(self._command(name, rest))

    @no_var_expand
    def cell_awaited(self, line: str, cell: str) -> Coroutine[Any, Any, None]:
        """Return the coroutine of a cell."""
        return self._ask_awaited(parse_cell(line), cell)

    @no_var_expand
    def line_awaited(self, line: str) -> Coroutine[Any, Any, None]:
        """Return the coroutine of a line."""
        name, rest = command_of(line)
        return self._ask_awaited(*parse_ask(rest)) if name == "ask" else self._command(name, rest)

    async def _command(self, name: str, rest: str) -> None:
        from nbgemini.notebook.commands import COMMANDS  # noqa: PLC0415

        await COMMANDS[name](self.session, rest)

    async def _ask_awaited(self, ask: Ask, prompt: str) -> None:
        job = self.session.begin(ask, prompt)
        task = self.session.jobs.start(job)
        if self.session.waits(ask):
            await _until(task, job.reply)

    def _ask(self, ask: Ask, prompt: str) -> Any:
        """Ask in code that can't await: a function, %%time, a thread, an assignment."""
        job = self.session.begin(ask, prompt)
        if self.session.waits(ask) or not _loop_runs():
            run_from_within(self._drive(job))
        else:
            self.session.jobs.start(job)
        return job.reply

    async def _drive(self, job: Any) -> None:
        await _until(self.session.jobs.start(job), job.reply)


async def _until(task: asyncio.Task[None], reply: Any) -> None:
    """Wait for the stream; an interrupt of the cell stops it and keeps what arrived."""
    try:
        await asyncio.wait([task])  # does not cancel the task when the cell is cancelled
    except asyncio.CancelledError:
        reply.stop()
        await asyncio.wait([task], timeout=_PATIENCE)
        raise Interrupted from None
    error = reply.error
    if isinstance(error, NbGeminiError) and reply.state in ("failed", "blocked"):
        raise error


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


GeminiMagics.cell.__doc__ = manual()
GeminiMagics.line.__doc__ = commands_manual()
