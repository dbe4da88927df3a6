"""A work budget over all streams of a loop, so that a burst never holds the loop.

Bytes that already wait in a socket's buffer are read without suspending, so a reader in a hurry would keep every other
task waiting. Each stream asks `turn()` before a frame: within the budget it goes on at once; past it, it waits its turn,
first come, first served, one stream a turn of the loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from weakref import WeakKeyDictionary

BUDGET = 0.001  # seconds of stream work per loop turn; 10 ms heartbeats stay within 12 ms with 50 busy streams


class FairScheduler:
    """The budget of one event loop."""

    def __init__(self, budget: float = BUDGET) -> None:
        self._budget = budget
        self._until: float | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()  # first come, first served

    @staticmethod
    def here() -> FairScheduler:
        """Return the scheduler of the running loop."""
        loop = asyncio.get_running_loop()
        found = _schedulers.get(loop)
        if found is None:
            found = _schedulers[loop] = FairScheduler()
        return found

    @property
    def must_wait(self) -> bool:
        """Whether `turn` has anything to do: asked before it, this spares a coroutine for each frame."""
        return self._until is None or bool(self._waiting) or perf_counter() >= self._until

    async def turn(self) -> None:
        """Return at once while the turn's budget lasts, else when it is this stream's turn."""
        if self._until is None:
            self._until = perf_counter() + self._budget
            asyncio.get_running_loop().call_soon(self._next_turn)
        if self._waiting or perf_counter() >= self._until:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def _next_turn(self) -> None:
        self._until = None
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # a cancelled stream has left the queue
                turn.set_result(None)
                self._until = perf_counter() + self._budget
                turn.get_loop().call_soon(self._next_turn)
                return


_schedulers: WeakKeyDictionary[asyncio.AbstractEventLoop, FairScheduler] = WeakKeyDictionary()
