"""Runs what the magics are given: a prompt becomes a job, a command is run, and the cell waits or doesn't."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeAlias

from msgspec import structs

from nbgemini._async.deferred import running_loop
from nbgemini.chat.reply import Reply
from nbgemini.chat.structured_output import answer_schema, schema_for
from nbgemini.errors import PromptError
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Schema, Turn
from nbgemini.notebook.commands import COMMANDS, command_of
from nbgemini.notebook.commands.chats import last_exchange
from nbgemini.notebook.commands.code_questions import explain_prompt, fix_prompt
from nbgemini.notebook.commands.common import show_line
from nbgemini.notebook.commands.map import start_map
from nbgemini.notebook.display.insert_cell import put_code
from nbgemini.notebook.jobs import ReplyJob
from nbgemini.notebook.kernel.cell_transforms import run_from_within
from nbgemini.notebook.kernel.interrupts import interrupts_say, wait_for_end
from nbgemini.notebook.magics.help import show_help
from nbgemini.notebook.options import PromptArgs, late_option, map_line, parse_ask, parse_cell, parse_map
from nbgemini.notebook.prompt.builder import PromptDraft, draft_prompt
from nbgemini.notebook.session import Session
from nbgemini.tools.resolve import declare_all, resolve_tools
from nbgemini.tools.tool import Tool

Prompt: TypeAlias = str | PromptDraft | Exchange
Request: TypeAlias = "tuple[PromptArgs, Prompt] | Callable[[], Coroutine[Any, Any, None] | None]"
"""What a line asks for: a prompt to send, or a command to run."""

_QUESTIONS: dict[str, Callable[[Session, PromptArgs, str], Prompt]] = {
    "ask": lambda _session, _args, text: text,
    "fix": fix_prompt,
    "explain": explain_prompt,
}


class MagicRunner:
    """Does what the magics ask for, in one session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def cell(self, line: str, text: str) -> None:
        """Run a `%%gemini` cell from code that can't await."""
        self._run(self._cell_request(line, text))

    def line(self, line: str) -> Reply | None:
        """Run a `%gemini` line from code that can't await; `x = %gemini ask …` gets the reply."""
        return self._run(self._line_request(line))

    def cell_awaited(self, line: str, text: str) -> Coroutine[Any, Any, None]:
        """Return the coroutine of a `%%gemini` cell."""
        return self._run_awaited(self._cell_request(line, text))

    def line_awaited(self, line: str) -> Coroutine[Any, Any, None]:
        """Return the coroutine of a `%gemini` line."""
        return self._run_awaited(self._line_request(line))

    def _cell_request(self, line: str, text: str) -> Request:
        if (line_of_map := map_line(line, text)) is not None:
            return self._map_request(line_of_map)
        if line.split()[:1] in [[name] for name in COMMANDS]:
            raise PromptError(f"{line.split(maxsplit=1)[0]} is a command, in a line of its own: %gemini {line.strip()}")
        args = parse_cell(line)
        return partial(show_help, "ask") if args.help else (args, text)

    def _line_request(self, line: str) -> Request:
        name, rest = command_of(line)
        if name == "help":
            return partial(show_help, rest)
        if name == "map":
            return self._map_request(rest)
        if name == "retry":
            return last_exchange(self.session, rest)
        if (run := COMMANDS[name].run) is not None:
            return partial(run, self.session, rest)
        args, text = parse_ask(rest)
        if args.help:
            return partial(show_help, name)
        if not args.literal and (late := late_option(text)):
            show_line(late)
        if name != "ask" and args.chat is None:
            args = structs.replace(args, once=True)  # a question about code is no part of the conversation
        return args, _QUESTIONS[name](self.session, args, text)

    def _map_request(self, line: str) -> Request:
        args = parse_map(line)
        return partial(show_help, "map") if args.prompt.help else partial(start_map, self.session, args)

    def _run(self, request: Request) -> Reply | None:
        with self.session.gui.aside():
            if isinstance(request, tuple):
                return self._ask(*request)
            coroutine = request()
            if coroutine is not None:
                run_from_within(coroutine)
        return None

    async def _run_awaited(self, request: Request) -> None:
        with self.session.gui.aside():
            if isinstance(request, tuple):
                await self._ask_awaited(*request)
            else:
                coroutine = request()
                if coroutine is not None:
                    await coroutine

    async def wait_for(self, line: str) -> None:
        """Wait until the replies bound to the names in a line have ended, well or not, and are shown."""
        names = line.split()
        pending = self.session.pending | self.session.last
        with interrupts_say("the cell did not run; the answer it waited for continues (%gemini stop stops it)"):
            await self.session.jobs.ended([pending[name] for name in names if name in pending])

    async def _ask_awaited(self, args: PromptArgs, prompt: Prompt) -> None:
        parts = await self._build(args, prompt), await self._tools(args), await self._schema(args)
        await self.session.find_key(args)
        job = self.session.begin(args, *parts, purpose=_purpose(prompt))
        task = self.session.jobs.start(job)
        if self.session.views.waits(args):
            await self._until(task, job.reply)

    def _ask(self, args: PromptArgs, prompt: Prompt) -> Reply:
        """Ask in a function, inside %%time, in a thread, or in an assignment."""
        schema = answer_schema(self.session.named_schema(args)) if args.schema else None
        parts = self._build_now(args, prompt), self._tools_now(args), schema
        if self.session.missing_key(args):
            run_from_within(self.session.find_key(args))
        job = self.session.begin(args, *parts, purpose=_purpose(prompt))
        if running_loop() is None:
            run_from_within(self._drive_alone(job))
        elif self.session.views.waits(args):
            run_from_within(self._drive(job))
        else:
            self.session.jobs.start(job)
        return job.reply

    async def _build(self, args: PromptArgs, prompt: Prompt) -> str | Turn | Exchange:
        """Return the prompt with its values in place; nothing is held up while files are read and replies awaited."""
        draft = self._draft(args, prompt)
        if isinstance(draft, str | Exchange):
            return draft
        with interrupts_say("the prompt was not ready; nothing was sent"):
            return await draft.build(show_line)

    def _build_now(self, args: PromptArgs, prompt: Prompt) -> str | Turn | Exchange:
        draft = self._draft(args, prompt)
        if isinstance(draft, str | Exchange):
            return draft
        return run_from_within(draft.build(show_line)) if draft.waits else draft.build_now(show_line)

    def _draft(self, args: PromptArgs, prompt: Prompt) -> Prompt:
        """Return the draft of a prompt; the prompt itself if it is only text, or an exchange to send again."""
        if isinstance(prompt, Exchange):
            return prompt
        session = self.session
        draft = draft_prompt(session.shell, session.pictures, args, prompt) if isinstance(prompt, str) else prompt
        if draft.warning:
            show_line(draft.warning)
        return prompt if draft.plain else draft

    async def _tools(self, args: PromptArgs) -> Sequence[Tool]:
        """Return the tools that -t names; nothing is held up while they are declared and servers start."""
        with interrupts_say("the tools were not ready; nothing was sent"):
            return await resolve_tools(self.session.named_tools(args)) if args.tools else ()

    def _tools_now(self, args: PromptArgs) -> Sequence[Tool]:
        tools = declare_all(self.session.named_tools(args))
        return run_from_within(self._tools(args)) if tools is None else tools

    async def _schema(self, args: PromptArgs) -> Schema | None:
        """Return the schema that --schema names, made off the loop."""
        with interrupts_say("the schema was not ready; nothing was sent"):
            return await schema_for(self.session.named_schema(args))

    async def _drive(self, job: ReplyJob) -> None:
        await self._until(self.session.jobs.start(job), job.reply)

    async def _drive_alone(self, job: ReplyJob) -> None:
        """Drive a job on a loop that ends with it, and so must its connections."""
        try:
            await self._drive(job)
        finally:
            await self.session.client.aclose()

    async def _until(self, task: asyncio.Task[None], reply: Reply) -> None:
        """Wait for the stream; an interrupt of the cell stops it and keeps what arrived."""
        await wait_for_end(self.session.shell, task, reply, "stopped; what arrived is kept")
        if reply.error and reply.state in ("failed", "blocked"):
            raise reply.error
        put_code(self.session.shell, reply)


def _purpose(prompt: Prompt) -> str:
    return prompt.purpose if isinstance(prompt, PromptDraft) else "prompt"
