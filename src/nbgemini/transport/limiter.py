"""Permits for requests: so many at once, the others wait in line and can tell how many are before them.

Invariants: first come, first served; a permit is given back however its holder ends; who leaves the line early holds nobody up.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from itertools import count
from operator import attrgetter
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
        return Permit(self)

    def enter(self, permit: Permit) -> int:
        """Grant the permit, or put it into the line; return its ticket."""
        self._line.append(permit)
        self._serve()
        return next(self._tickets)

    def leave(self, permit: Permit) -> None:
        """Take the permit back, or out of the line."""
        if permit.granted:
            self._free += 1
            self._serve()
        else:
            self._line.remove(permit)

    def before(self, permit: Permit) -> int:
        """Return how many wait before this one."""
        return bisect_left(self._line, permit.ticket, key=attrgetter("ticket"))

    def _serve(self) -> None:
        while self._free > 0 and self._line:
            self._free -= 1
            self._line.pop(0).grant()


class Permit:
    """One permit, waited for or held; the lower its ticket, the earlier its turn."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.granted = False
        self.ticket = -1
        self._limiter = limiter
        self._turn: asyncio.Future[None] | None = None

    @property
    def ahead(self) -> int:
        """How many wait before it."""
        return self._limiter.before(self)

    def grant(self) -> None:
        """Let it be held from now on."""
        self.granted = True
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    async def wait(self, seconds: float | None = None) -> None:
        """Return when the permit is held, or after so many seconds."""
        if not self.granted:
            self._turn = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._turn], timeout=seconds)

    async def __aenter__(self) -> Self:
        self.ticket = self._limiter.enter(self)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._limiter.leave(self)
