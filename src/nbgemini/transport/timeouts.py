"""How long a stream keeps silent, in time that the event loop was awake for.

A cell that computes for minutes holds the loop, and what came meanwhile waits in the socket's buffer: that is our own silence,
not the service's. So seconds are counted in small ticks of the loop, and a tick that comes late counts as one.
Invariant: only waiting is counted; whatever the reader of the stream does between two chunks takes its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self, TypeVar

from nbgemini.errors import TransportError

T = TypeVar("T")

_TICK = 1.0  # seconds, at most


class Watch:
    """The patience with one stream: seconds until it begins, between bytes, and between frames."""

    def __init__(self, host: str, first: float, gap: float, content: float) -> None:
        """Know the limits; nothing is counted before `sent` says that the request is out."""
        self._host = host
        self._gap = gap
        self._content = content
        self._limit = first
        self._tick_seconds = min(_TICK, first / 4, gap / 4, content / 4)
        self._silent = self._empty = 0.0
        self._counting = False
        self._waits: asyncio.Task[Any] | None = None
        self._expired = ""
        self._last = 0.0

    def sent(self) -> None:
        """Take note that the request is out: from here on the answer is waited for."""
        self._counting = True

    async def awaited(self, thing: Awaitable[T]) -> T:
        """Wait for the network.

        Raises:
            TransportError: it kept silent for too long.
        """
        task = self._waits = asyncio.current_task()
        cancelling = task.cancelling() if task else 0
        try:
            return await thing
        except asyncio.CancelledError:
            if not (task and self._expired and task.uncancel() <= cancelling):
                raise
        finally:
            self._waits = None
            self._silent = 0.0
        raise TransportError(self._expired, passing=True)  # out here it has no context

    def frame(self) -> None:
        """Take note that content came."""
        self._empty = 0.0

    def begun(self) -> None:
        """Take note that the answer begins: from here on the gaps count."""
        self._limit = self._gap

    def __enter__(self) -> Self:
        """Begin to tick."""
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        self._timer = loop.call_later(self._tick_seconds, self._tick)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """End."""
        self._timer.cancel()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now, before = loop.time(), self._last
        self._last = now
        self._timer = loop.call_later(self._tick_seconds, self._tick)
        if self._waits is not None and self._counting and not self._expired:
            self._count(min(now - before, 2 * self._tick_seconds), self._waits)

    def _count(self, seconds: float, waits: asyncio.Task[Any]) -> None:
        self._silent += seconds
        self._empty += seconds
        if self._silent > self._limit:
            self._expired = f"no data from {self._host} for {self._limit:g} s"
        elif self._empty > self._content:
            self._expired = f"nothing but signs of life from {self._host} for {self._content:g} s"
        if self._expired:
            waits.cancel()
