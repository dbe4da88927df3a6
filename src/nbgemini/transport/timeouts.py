"""How long to wait for what: for a connection, for the request to be taken, for the response to begin and to go on.

Silence is counted in time that the event loop was awake for. A cell that computes for minutes holds the loop, and what came
meanwhile waits in the socket's buffer: that is our own silence, not the service's. So seconds are counted in small ticks of the
loop, and a tick that comes late counts as one.
Invariant: only waiting is counted; whatever the reader of the stream does between two chunks takes its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self, TypeVar

from msgspec import Struct

from nbgemini.errors import TransportError

T = TypeVar("T")

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
        self._tick_seconds = min(_TICK, timeouts.first / 4, timeouts.gap / 4, timeouts.content / 4)
        self._silent = self._empty = 0.0
        self._counting = False
        self._waiting: asyncio.Task[Any] | None = None
        self._expired = ""
        self._last = 0.0

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

    def request_sent(self) -> None:
        """Count from here on: before, the timeouts for connecting and writing hold."""
        self._counting = True

    def response_begun(self) -> None:
        """Let the gaps count from here on."""
        self._counting, self._limit = True, self._gap

    def content_came(self) -> None:
        """Count the time without content anew."""
        self._empty = 0.0

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        self._timer = loop.call_later(self._tick_seconds, self._tick)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._timer.cancel()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now, before = loop.time(), self._last
        self._last = now
        self._timer = loop.call_later(self._tick_seconds, self._tick)
        if self._waiting is not None and self._counting and not self._expired:
            self._count(min(now - before, 2 * self._tick_seconds), self._waiting)

    def _count(self, seconds: float, waiting: asyncio.Task[Any]) -> None:
        self._silent += seconds
        self._empty += seconds
        if self._silent > self._limit:
            self._expired = f"no data from {self._host} for {self._limit:g} s"
        elif self._empty > self._content:
            self._expired = f"nothing but signs of life from {self._host} for {self._content:g} s"
        if self._expired:
            waiting.cancel()
