"""The request loop of a reply: ask, listen, run tools, ask again, until the service has said it all.

Invariants: a request is sent again only while nothing of its answer was shown; every stream is owned, so that stopping closes
the connection at once; whatever waits for a permit or for the next attempt holds none; every call gets a result; exactly
one terminal state, whatever happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from functools import partial
from typing import Any, TypeAlias
from weakref import WeakMethod

from msgspec import Struct, structs

from nbgemini._async.handle import CancelOnce, SafeCallback
from nbgemini._async.readers import WaitGuard
from nbgemini._async.scheduler import FairScheduler
from nbgemini.chat.endpoint import Endpoint
from nbgemini.chat.reply import Reply
from nbgemini.chat.response import Outcome
from nbgemini.chat.state import ReplyState
from nbgemini.errors import ApiError, NbGeminiError, ToolError, TransportError
from nbgemini.messages.events import Event, Queued, Retrying, ToolCall, Uploading
from nbgemini.messages.segments import Change
from nbgemini.messages.transcript import Exchange, Transcript
from nbgemini.messages.turns import Options, Turn, merge_text, user_turn
from nbgemini.prices import Prices
from nbgemini.providers.base import ONWARD, OVER, Decoder
from nbgemini.tools.tool import text_result
from nbgemini.tools.toolbox import RoundLimit, Toolbox, ToolRunner
from nbgemini.transport.request import CachedFrame, ReplayedFrame, Request
from nbgemini.transport.retry import Attempts

Step: TypeAlias = tuple[list[Event], list[Change]]
Phase: TypeAlias = Callable[[], AsyncGenerator[Step, None]]

_SMALL = 65_536  # bytes of a frame that is decoded on the loop
_AT_ONCE = 32  # events of one frame that are folded before others have their turn
_LOOK_AGAIN = 1.0  # seconds after which a waiting reply says anew how many are ahead


class LoopContext(Struct, frozen=True):
    """What the request loops of a chat share.

    Attributes:
        transcript: where the turns of a request stand.
        in_line: makes prompts to one chat follow each other.
        holds_up: whether something can't go on before the replies of this chat have ended: a tool must not wait for it.
        saved: returns once what came so far is on disk.
        mask: takes keys out of what a tool returned, and out of errors.
    """

    transcript: Transcript
    in_line: AbstractAsyncContextManager[Any]
    holds_up: WaitGuard
    saved: Callable[[], Awaitable[None]]
    mask: Callable[[Any], Any]


class Rounds:
    """The rounds of one reply, phase by phase: uploads, the request (again after transient failures), tools, the next request.

    Each phase sets the next one, and none runs inside another, as every layer of generators costs each frame and each request.

    Attributes:
        phase: what comes next; None at the end.
    """

    def __init__(self, state: ReplyState, reply: Reply, toolbox: Toolbox, endpoint: Endpoint, context: LoopContext) -> None:
        self.phase: Phase | None = self._prepare
        self._state = state
        self._reply = reply
        self._toolbox = toolbox
        self._endpoint = endpoint
        self._context = context
        self._round_limit = RoundLimit()
        self._turns: Sequence[Turn] = ()
        self._attempt: Phase = self._prepare
        self._attempts: Attempts | None = None  # while a request is out, or waits to be sent again

    async def _prepare(self) -> AsyncGenerator[Step, None]:
        """Upload what must be ahead of the request."""
        turns = self._context.transcript.request_turns(self._state.exchange)
        async with aclosing(self._endpoint.uploads.prepared(turns)) as steps:
            async for step in steps:
                if isinstance(step, list):
                    self._turns = step
                else:
                    yield self._wait_for(step)
        self._begin_request("")

    def _begin_request(self, continuation: str) -> None:
        """Let a request go out next; with a `continuation` the service goes on with an answer that it has cut in two."""
        state, endpoint = self._state, self._endpoint
        so_far = [Turn("model", merge_text(state.exchange.parts))] if continuation == ONWARD else []
        request = endpoint.codec.encode([*self._turns, *so_far], state.options, continuation=continuation)
        request = structs.replace(request, reuse="fresh" if state.options.fresh else "any")
        self._attempts = endpoint.retry.attempts()
        self.phase = self._attempt = partial(self._send, request)

    async def _send(self, request: Request) -> AsyncGenerator[Step, None]:
        """Send a request once, as soon as there is a permit and the loop has time for it."""
        state, scheduler, decode = self._state, FairScheduler.here(), self._endpoint.codec.decoder()
        response = state.response
        async with self._endpoint.limiter.permit() as permit:
            while not permit.granted:
                yield self._wait_for(Queued(permit.ahead))
                await permit.wait(_LOOK_AGAIN)
            await scheduler.turn()  # of a thousand prompts the first are out before the last are written
            state.begin_attempt()
            try:
                async with aclosing(self._endpoint.source.frames(request)) as frames:
                    async for frame in frames:
                        if state.origin or isinstance(frame, ReplayedFrame):
                            state.origin = _origin(frame, state.origin)
                        if scheduler.must_wait:
                            await scheduler.turn()
                        decoded = decode(frame) if len(frame) <= _SMALL else await asyncio.to_thread(decode, frame)
                        for at, some in _portions(decoded):
                            if at:
                                await scheduler.turn()
                            events = response.fold(some, first=not at)
                            yield events, state.show(events)
                            state.raise_fault()
            except NbGeminiError:
                if rest := self._rest(decode):
                    yield rest
                raise
            if rest := self._rest(decode):
                yield rest
            response.raise_if_empty()
        self._end_request()

    def _rest(self, decode: Decoder) -> Step | None:
        """Return what the decoder still held back, as the body has ended, if anything."""
        events = self._state.response.fold(decode(OVER))
        return (events, self._state.show(events)) if events else None

    def _end_request(self) -> None:
        """Let follow what the answer asks for: its other half, or its calls."""
        if self._attempts:
            self._attempts.succeeded()
        self._attempts = None
        continuation = self._state.response.continuation()
        if continuation is not None:
            self._begin_request(continuation)
            return
        calls = self._state.response.calls()
        self.phase = partial(self._run, calls) if calls else None

    def after(self, error: NbGeminiError) -> Phase:
        """Return what follows an error, or raise it: the request goes out again if all it brought was a transient failure."""
        attempts = self._attempts
        if attempts is None:  # no request was out
            raise error
        self._endpoint.uploads.doubt(error)
        wait = attempts.again(error) if self._state.response.untouched else None
        if wait is None:
            if attempts.made > 1:
                error.args = (f"{error} (tried {attempts.made} times)",)
            raise error
        return partial(self._pause, Retrying(_cause(error), wait, attempts.made, attempts.most))

    async def _pause(self, retrying: Retrying) -> AsyncGenerator[Step, None]:
        yield self._wait_for(retrying)
        await self._endpoint.retry.sleep(retrying.seconds)
        self.phase = self._attempt

    async def _run(self, calls: list[ToolCall]) -> AsyncGenerator[Step, None]:
        """Run the calls of a round, once what came is on disk; whatever happens, each gets a result."""
        state, context, loop = self._state, self._context, asyncio.get_running_loop()
        if why := self._round_limit.exceeded(calls):
            state.add_results([text_result(call, f"limit reached: {why}", "refused") for call in calls])
            raise ToolError(f"{why}: stopped; ask it to continue if you want")
        blocks = WeakMethod(self._blocks)  # contexts of tools, and timers set in them, live longer than the reply
        runner = ToolRunner(
            self._toolbox,
            calls,
            state.response.answered,
            lambda wanted: (alive := blocks()) is not None and alive(wanted),
            context.mask,
        )
        state.lifecycle.on_stop_call(lambda number: loop.call_soon_threadsafe(runner.stop, number))
        try:
            await context.saved()
            async with aclosing(runner.progress()) as progress:
                async for event in progress:
                    yield [event], state.feed([event])
        finally:
            state.add_results(runner.results())
        self.phase = self._prepare

    def _blocks(self, wanted: object) -> bool:
        """Return whether something can't go on before this reply has ended."""
        return not self._reply.done and (wanted is self._reply or self._context.holds_up(wanted))

    def _wait_for(self, notice: Queued | Retrying | Uploading) -> Step:
        self._state.wait_for(notice)
        return [notice], []


class RequestLoop:
    """All rounds of one reply, with one endpoint and one toolbox to the end, whatever is set meanwhile."""

    def __init__(self, state: ReplyState, reply: Reply, toolbox: Toolbox, endpoint: Endpoint, context: LoopContext) -> None:
        self._state = state
        self._reply = reply
        self._context = context
        self._rounds = Rounds(state, reply, toolbox, endpoint, context)
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

    def steps(self) -> AsyncGenerator[Step, None]:
        """Stream to the end; whoever leaves early then says so by `give_up`."""
        limit = self._state.options.timeout
        return self._steps_within(limit) if limit else self._steps()

    def give_up(self) -> None:
        """Stop, and keep what arrived; nothing is done if it has ended."""
        self._finish(self._cut)

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
            async with self._context.in_line:
                self._state.start()
                while self._rounds.phase is not None:
                    try:
                        async with aclosing(self._rounds.phase()) as steps:
                            async for step in steps:
                                yield step
                    except NbGeminiError as error:
                        self._rounds.phase = self._rounds.after(error)
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


def _portions(events: list[Event]) -> Iterable[tuple[int, list[Event]]]:
    """Return the events of a frame in portions, with their places; nearly always it is all of them."""
    if len(events) <= _AT_ONCE:
        return ((0, events),) if events else ()
    return ((at, events[at : at + _AT_ONCE]) for at in range(0, len(events), _AT_ONCE))


def _origin(frame: bytes, before: str) -> str:
    """Return where an answer comes from: a cassette if any of it does, else where its last frame came from, which pays."""
    if isinstance(frame, ReplayedFrame):
        return frame.badge
    return "" if before == CachedFrame.badge else before


def _cause(error: NbGeminiError) -> str:
    """Return in a word or two what is being waited out."""
    return f"{error.code} {error.status}".strip() if isinstance(error, ApiError) else str(error)
