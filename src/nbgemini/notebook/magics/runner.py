"""What the magics do: a line becomes options, a prompt becomes a job, and the cell waits or doesn't."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

from nbgemini.chat.reply import Reply
from nbgemini.chat.structured_output import schema_for, schema_of
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Schema, Turn
from nbgemini.notebook.api_key import find_key, keyless
from nbgemini.notebook.commands import COMMANDS, command_of
from nbgemini.notebook.commands.chats import last_asked
from nbgemini.notebook.commands.explain import asked_to_explain
from nbgemini.notebook.commands.fix import asked_to_fix
from nbgemini.notebook.commands.map import map_
from nbgemini.notebook.display.insert_cell import put_code
from nbgemini.notebook.jobs import Job
from nbgemini.notebook.kernel.cell_transforms import run_from_within
from nbgemini.notebook.kernel.environment import kernel_of
from nbgemini.notebook.kernel.interrupts import PATIENCE, Interrupted, ctrl_c_stops
from nbgemini.notebook.magics.map_options import in_a_cell
from nbgemini.notebook.magics.parsing import Ask, parse_ask, parse_cell
from nbgemini.notebook.prompt.builder import Prompt, Question, prompt_of
from nbgemini.notebook.session import Session
from nbgemini.tools.decorator import Tool
from nbgemini.tools.resolve import declared, tools_of

Asked: TypeAlias = str | Question | Exchange

_PROMPTS: dict[str, Callable[[Session, str], tuple[Ask, Asked]]] = {
    "ask": lambda _, rest: parse_ask(rest),
    "retry": last_asked,
    "fix": asked_to_fix,
    "explain": asked_to_explain,
}


class Asking:
    """The magics' work, for one session."""

    def __init__(self, session: Session) -> None:
        """Work on `session`."""
        self.session = session

    def cell(self, line: str, prompt: str) -> None:
        """Run a `%%gemini` cell from code that can't await."""
        with self.session.gui.aside():
            if (of_map := in_a_cell(line, prompt)) is not None:
                run_from_within(map_(self.session, of_map))
            else:
                self._ask(parse_cell(line), prompt)

    def line(self, line: str) -> Reply | None:
        """Run a `%gemini` line from code that can't await; `x = %gemini ask …` gets the reply."""
        name, rest = command_of(line)
        with self.session.gui.aside():
            if name in _PROMPTS:
                return self._ask(*_PROMPTS[name](self.session, rest))
            waiting = COMMANDS[name](self.session, rest)
            if waiting is not None:
                run_from_within(waiting)
        return None

    def cell_awaited(self, line: str, prompt: str) -> Coroutine[Any, Any, None]:
        """Return the coroutine of a `%%gemini` cell."""
        if (of_map := in_a_cell(line, prompt)) is not None:
            return self._alone_on_the_loop(map_(self.session, of_map))
        return self._alone_on_the_loop(self._ask_awaited(parse_cell(line), prompt))

    def line_awaited(self, line: str) -> Coroutine[Any, Any, None]:
        """Return the coroutine of a `%gemini` line."""
        name, rest = command_of(line)
        if name in _PROMPTS:
            return self._alone_on_the_loop(self._ask_awaited(*_PROMPTS[name](self.session, rest)))
        return self._alone_on_the_loop(self._command(name, rest))

    async def _alone_on_the_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        with self.session.gui.aside():
            await coroutine

    async def wait_for(self, names: list[str]) -> None:
        """Wait until the replies bound to these names have ended, well or not, and are shown."""
        pending = self.session.pending | self.session.last
        try:
            await self.session.jobs.ended([pending[name] for name in names if name in pending])
        except asyncio.CancelledError:
            raise Interrupted("the cell did not run; the answer it waited for goes on (%gemini stop ends it)") from None

    async def _command(self, name: str, rest: str) -> None:
        waiting = COMMANDS[name](self.session, rest)
        if waiting is not None:
            await waiting

    async def _ask_awaited(self, ask: Ask, prompt: Asked) -> None:
        made = await self._composed(ask, prompt), await self._tools(ask), await self._schema(ask)
        await find_key(self.session, ask)
        job = self.session.begin(ask, *made, purpose=_purpose(prompt))
        task = self.session.jobs.start(job)
        if self.session.waits(ask):
            await self._until(task, job.reply)

    def _ask(self, ask: Ask, prompt: Asked) -> Reply:
        """Ask in a function, inside %%time, in a thread, or in an assignment."""
        schema = schema_of(self.session.named_schema(ask)) if ask.schema else None
        made = self._composed_now(ask, prompt), self._tools_now(ask), schema
        if keyless(self.session, ask):
            run_from_within(find_key(self.session, ask))
        job = self.session.begin(ask, *made, purpose=_purpose(prompt))
        if not _loop_runs():
            run_from_within(self._alone(job))
        elif self.session.waits(ask):
            run_from_within(self._drive(job))
        else:
            self.session.jobs.start(job)
        return job.reply

    async def _composed(self, ask: Ask, prompt: Asked) -> str | Turn | Exchange:
        """Return the prompt with its values in place: nothing is held up while files are read and replies awaited."""
        made = self._made(ask, prompt)
        if isinstance(made, str | Exchange):
            return made
        try:
            return await made.awaited_turn()
        except asyncio.CancelledError:
            raise Interrupted("the prompt was not ready, nothing was asked") from None

    def _composed_now(self, ask: Ask, prompt: Asked) -> str | Turn | Exchange:
        made = self._made(ask, prompt)
        if isinstance(made, str | Exchange):
            return made
        return run_from_within(made.awaited_turn()) if made.waits else made.turn()

    def _made(self, ask: Ask, prompt: Asked) -> str | Exchange | Prompt | Question:
        """Return what the prompt is made of; itself where it is nothing but text, or asked again."""
        if not isinstance(prompt, str):
            return prompt
        made = prompt_of(self.session, ask, prompt)
        return prompt if made.plain else made

    async def _tools(self, ask: Ask) -> Sequence[Tool]:
        """Return what -t names as tools: nothing is held up while they are declared and servers start."""
        try:
            return await tools_of(self.session.named_tools(ask)) if ask.tools else ()
        except asyncio.CancelledError:
            raise Interrupted("the tools were not ready, nothing was asked") from None

    async def _schema(self, ask: Ask) -> Schema | None:
        """Return what --schema names, read off the loop."""
        try:
            return await schema_for(self.session.named_schema(ask))
        except asyncio.CancelledError:
            raise Interrupted("the schema was not ready, nothing was asked") from None

    def _tools_now(self, ask: Ask) -> Sequence[Tool]:
        tools = declared(self.session.named_tools(ask))
        return run_from_within(self._tools(ask)) if tools is None else tools

    async def _drive(self, job: Job) -> None:
        await self._until(self.session.jobs.start(job), job.reply)

    async def _alone(self, job: Job) -> None:
        """Drive a job on a loop that ends with it, and so must its connections."""
        try:
            await self._drive(job)
        finally:
            await self.session.client.aclose()

    async def _until(self, task: asyncio.Task[None], reply: Reply) -> None:
        """Wait for the stream; an interrupt of the cell stops it and keeps what arrived."""
        try:
            with ctrl_c_stops(reply) if kernel_of(self.session.shell) is None else nullcontext():
                await asyncio.wait([task])  # does not cancel the task when the cell is cancelled
        except asyncio.CancelledError:
            reply.stop()
            await asyncio.wait([task], timeout=PATIENCE)
            raise Interrupted from None
        if reply.error and reply.state in ("failed", "blocked"):
            raise reply.error
        put_code(self.session.shell, reply)


def _purpose(prompt: Asked) -> str:
    return prompt.purpose if isinstance(prompt, Question) else "prompt"


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
