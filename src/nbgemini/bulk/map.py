"""Asking thousands of prompts at once: as many out as the service bears, each answer on disk before it counts.

Invariants: rows stay in their order, and one row's trouble is its own; a limit is waited out by all rows together, and the row
goes back to the head of the line; a row that is kept is not asked again; a fault that concerns all ends the map with what is
done; memory holds what came, and never more than a few rows ahead.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from msgspec import Struct

from nbgemini.bulk.aimd import Concurrency
from nbgemini.bulk.progress import Progress
from nbgemini.bulk.rows import GENEROUS, Intake, Manner, Suspicion, Waiting, concerns_all, fill, kept_of, limit_of
from nbgemini.bulk.sources import RowSource
from nbgemini.bulk.store import RowStore
from nbgemini.bulk.table import Mapped, Row
from nbgemini.bulk.template import MissingError, Template
from nbgemini.chat import endpoint
from nbgemini.chat.reply import Reply
from nbgemini.errors import ApiError, NbGeminiError, PromptError
from nbgemini.messages.turns import Usage


class Counts:
    """The counts of one map."""

    def __init__(self, total: int | None) -> None:
        """Begin with none."""
        self._total = total
        self._began = monotonic()
        self._done = self._stored = self._failed = self._interrupted = 0
        self._usage = Usage()
        self._cost: float | None = None

    def add(self, row: Row) -> None:
        """Count a row that is over."""
        self._done += row.answered
        self._stored += row.stored
        self._interrupted += row.state == "interrupted"
        self._failed += not row.answered and row.state != "interrupted"
        if not row.stored:
            self._usage += row.usage
            self._cost = self._cost if row.cost is None else (self._cost or 0.0) + row.cost

    def progress(self, running: int, concurrency: Concurrency, *, over: bool) -> Progress:
        """Return how far it is."""
        return Progress(
            total=self._done + self._failed + self._interrupted if over else self._total,
            done=self._done,
            failed=self._failed,
            stored=self._stored,
            running=running,
            interrupted=self._interrupted,
            usage=self._usage,
            cost=self._cost,
            seconds=monotonic() - self._began,
            places=concurrency.places,
            wait=concurrency.wait,
            over=over,
        )


_guarded_log = logging.getLogger("nbgemini")


class Guarded:
    """A callback that is left out once it has failed: whatever it has, the map must not have it."""

    def __init__(self, callback: Callable[[Any], object] | None) -> None:
        """Call it for each value, if there is one."""
        self._callback = callback

    def __call__(self, value: Any) -> None:
        """Call it."""
        if self._callback is None:
            return
        try:
            self._callback(value)
        except Exception:  # noqa: BLE001 - anybody's code
            _guarded_log.exception("a callback of a map failed; the map goes on without it")
            self._callback = None


_OFTEN = 0.25  # seconds between two reports
_log = logging.getLogger("nbgemini")


class Plan(Struct, frozen=True, kw_only=True):
    """What is asked, and how.

    Attributes:
        manner: how each row is asked.
        template: what each row is asked.
        source: the rows.
        concurrency: how many are asked at once at most.
        store: where answers are kept.
        fresh: whether rows are asked again that have an answer there.
        tell: called with how far it is, a few times a second.
        on_row: called with each row that is over.
    """

    manner: Manner
    template: Template
    source: RowSource
    concurrency: int
    store: RowStore | None
    fresh: bool = False
    tell: Callable[[Progress], object] | None = None
    on_row: Callable[[Row], object] | None = None


class MapRun:
    """One run of a map, to its end."""

    def __init__(self, plan: Plan) -> None:
        """Ask nothing yet."""
        self._manner = plan.manner
        self._store = plan.store
        self._intake = Intake(plan.manner, plan.template, plan.source, None if plan.fresh else plan.store)
        self._tell, self._on_row = Guarded(plan.tell), Guarded(plan.on_row)
        self._concurrency = Concurrency(plan.concurrency, monotonic, random.random)
        self._counts = Counts(plan.source.total)
        self._suspicion = Suspicion()
        self._line: deque[Waiting] = deque()
        self._running: dict[asyncio.Task[None], Waiting] = {}
        self._held: set[asyncio.TimerHandle] = set()
        self._news, self._hungry = asyncio.Event(), asyncio.Event()
        self._fed = self._stopped = False

    async def __call__(self, table: Mapped) -> None:
        """Ask all rows of a table and put into it what comes."""
        loop = asyncio.get_running_loop()
        self._table = table
        table.attach(lambda: loop.call_soon_threadsafe(self._stop))
        try:
            if self._store is not None:
                await self._store.open()
            await self._go()
        except NbGeminiError as error:
            table.so_far.error = error
        finally:
            await self._close()

    async def _go(self) -> None:
        beside = [asyncio.ensure_future(self._feed()), asyncio.ensure_future(self._tell_often())]
        try:
            while not self._over:
                self._news.clear()
                self._send()
                await self._next_news()
        finally:
            for task in beside:
                task.cancel()
            if self._running:  # this task was cancelled
                self._stop()
                await asyncio.wait(self._running)
            await asyncio.gather(*beside, return_exceptions=True)

    @property
    def _over(self) -> bool:
        return not self._running and (self._stopped or (self._fed and not self._line and not self._held))

    async def _next_news(self) -> None:
        """Wait until something has happened, or may again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._concurrency.wait if self._line and self._concurrency.wait else None):
                await self._news.wait()

    async def _close(self) -> None:
        """Put everything to rest: what was not asked to its end is marked."""
        if self._stopped:
            await self._intake.rest(self._table)
        for row in self._table.so_far:
            if row.state in ("waiting", "running"):
                row.state = "interrupted"
                self._counts.add(row)
        if self._store is not None:
            await self._store.aclose()
        self._report(over=True)

    def _stop(self) -> None:
        """Ask nothing more, and end what is being asked; what is done stays."""
        self._stopped = True
        for timer in self._held:
            timer.cancel()
        for item in self._running.values():
            if item.reply is not None:
                item.reply.stop()
        self._news.set()

    def _end(self, error: NbGeminiError) -> None:
        """Stop for a fault that concerns all rows."""
        if self._table.so_far.error is None:
            self._table.so_far.error = error
        self._table.stopping = True
        self._stop()

    async def _feed(self) -> None:
        """Take the rows in, never many more than are asked."""
        try:
            while (taken := await self._intake.some(self._table)) is not None:
                self._line.extend(taken.waiting)
                for row in taken.stored:
                    self._ended(row)
                for row, error in taken.refused:
                    self._fail(row, error)
                self._news.set()
                await self._hunger()
        except NbGeminiError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 - an iterator is anybody's code
            words = f"the rows broke off, {type(error).__name__}: {error}; those before are done"
            self._table.so_far.error = PromptError(words)
        finally:
            self._fed = True
            self._news.set()

    async def _hunger(self) -> None:
        while len(self._line) >= 2 * self._concurrency.most:
            self._hungry.clear()
            await self._hungry.wait()

    def _send(self) -> None:
        """Ask as many rows as there is room for."""
        while self._line and not self._stopped and self._concurrency.room(len(self._running)):
            item = self._line.popleft()
            task = asyncio.ensure_future(self._ask(item))
            self._running[task] = item
            task.add_done_callback(self._asked)
        if len(self._line) < self._concurrency.most:
            self._hungry.set()

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task).reply = None
        self._news.set()

    async def _ask(self, item: Waiting) -> None:
        began, item.row.state = monotonic(), "running"
        try:
            reply = item.reply = self._manner.begin(item.turn)
            if self._stopped:
                reply.stop()
            await self._manner.chat.drive(reply)
            if not self._again(item, reply, began):
                await self._settle(item, reply)
        except NbGeminiError as error:
            self._fail(item.row, error)
        except Exception as error:  # noqa: BLE001 - it is one row's, and the others go on
            _log.exception("a row of a map failed")
            self._fail(item.row, NbGeminiError(f"unexpected {type(error).__name__}: {error}"))

    def _again(self, item: Waiting, reply: Reply, began: float) -> bool:
        """Put a row back that met trouble which passes; return whether it is."""
        error = reply.error
        if error is None or concerns_all(error) or self._stopped:
            return False
        if (limit := limit_of(reply)) is not None:
            return self._limited(item, limit, began)
        wait = None if reply.segments else item.attempts.again(error)
        if wait is not None:
            self._hold(item, wait)
        return wait is not None

    def _limited(self, item: Waiting, limit: ApiError, began: float) -> bool:
        """Let all rows wait, and this one be the next; False if it has been at that for too long."""
        item.refused_at = item.refused_at or began
        self._concurrency.limited(began, limit.retry_after)
        if monotonic() + self._concurrency.wait - item.refused_at > GENEROUS:
            return False
        if endpoint.BUDGET.spend():
            item.paid += 1
        else:
            self._concurrency.alone()  # no storm: one after the other until answers fill the budget again
        self._put_back(item)
        return True

    def _hold(self, item: Waiting, seconds: float) -> None:
        """Put a row back a little later; the others go on."""
        item.row.state = "waiting"

        def put_back() -> None:
            self._held.discard(timer)
            self._put_back(item)

        timer = asyncio.get_running_loop().call_later(seconds, put_back)
        self._held.add(timer)

    def _put_back(self, item: Waiting) -> None:
        item.row.state = "waiting"
        self._line.appendleft(item)
        self._news.set()

    async def _settle(self, item: Waiting, reply: Reply) -> None:
        """Take a row's end in: it counts once it is on disk."""
        fill(item.row, reply)
        kept = kept_of(item.row, reply)
        if kept is not None and self._store is not None:
            try:
                await self._store.keep(item.name, kept)
            except NbGeminiError as error:
                self._end(error)
        item.row.state = reply.state if reply.state != "waiting" else "interrupted"
        self._manner.write_down(item, reply)
        self._learn(item, reply)
        self._ended(item.row)

    def _learn(self, item: Waiting, reply: Reply) -> None:
        """Draw from a row's end what it means for the others."""
        if item.row.answered:
            self._suspicion.clear()
            self._concurrency.succeeded()
            item.attempts.succeeded()
            if item.paid:
                endpoint.BUDGET.refund(item.paid)
        elif reply.error is not None and self._suspicion.falls_on(reply.error):
            self._end(reply.error)

    def _fail(self, row: Row, error: NbGeminiError) -> None:
        row.state, row.error = "failed", str(error)
        if not isinstance(error, MissingError) and self._suspicion.falls_on(error):
            self._end(error)
        self._ended(row)

    def _ended(self, row: Row) -> None:
        self._counts.add(row)
        if row.state != "interrupted":
            self._on_row(row)

    async def _tell_often(self) -> None:
        while True:
            self._report(over=False)
            await asyncio.sleep(_OFTEN)

    def _report(self, *, over: bool) -> None:
        self._table.progress = self._counts.progress(len(self._running), self._concurrency, over=over)
        self._tell(self._table.progress)
