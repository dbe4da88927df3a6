"""Places for requests: so many at once, the others wait in line and can tell how many are before them.

Invariants: first come, first served; a place is given back however its holder ends; who leaves the line early holds nobody up.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Self


class Places:
    """The places of one event loop."""

    def __init__(self, most: int) -> None:
        """Begin with all `most` of them free."""
        self._free = most
        self._tickets = count()
        self._line: list[Place] = []

    def place(self) -> Place:
        """Return a place to wait for: an asynchronous context that enters the line at once."""
        return Place(self, next(self._tickets))

    def enter(self, place: Place) -> None:
        """Give the place out, or put it into the line."""
        insort(self._line, place)
        self._serve()

    def leave(self, place: Place) -> None:
        """Take the place back, or out of the line."""
        if place.granted.is_set():
            self._free += 1
            self._serve()
        else:
            self._line.remove(place)

    def before(self, place: Place) -> int:
        """Return how many wait before this one."""
        return bisect_left(self._line, place)

    def _serve(self) -> None:
        while self._free > 0 and self._line:
            self._free -= 1
            self._line.pop(0).granted.set()


class Place:
    """One place, waited for or held."""

    def __init__(self, places: Places, ticket: int) -> None:
        """Know whose it is; the lower the ticket, the earlier its turn."""
        self.granted = asyncio.Event()
        self._places = places
        self._ticket = ticket

    @property
    def ahead(self) -> int:
        """How many wait before it."""
        return self._places.before(self)

    async def wait(self, seconds: float) -> None:
        """Return when the place is held, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.granted.wait()

    def __lt__(self, other: Place) -> bool:
        """Order by ticket."""
        return self._ticket < other._ticket

    async def __aenter__(self) -> Self:
        """Enter the line; the place may be held at once."""
        self._places.enter(self)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Give it back."""
        self._places.leave(self)
