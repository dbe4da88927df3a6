"""How long to wait for what: for a connection, for the request to be taken, for the response to begin and to go on.

Silence is counted in time that the event loop was awake for. A cell that computes for minutes holds the loop, and what came
meanwhile waits in the socket's buffer: that is our own silence, not the service's. So seconds are counted in small ticks of the
loop, one timer for all its streams, and a tick that comes late counts as two at most.
Invariant: only waiting is counted; whatever the reader of the stream does between two chunks takes its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from msgspec import Struct

from nbgemini.errors import TransportError

T = TypeVar("T")

_REQUEST_IS_OUT = "receive_response_headers.started"  # in the words of httpcore2's trace extension
_TICK = 1.0  # seconds, at most


class Timeouts(Struct, frozen=True):
    """Seconds to wait.

    Attributes:
        connect: for a connection.
        write: for the service to take the next piece of the request.
        first: for the first byte of the response, once the request is out.
        gap: for the next byte; comments that keep the connection alive are bytes too,
        content: but not content, which must come within this time.
    """

    connect: float = 10.0
    write: float = 60.0
    first: float = 120.0
    gap: float = 120.0
    content: float = 300.0


class StallTimeout:
    """Ends the wait for a stream that keeps silent: before it begins, between bytes, or between frames."""

    def __init__(self, host: str, timeouts: Timeouts) -> None:
        self._host = host
        self._gap = timeouts.gap
        self._content = timeouts.content
        self._limit = timeouts.first
        self.tick = min(_TICK, timeouts.first / 4, timeouts.gap / 4, timeouts.content / 4)
        self._silent = self._empty = 0.0
        self._counting = False
        self._waiting: asyncio.Task[Any] | None = None
        self._expired = ""

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait for the network.

        Raises:
            TransportError: it kept silent for too long.
        """
        task = self._waiting = asyncio.current_task()
        cancelling = task.cancelling() if task else 0
        try:
            return await awaitable
        except asyncio.CancelledError:
            if not (task and self._expired and task.uncancel() <= cancelling):
                raise
        finally:
            self._waiting = None
            self._silent = 0.0
        raise TransportError(self._expired, passing=True)  # out here it has no context

    async def trace(self, event: str, _: object) -> None:
        """Count from when the request is out: before, the timeouts for connecting and writing hold."""
        if event.endswith(_REQUEST_IS_OUT):
            self._counting = True

    def response_begun(self) -> None:
        """Let the gaps count from here on."""
        self._counting, self._limit = True, self._gap

    def content_came(self) -> None:
        """Count the time without content anew."""
        self._empty = 0.0

    def start(self) -> None:
        """Count the ticks of the running loop."""
        _Clock.here().add(self)

    def stop(self) -> None:
        """Count no more."""
        _Clock.here().running.discard(self)

    def count(self, seconds: float) -> None:
        """Count seconds that the loop was awake for, if the network is waited for."""
        if self._waiting is None or not self._counting or self._expired:
            return
        self._silent += seconds
        self._empty += seconds
        if self._silent > self._limit:
            self._expired = f"no data from {self._host} for {self._limit:g} s"
        elif self._empty > self._content:
            self._expired = f"nothing but signs of life from {self._host} for {self._content:g} s"
        if self._expired:
            self._waiting.cancel()


class _Clock:
    """The ticks of one event loop; it rests while no stream runs."""

    def __init__(self) -> None:
        self.running: set[StallTimeout] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._tick = self._last = 0.0

    @staticmethod
    def here() -> _Clock:
        loop = asyncio.get_running_loop()
        return _clocks.get(loop) or _clocks.setdefault(loop, _Clock())

    def add(self, stall: StallTimeout) -> None:
        self.running.add(stall)
        if self._timer is None or stall.tick < self._tick:
            self._wait(stall.tick)

    def _wait(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._tick, self._last, self._timer = seconds, loop.time(), loop.call_later(seconds, self._count)

    def _count(self) -> None:
        self._timer, seconds = None, min(asyncio.get_running_loop().time() - self._last, 2 * self._tick)
        for stall in tuple(self.running):
            stall.count(seconds)
        if self.running:
            self._wait(min(stall.tick for stall in self.running))


_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clock] = WeakKeyDictionary()
