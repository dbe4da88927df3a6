"""Which row is asked when: rows wait in line, as many are asked at once as the service takes, and some come back.

Invariants: a row that comes back is at the head of the line; the line is never much longer than what can be asked at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from nbgemini.bulk.aimd import AimdLimiter
from nbgemini.bulk.rows import PendingRow


class Scheduler:
    """The line of one map.

    Attributes:
        limiter: how many may be asked at once.
        stopped: whether nothing more is asked.
    """

    def __init__(self, limiter: AimdLimiter, ask: Callable[[PendingRow], Coroutine[Any, Any, None]]) -> None:
        """Begin with an empty line; `ask` asks one row to its end, and puts it back by `put_back` if it is not over then."""
        self.limiter = limiter
        self.stopped = False
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
            while self._running or not self._over:
                self._changed.clear()
                self._send()
                await self._next_change()
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

    @property
    def _over(self) -> bool:
        return self.stopped or (self._complete and not self._line and not self._delayed)

    def _send(self) -> None:
        """Ask as many rows as there is room for."""
        while self._line and not self.stopped and self.limiter.room(self.running):
            row = self._line.popleft()
            task = asyncio.ensure_future(self._ask(row))
            self._running[task] = row
            task.add_done_callback(self._ended)
        if len(self._line) < self.limiter.most:
            self._has_room.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task).reply = None
        self._changed.set()

    async def _next_change(self) -> None:
        """Wait until something has happened, or the pause of all rows is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limiter.wait if self._line and self.limiter.wait else None):
                await self._changed.wait()
