"""The request loop of a reply: ask, listen, run tools, ask again, until the service has said it all.

Invariants: a request is sent again only while nothing of its answer was shown; every stream is owned, so that stopping closes
the connection at once; whatever waits for a permit or for the next attempt holds none; every call gets a result; exactly
one terminal state, whatever happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from typing import Any, TypeAlias

from msgspec import Struct, structs

from nbgemini._async.handle import CancelOnce, SafeCallback
from nbgemini._async.readers import WaitGuard
from nbgemini._async.scheduler import FairScheduler
from nbgemini.chat.endpoint import Endpoint
from nbgemini.chat.reply import Reply
from nbgemini.chat.response import Outcome
from nbgemini.chat.state import ReplyState
from nbgemini.errors import ApiError, NbGeminiError, ToolError, TransportError, WireError
from nbgemini.messages.events import Event, Queued, Retrying, ToolCall, Uploading
from nbgemini.messages.segments import Change
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Options, Turn, merge_text, user_turn
from nbgemini.prices import Prices
from nbgemini.providers.base import ONWARD, OVER, Decoder
from nbgemini.tools.tool import text_result
from nbgemini.tools.toolbox import RoundLimit, Toolbox, ToolRunner
from nbgemini.transport.request import CachedFrame, ReplayedFrame, Request

Step: TypeAlias = tuple[list[Event], list[Change]]

MOST_SEGMENTS = 2_000  # of one reply
_SHREDS = f"an answer in more than {MOST_SEGMENTS:,} pieces of different kinds can't be shown → ask for less"
_SMALL = 65_536  # bytes of a frame that is decoded on the loop
_AT_ONCE = 32  # events of one frame that are folded before others have their turn
_LOOK_AGAIN = 1.0  # seconds after which a waiting reply says anew how many are ahead


class LoopContext(Struct, frozen=True):
    """What a request loop needs of its chat.

    Attributes:
        turns: returns the turns of the next request.
        in_line: returns the lock that makes prompts to one chat follow each other.
        blocks: whether something can't go on before this reply has ended: a tool must not wait for it.
        saved: returns once what came so far is on disk.
        mask: takes keys out of what a tool returned, and out of errors.
    """

    turns: Callable[[], Sequence[Turn]]
    in_line: Callable[[], AbstractAsyncContextManager[Any]]
    blocks: WaitGuard
    saved: Callable[[], Awaitable[None]]
    mask: Callable[[Any], Any]


class RequestLoop:
    """All rounds of one reply, with one endpoint and one toolbox to the end, whatever is set meanwhile."""

    def __init__(self, state: ReplyState, reply: Reply, toolbox: Toolbox, endpoint: Endpoint, context: LoopContext) -> None:
        """Write `state`, which `reply` reads."""
        self._state = state
        self._reply = reply
        self._toolbox = toolbox
        self._context = context
        self._requests = RequestSender(state, endpoint)
        self._cut = Outcome("interrupted")

    def start(self) -> None:
        """Note that the running loop runs it: from now on, what reads the reply may wait for it."""
        self._state.lifecycle.start()

    async def drive(self, apply: Callable[[list[Change]], None]) -> None:
        """Stream to the end in the calling task, handing every change to `apply`.

        If `apply` fails, the stream goes on without it: what comes is in the reply and the transcript. Stopping the reply ends
        this quietly; cancelling the calling task stops the reply and goes on cancelling.
        """
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is None:
            raise RuntimeError("a reply is driven inside a task")
        show = SafeCallback(apply, "the display of an answer failed; the answer goes on without it (%gemini show has it)")
        stop = CancelOnce(task, lambda: self._reply.done)
        self._state.lifecycle.on_stop(lambda: loop.call_soon_threadsafe(stop.cancel))
        limit = self._state.options.timeout
        timer = loop.call_later(limit, self._time_out, limit) if limit else None
        try:
            async with aclosing(self._steps()) as steps:
                async for _, changes in steps:
                    show(changes)
        except asyncio.CancelledError:
            show(self._finish(self._cut))
            if not stop.was_all():
                raise
        except BaseException as error:
            self._finish_unexpected(error)
            raise
        finally:
            if timer:
                timer.cancel()

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Stream to the end and yield the events of each step; leaving early stops the reply and keeps what arrived."""
        limit = self._state.options.timeout
        steps = self._steps_within(limit) if limit else self._steps()
        try:
            async with aclosing(steps):
                async for events, _ in steps:
                    yield events
        finally:
            self._finish(self._cut)  # nothing, unless it was left early or its time was over

    async def _steps_within(self, limit: float) -> AsyncGenerator[Step, None]:
        """Yield the steps as long as the time lasts; the caller's own work between them is never cut."""
        over = asyncio.get_running_loop().time() + limit
        async with aclosing(self._steps()) as steps:
            with suppress(StopAsyncIteration):
                while True:
                    try:
                        async with asyncio.timeout_at(over):  # for each step it costs half as much as the step itself
                            step = await anext(steps)
                    except TimeoutError:
                        self._time_out(limit)
                        return
                    yield step

    def _time_out(self, seconds: float) -> None:
        lifecycle = self._state.lifecycle
        if not lifecycle.stopping:
            self._cut = Outcome("truncated", TransportError(f"not finished after {seconds:g} s (--timeout)"))
        lifecycle.stop()

    def _finish(self, outcome: Outcome) -> list[Change]:
        if outcome.error and not self._reply.done:
            outcome.error.reply = self._reply
        return self._state.finish(*outcome)

    def _finish_unexpected(self, error: BaseException) -> None:
        self._finish(Outcome("failed", NbGeminiError(f"unexpected {type(error).__name__}: {error}")))

    async def _steps(self) -> AsyncGenerator[Step, None]:
        response = self._state.response
        try:
            async with self._context.in_line():
                self._state.start()
                async with aclosing(self._rounds()) as rounds:
                    async for step in rounds:
                        yield step
                last = self._finish(response.outcome())
        except (asyncio.CancelledError, GeneratorExit):
            raise  # the caller finishes, and shows the last changes
        except NbGeminiError as error:
            error.args = (self._context.mask(str(error)),)  # a service may repeat the key, also inside of a stream
            last = self._finish(response.outcome_after(error, shown=bool(self._state.segmenter.segments)))
        except BaseException as error:
            self._finish_unexpected(error)
            raise
        yield [], last

    async def _rounds(self) -> AsyncGenerator[Step, None]:
        """Ask, listen, run tools, ask again."""
        limit = RoundLimit()
        while True:
            async with aclosing(self._requests.ask(self._context.turns())) as steps:
                async for step in steps:
                    yield step
            calls = self._state.response.calls()
            if not calls:
                return
            self._limit(calls, limit.exceeded(calls))
            async with aclosing(self._run(calls)) as steps:
                async for step in steps:
                    yield step

    async def _run(self, calls: list[ToolCall]) -> AsyncGenerator[Step, None]:
        """Run the calls of a round, once what came is on disk; whatever happens, each gets a result."""
        state, context, loop = self._state, self._context, asyncio.get_running_loop()
        runner = ToolRunner(self._toolbox, calls, state.response.answered, context.blocks, context.mask)
        state.lifecycle.on_stop_call(lambda number: loop.call_soon_threadsafe(runner.stop, number))
        try:
            await context.saved()
            async with aclosing(runner.progress()) as progress:
                async for event in progress:
                    yield [event], state.feed([event])
        finally:
            state.add_results(runner.results())

    def _limit(self, calls: list[ToolCall], why: str) -> None:
        """End a conversation of the model with our tools that goes nowhere; its last calls get results too.

        Raises:
            ToolError: there is a reason why.
        """
        if why:
            self._state.add_results([text_result(call, f"limit reached: {why}", "refused") for call in calls])
            raise ToolError(f"{why}: stopped; ask to go on if it should")


class RequestSender:
    """The requests of one reply: each waits for a permit, and goes out again after transient failures."""

    def __init__(self, state: ReplyState, endpoint: Endpoint) -> None:
        """Ask this endpoint."""
        self._state = state
        self._endpoint = endpoint

    async def ask(self, turns: Sequence[Turn]) -> AsyncGenerator[Step, None]:
        """Ask and yield what comes; the service may cut its answer in two."""
        state, endpoint = self._state, self._endpoint
        shipment = endpoint.uploads.shipment(turns)
        async with aclosing(shipment.progress()) as notices:
            async for notice in notices:
                yield self._wait_for(notice)
        token: str | None = ""
        while token is not None:
            so_far = [Turn("model", merge_text(state.exchange.parts))] if token == ONWARD else []
            request = endpoint.codec.encode([*shipment.turns, *so_far], state.options, continuation=token)
            request = structs.replace(request, reuse="fresh" if state.options.fresh else "any")
            async with aclosing(self._persist(request)) as steps:
                async for step in steps:
                    yield step
            token = state.response.continuation()

    async def _persist(self, request: Request) -> AsyncGenerator[Step, None]:
        """Send a request, and again as long as it brings nothing but transient failures."""
        endpoint = self._endpoint
        attempts = endpoint.retry.attempts()
        while True:
            try:
                async with aclosing(self._attempt(request)) as steps:
                    async for step in steps:
                        yield step
            except NbGeminiError as error:
                endpoint.uploads.doubt(error)
                wait = attempts.again(error) if self._state.response.untouched else None
                if wait is None:
                    if attempts.made > 1:
                        error.args = (f"{error} (tried {attempts.made} times)",)
                    raise
                retrying = Retrying(_cause(error), wait, attempts.made, attempts.most)
            else:
                attempts.succeeded()
                return
            yield self._wait_for(retrying)
            await endpoint.retry.sleep(wait)

    async def _attempt(self, request: Request) -> AsyncGenerator[Step, None]:
        """Send a request once, as soon as there is a permit."""
        state, scheduler, decode = self._state, FairScheduler.here(), self._endpoint.codec.decoder()
        response, segments = state.response, state.segmenter.segments
        async with self._endpoint.limiter.permit() as permit:
            while not permit.granted.is_set():
                yield self._wait_for(Queued(permit.ahead))
                await permit.wait(_LOOK_AGAIN)
            state.begin_attempt()
            try:
                async with aclosing(self._endpoint.source.frames(request)) as frames:
                    async for frame in frames:
                        state.origin = _origin(frame, state.origin)
                        if scheduler.must_wait:
                            await scheduler.turn()
                        decoded = decode(frame) if len(frame) <= _SMALL else await asyncio.to_thread(decode, frame)
                        for at in range(0, len(decoded), _AT_ONCE):
                            if at:
                                await scheduler.turn()
                            events = response.fold(decoded[at : at + _AT_ONCE], first=not at)
                            yield events, state.show(events)
                            response.raise_fault()
                            if len(segments) > MOST_SEGMENTS:
                                raise WireError(_SHREDS)
            except NbGeminiError:
                if rest := self._rest(decode):
                    yield rest
                raise
            if rest := self._rest(decode):
                yield rest
            response.raise_if_empty()

    def _rest(self, decode: Decoder) -> Step | None:
        """Return what the decoder still held back, as the body has ended, if anything."""
        events = self._state.response.fold(decode(OVER))
        return (events, self._state.show(events)) if events else None

    def _wait_for(self, notice: Queued | Retrying | Uploading) -> Step:
        self._state.wait_for(notice)
        return [notice], []


def reply_of(frame: Callable[[], bytes], options: Options, endpoint: Endpoint, prices: Prices) -> Reply:
    """Return the reply that one whole frame is, as any other is read; `frame` may raise why there is none."""
    state = ReplyState(Exchange(user_turn("")), options, endpoint.codec, prices=prices)
    reply = Reply(state)
    try:
        state.show(state.response.fold(endpoint.codec.decoder()(frame())))
        state.response.raise_fault()
        state.response.raise_if_empty()
        outcome = state.response.outcome()
    except NbGeminiError as error:
        error.reply = reply
        outcome = state.response.outcome_after(error, shown=bool(state.segmenter.segments))
    state.finish(*outcome)
    return reply


def _origin(frame: bytes, before: str) -> str:
    """Return where an answer comes from: a cassette if any of it does, else where its last frame came from, which pays."""
    if isinstance(frame, ReplayedFrame):
        return frame.badge
    return "" if before == CachedFrame.badge else before


def _cause(error: NbGeminiError) -> str:
    """Return in a word or two what is being waited out."""
    return f"{error.code} {error.status}".strip() if isinstance(error, ApiError) else str(error)
