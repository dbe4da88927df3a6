"""What a reply means for its row and for the map, and which row is asked when.

Rules: a limit of the service is waited for by all rows together, and the row that met it is the next, for ten minutes at most;
other transient errors send the row again as often as any prompt is, while nothing of the answer has come; an error that every
row would meet ends the map. Invariants: a row that comes back is at the head of the line; the line is never much longer than
what can be asked at once; `outcome` is pure: its caller has the clock, spends the budget and acts.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini.bulk.aimd import AimdLimiter
from nbgemini.bulk.rows import PendingRow
from nbgemini.chat.reply import Reply
from nbgemini.errors import ApiError, AuthenticationError, ConfigurationError, NbGeminiError, RateLimitError

LONGEST = 600.0  # seconds for which a row is sent again where only limits are in its way
_LIMITS = (429, 503, 529)
_NOT_FOUND, _NOT_ALLOWED = 404, "PERMISSION_DENIED"
_ALIKE = 10  # rows that fail in the same words


class RowDone(Struct, frozen=True):
    """The row has all of the answer that it will have."""


class RetryAfter(Struct, frozen=True):
    """The row is sent again after so many seconds, if the retry budget allows; the others go on."""

    seconds: float


class BackOff(Struct, frozen=True):
    """All rows wait, as long as the service asked if it did, and this one is the next."""

    retry_after: float | None


class Failed(Struct, frozen=True):
    """The row has failed, and no other with it."""


class StopAll(Struct, frozen=True):
    """Every row would fail by this error."""

    error: NbGeminiError


Outcome: TypeAlias = RowDone | RetryAfter | BackOff | Failed | StopAll


def row_outcome(reply: Reply, row: PendingRow, now: float) -> Outcome:
    """Return what a reply that is over means for its row; `now` is the time by the clock of `row.limited_since`."""
    error = reply.error
    if error is None:
        return RowDone()
    if concerns_all(error):
        return StopAll(error)
    if reply.segments:
        return Failed()  # what was shown is not asked for again
    if isinstance(error, ApiError) and (isinstance(error, RateLimitError) or error.code in _LIMITS):
        since = now if row.limited_since is None else row.limited_since
        return BackOff(error.retry_after) if now + (error.retry_after or 0.0) - since <= LONGEST else Failed()
    delay = row.attempts.delay(error)
    return Failed() if delay is None else RetryAfter(delay)


def concerns_all(error: NbGeminiError) -> bool:
    """Whether every row meets an error: no key, no permission, no such model, a quota that waiting does not bring back."""
    if isinstance(error, RateLimitError):
        return error.daily or (error.retry_after or 0.0) > LONGEST
    refused = isinstance(error, ApiError) and (error.code == _NOT_FOUND or error.status == _NOT_ALLOWED)
    return isinstance(error, AuthenticationError | ConfigurationError) or refused


class SystemicFailureDetector:
    """Detects that rows fail for a reason that all rows share, although no single error says so."""

    def __init__(self) -> None:
        self._alike: Counter[str] = Counter()  # since the last answer
        self._answered = False

    def succeeded(self) -> None:
        """Count a row that was answered."""
        self._alike.clear()
        self._answered = True

    def detects(self, error: NbGeminiError) -> bool:
        """Return whether this failure, after those before, is one of all rows: many in the same words, and no answer between.

        Once there was an answer only transient errors count: rows of one kind may stand together.
        """
        self._alike[str(error)] += 1
        return self._alike[str(error)] >= _ALIKE and (error.passing or not self._answered)


class Scheduler:
    """The line of one map."""

    def __init__(self, limiter: AimdLimiter, ask: Callable[[PendingRow], Coroutine[Any, Any, None]]) -> None:
        """Begin with an empty line; `ask` asks one row to its end, and puts it back by `put_back` if it is not over then."""
        self.limiter = limiter  # how many may be asked at once
        self.stopped = False  # whether nothing more is asked
        self._ask = ask
        self._complete = False
        self._line: deque[PendingRow] = deque()
        self._running: dict[asyncio.Task[None], PendingRow] = {}
        self._delayed: set[asyncio.TimerHandle] = set()
        self._changed, self._has_room = asyncio.Event(), asyncio.Event()

    @property
    def running(self) -> int:
        """The number of rows that are being asked."""
        return len(self._running)

    async def run(self) -> None:
        """Ask all rows until the line is complete and empty, or stopped; cancelled, stop and wait for those that run."""
        try:
            while self._running or (not self.stopped and (self._line or self._delayed or not self._complete)):
                self._changed.clear()
                self._send()
                with suppress(TimeoutError):  # the pause of all rows is over
                    async with asyncio.timeout(self.limiter.wait if self._line and self.limiter.wait else None):
                        await self._changed.wait()
        finally:
            if self._running:
                self.stop()
                await asyncio.wait(self._running)

    async def add(self, rows: Iterable[PendingRow]) -> None:
        """Put rows at the end of the line; return when there is room for more."""
        self._line.extend(rows)
        self._changed.set()
        while len(self._line) >= 2 * self.limiter.most:
            self._has_room.clear()
            await self._has_room.wait()

    def complete(self) -> None:
        """Take in that no more rows come."""
        self._complete = True
        self._changed.set()

    def put_back(self, row: PendingRow, seconds: float = 0.0) -> None:
        """Put a row at the head of the line, at once or so many seconds later."""
        row.row.state = "waiting"
        if not seconds:
            self._line.appendleft(row)
            self._changed.set()
            return

        def return_now() -> None:
            self._delayed.discard(timer)
            self.put_back(row)

        timer = asyncio.get_running_loop().call_later(seconds, return_now)
        self._delayed.add(timer)

    def stop(self) -> None:
        """Ask nothing more, and stop what is being asked; what is done stays."""
        self.stopped = True
        for timer in self._delayed:
            timer.cancel()
        for row in self._running.values():
            if row.reply is not None:
                row.reply.stop()
        self._changed.set()

    def _send(self) -> None:
        """Ask as many rows as there is room for."""

        def end(task: asyncio.Task[None]) -> None:
            self._running.pop(task).reply = None
            self._changed.set()

        while self._line and not self.stopped and self.limiter.room(self.running):
            row = self._line.popleft()
            task = asyncio.ensure_future(self._ask(row))
            self._running[task] = row
            task.add_done_callback(end)
        if len(self._line) < self.limiter.most:
            self._has_room.set()
