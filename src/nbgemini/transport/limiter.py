"""Permits for requests: so many at once, the others wait in line and can tell how many are before them.

Invariants: first come, first served; a permit is given back however its holder ends; who leaves the line early holds nobody up.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Self


class ConcurrencyLimiter:
    """The permits of one event loop."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._tickets = count()
        self._line: list[Permit] = []

    def permit(self) -> Permit:
        """Return a permit to wait for: an asynchronous context that enters the line at once."""
        return Permit(self, next(self._tickets))

    def enter(self, permit: Permit) -> None:
        """Grant the permit, or put it into the line."""
        insort(self._line, permit)
        self._serve()

    def leave(self, permit: Permit) -> None:
        """Take the permit back, or out of the line."""
        if permit.granted.is_set():
            self._free += 1
            self._serve()
        else:
            self._line.remove(permit)

    def before(self, permit: Permit) -> int:
        """Return how many wait before this one."""
        return bisect_left(self._line, permit)

    def _serve(self) -> None:
        while self._free > 0 and self._line:
            self._free -= 1
            self._line.pop(0).granted.set()


class Permit:
    """One permit, waited for or held; the lower its ticket, the earlier its turn."""

    def __init__(self, limiter: ConcurrencyLimiter, ticket: int) -> None:
        self.granted = asyncio.Event()
        self._limiter = limiter
        self._ticket = ticket

    @property
    def ahead(self) -> int:
        """How many wait before it."""
        return self._limiter.before(self)

    async def wait(self, seconds: float) -> None:
        """Return when the permit is held, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.granted.wait()

    def __lt__(self, other: Permit) -> bool:
        return self._ticket < other._ticket

    async def __aenter__(self) -> Self:
        self._limiter.enter(self)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._limiter.leave(self)
