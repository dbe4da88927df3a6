"""A conversation: its transcript, and the loop that asks and listens.

Invariants: what was asked is stored before the request leaves; two prompts to one chat follow each other; every stream is
owned, so that stopping closes the connection at once; exactly one terminal state, whatever happens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext, suppress
from typing import Any, Protocol, TypeAlias
from weakref import WeakKeyDictionary

import msgspec

from nbgemini._async import deadlock
from nbgemini.chat.endpoint import Sending
from nbgemini.chat.reply import Reply
from nbgemini.chat.rounds import Listening, Step
from nbgemini.chat.structured_output import formed, schema_for
from nbgemini.errors import NbGeminiError, PromptError, ToolError
from nbgemini.messages.events import Event, ToolCall, ToolProgress, ToolRun
from nbgemini.messages.segments import Change, Segment, Segmenter
from nbgemini.messages.transcript import KERNEL_ENDED, Exchange, Transcript
from nbgemini.messages.turns import Options, Turn, user_turn
from nbgemini.prices import shipped
from nbgemini.prompts.secret_scan import masked, refuse_keys
from nbgemini.providers.common.parts import recall
from nbgemini.replay.session import Taping
from nbgemini.services import split_model
from nbgemini.tools.result import answer as refusal
from nbgemini.tools.toolbox import Answers, Patience, Toolbox

_log = logging.getLogger("nbgemini")


class Shown:
    """Whoever is shown the changes, until that fails."""

    def __init__(self, apply: Callable[[list[Change]], None]) -> None:
        """Show them by `apply`."""
        self._apply = apply

    def __call__(self, changes: list[Change]) -> None:
        """Show what changed."""
        try:
            self._apply(changes)
        except Exception:  # noqa: BLE001 - whatever the display has, the answer must not have it
            _log.exception("the display of an answer failed; the answer goes on without it (%gemini show has it)")
            self._apply = lambda _: None


def in_time(reply: Reply, steps: AsyncGenerator[Step, None]) -> AsyncGenerator[Step, None]:
    """Return the steps as long as the reply's time lasts; the reader's own work between them is never cut."""
    limit = reply.options.timeout
    return _limited(reply, steps, limit) if limit else steps  # a timeout for each step costs as much as half of the step


async def _limited(reply: Reply, steps: AsyncGenerator[Step, None], limit: float) -> AsyncGenerator[Step, None]:
    over = asyncio.get_running_loop().time() + limit
    async with aclosing(steps):
        with suppress(StopAsyncIteration):
            while True:
                try:
                    async with asyncio.timeout_at(over):
                        step = await anext(steps)
                except TimeoutError:
                    reply.time_out(limit)
                    return
                yield step


def here() -> tuple[asyncio.Task[Any], asyncio.AbstractEventLoop]:
    """Return the running task and its loop."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a reply is driven inside a task")
    return task, asyncio.get_running_loop()


class Stop:
    """A stop as a cancel of the driving task; whoever cancels that task as well must not be overheard."""

    def __init__(self, reply: Reply, task: asyncio.Task[Any]) -> None:
        """Know which task drives `reply`."""
        self._reply = reply
        self._task = task
        self._before = task.cancelling()
        self._sent = False

    def cancel(self) -> None:
        """Cancel the task, unless the reply has ended by itself."""
        if not self._reply.done:
            self._sent = True
            self._task.cancel()

    def was_all(self) -> bool:
        """Take the cancel back, once it has come; say whether it was the only one."""
        return self._sent and self._task.uncancel() <= self._before


class Log(Protocol):
    """Who writes replies down."""

    def follow(self, reply: Reply) -> None:
        """Write a reply down from now on."""
        ...

    async def saved(self) -> None:
        """Return when what came so far is written."""
        ...


Connect: TypeAlias = Callable[[str, Taping | None], Sending]  # the way to a model, recorded or replayed


class Chat:
    """One conversation.

    Attributes:
        name: what it is called; None for one-shots, which remember nothing.
        options: how its answers are made, unless a prompt says otherwise.
        transcript: everything asked and answered so far.
        toolbox: the functions that every prompt offers, unless it says otherwise.
        guard: what raises PromptError for a prompt (and a system instruction) that must not leave.
        mask: what takes keys out of what a tool returned.
        prices: what the cost of its answers is reckoned by.
    """

    def __init__(self, name: str | None, connect: Connect, options: Options, log: Log | None = None) -> None:
        """Begin an empty conversation; `connect` is asked at every prompt how requests go out, so that it may change."""
        self.name = name
        self.options = options
        self.transcript = Transcript()
        self.toolbox = Toolbox()
        self.guard: Callable[[Turn, str | None], None] = refuse_keys
        self.mask: Callable[[Any], Any] = masked
        self.prices = shipped()
        self._connect = connect
        self._log = log
        self._begun: WeakKeyDictionary[Reply, tuple[Toolbox, Sending]] = WeakKeyDictionary()
        self._one_at_a_time = asyncio.Lock()

    def begin(
        self,
        prompt: str | Turn,
        *,
        cell: str | None = None,
        toolbox: Toolbox | None = None,
        taping: Taping | None = None,
        **changes: Any,
    ) -> Reply:
        """Store a prompt and return its reply, which streams once it is driven.

        Args:
            prompt: text, or a whole turn with parts.
            cell: the notebook cell's id; a cell run again replaces its exchange.
            toolbox: the functions offered to the model for this prompt; the chat's own by default.
            taping: what is recorded or replayed of it; what the client records or replays by default.
            changes: options that differ for this prompt; `schema` may be any type, and `model` may name another service's.

        Raises:
            PromptError: the prompt is empty or holds a key, or an option means nothing to the model.
            ConfigurationError: there is no such service, or no key for it.
            ToolError: a tool asks the chat that waits for it.
        """
        deadlock.check(self)
        asked = user_turn(prompt) if isinstance(prompt, str) else prompt
        if not any(part.get("text", "x").strip() for part in asked.parts):
            raise PromptError("the prompt is empty; write it below the %%gemini line, or behind %gemini ask")
        offered = self.toolbox if toolbox is None else toolbox
        options = formed(msgspec.structs.replace(self.options, **changes, tools=offered.declarations))
        self.guard(asked, options.system)
        sending = self._connect(options.model, taping)
        service, model = split_model(options.model)
        if not model:
            raise PromptError(f"no model is named behind {service}: → %gemini models {service}: lists them")
        options = msgspec.structs.replace(options, model=model)
        sending.provider.encode([asked], options)  # refuses here what the model can't take, before anything is stored
        number, exchange = self.transcript.ask(asked, cell) if self.name else (0, Exchange(asked))
        exchange.state = "waiting"
        reply = Reply(exchange, options, sending.provider, chat=self.name, turn=number)
        reply.provider, reply.so_far.prices = service, self.prices
        self._begun[reply] = offered, sending
        if self._log:
            self._log.follow(reply)
        return reply

    def segments(self, exchange: Exchange) -> list[Segment]:
        """Return the answer of an exchange as segments, from its parts."""
        segmenter = Segmenter()
        for turn in exchange.past:
            segmenter.feed(recall(turn.parts))
        segmenter.feed(recall(exchange.parts))
        if exchange.note == KERNEL_ENDED:
            segmenter.feed(_unknown(segmenter.runs))
        if exchange.state not in ("running", "waiting"):
            segmenter.close()  # else its calls go on
        return segmenter.segments

    async def ask(self, prompt: str | Turn, **changes: Any) -> Reply:
        """Ask, wait for the whole answer, and return it.

        Raises:
            NbGeminiError: it failed or was blocked; `error.reply` holds what had arrived.
        """
        reply = self.begin(prompt, **await self._ready(changes))
        await self.drive(reply)
        return await reply

    async def stream(self, prompt: str | Turn, **changes: Any) -> AsyncGenerator[Event, None]:
        """Ask and yield events as they come; leaving the loop early stops the stream and keeps what arrived.

        Raises:
            NbGeminiError: it failed or was blocked.
        """
        reply = self.begin(prompt, **await self._ready(changes))
        try:
            async with aclosing(in_time(reply, self._steps(reply))) as steps:
                async for events, _ in steps:
                    for event in events:
                        yield event
        finally:
            reply.end_cut()  # nothing, unless it was left early or its time was over
        await reply

    async def drive(self, reply: Reply, apply: Callable[[list[Change]], None] = lambda _: None) -> None:
        """Stream the reply to its end in the calling task, handing every change to `apply`.

        If `apply` fails, the stream goes on without it: what comes is in the reply and the transcript. Stopping the reply ends
        this quietly; cancelling the calling task stops the reply and goes on cancelling.
        """
        task, loop = here()
        show = Shown(apply)
        stop = Stop(reply, task)
        reply.attach(lambda: loop.call_soon_threadsafe(stop.cancel))
        limit = reply.options.timeout
        timer = loop.call_later(limit, reply.time_out, limit) if limit else None
        try:
            async with aclosing(self._steps(reply)) as steps:
                async for _, changes in steps:
                    show(changes)
        except asyncio.CancelledError:
            show(reply.end_cut())
            if not stop.was_all():
                raise
        except BaseException as error:
            reply.end_unexpected(error)
            raise
        finally:
            if timer:
                timer.cancel()

    async def _steps(self, reply: Reply) -> AsyncGenerator[Step, None]:
        try:
            async with self._its_turn():
                reply.start()
                async with aclosing(self._rounds(reply)) as rounds:
                    async for step in rounds:
                        yield step
                last = reply.end()
        except (asyncio.CancelledError, GeneratorExit):
            raise  # who drives settles it, and shows the last changes
        except NbGeminiError as error:
            error.args = (self.mask(str(error)),)  # a service may repeat the key, also inside of a stream
            last = reply.end_broken(error)
        except BaseException as error:
            reply.end_unexpected(error)
            raise
        yield [], last

    async def _rounds(self, reply: Reply) -> AsyncGenerator[Step, None]:
        """Ask, listen, run tools, ask again: with one service to the end, whatever is set meanwhile."""
        listening, patience = Listening(reply, self._begun[reply][1]), Patience()
        while True:
            async with aclosing(listening.listen(self.transcript.request_turns(reply.exchange))) as steps:
                async for step in steps:
                    yield step
            calls = reply.incoming.calls()
            if not calls:
                return
            _limit(reply, calls, patience.lost(calls))
            async with aclosing(self._answer(reply)) as steps:
                async for step in steps:
                    yield step

    async def _answer(self, reply: Reply) -> AsyncGenerator[Step, None]:
        """Run the calls of a round, once what came is on disk; whatever happens, each gets an answer."""
        first, calls = reply.incoming.answered, reply.incoming.calls()
        answers = Answers(self._begun[reply][0], calls, first, self._held_up_by(reply), self.mask)
        loop = asyncio.get_running_loop()
        reply.attach_calls(lambda number: loop.call_soon_threadsafe(answers.stop, number))
        try:
            await self._saved()
            async with aclosing(answers.progress()) as progress:
                async for event in progress:
                    yield [event], reply.feed([event])
        finally:
            reply.answer_calls(answers.all())

    async def _ready(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return what differs for a prompt, with servers asked for their tools and the schema read, off the loop."""
        schema = await schema_for(changes.get("schema", self.options.schema))
        return {"toolbox": await self.toolbox.renewed(), **changes, "schema": schema}

    def _held_up_by(self, reply: Reply) -> deadlock.HoldsUp:
        """Return what says of a chat or a reply whether it can't go on before `reply` has ended."""

        def holds_up(wanted: object) -> bool:
            in_line = self.name is not None and (wanted is self or wanted in self._begun)
            return not reply.done and (wanted is reply or in_line)

        return holds_up

    async def _saved(self) -> None:
        if self._log:
            await self._log.saved()

    def _its_turn(self) -> AbstractAsyncContextManager[Any]:
        return self._one_at_a_time if self.name else nullcontext()


def _unknown(runs: Iterable[Segment]) -> Iterator[Event]:
    """Say of calls that a killed kernel left unanswered all there is to say; nothing runs them again."""
    words = {"error": "the kernel ended; whether it had begun, and what it had done by then, is not known"}
    for number, segment in enumerate(runs):
        if isinstance(segment.content, ToolRun) and not segment.content.over:
            yield ToolProgress(number, ToolRun(segment.content.call, "stopped", words))


def _limit(reply: Reply, calls: list[ToolCall], why: str) -> None:
    """End a conversation of the model with our tools that goes nowhere; its last calls are answered too.

    Raises:
        ToolError: there is a reason why.
    """
    if why:
        reply.answer_calls([refusal(call, f"limit reached: {why}", "refused") for call in calls])
        raise ToolError(f"{why}: stopped; ask to go on if it should")
