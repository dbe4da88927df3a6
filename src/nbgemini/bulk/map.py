"""One prompt for each of many rows: as many at once as the service takes, each answer on disk before it counts.

Invariants: rows stay in their order, and one row's trouble is its own; a row with a stored answer is not asked again; an error
that concerns all rows ends the map with what is done; memory holds what came, and never more than a few rows ahead.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from msgspec import Struct, structs

from nbgemini._async.handle import SafeCallback
from nbgemini._storage import user_path
from nbgemini._storage.sqlite import default_path
from nbgemini.bulk.aimd import AimdLimiter
from nbgemini.bulk.progress import Progress
from nbgemini.bulk.progress_bar import progress_bar
from nbgemini.bulk.rows import MapContext, PendingRow, RowLoader, RowSource, answer_to_store, fill_row
from nbgemini.bulk.scheduler import (
    BackOff,
    RetryAfter,
    RowDone,
    Scheduler,
    StopAll,
    SystemicFailureDetector,
    concerns_all,
    row_outcome,
)
from nbgemini.bulk.store import RowStore
from nbgemini.bulk.table import MapResult, MapRow, count_row
from nbgemini.bulk.template import MissingError, Template
from nbgemini.chat.chat import Chat, ChatContext
from nbgemini.chat.reply import Reply
from nbgemini.chat.services import ServiceRegistry
from nbgemini.errors import NbGeminiError, PromptError
from nbgemini.messages.turns import Options
from nbgemini.replay.session import Replay
from nbgemini.services import split_model

_REPORT_EVERY = 0.25  # seconds
_CALLBACK_FAILED = "a callback of a map failed; the map goes on without it"
_log = logging.getLogger("nbgemini")


class MapOptions(Struct, frozen=True, kw_only=True):
    """How a map goes; see `Client.map`. Without a `store` (False) nothing is stored."""

    concurrency: int = 20
    store: str | Path | Literal[False] | None = None
    fresh: bool = False
    progress: Callable[[Progress], object] | bool | None = None
    on_row: Callable[[MapRow], object] | None = None


def create_map(  # noqa: PLR0913, PLR0917 - what asks, what is asked, and how
    services: ServiceRegistry, chats: ChatContext, options: Options, template: str, rows: Any, how: MapOptions
) -> MapResult:
    """Return the result of a map, which asks a client's services once it is awaited or started."""
    if not isinstance(template, str):
        raise PromptError(f"a template is text, not {type(template).__name__}; it comes first, the rows come second")
    if not isinstance(how.concurrency, int) or how.concurrency < 1:
        raise PromptError(f"at least one row is asked at a time, not {how.concurrency!r}")
    endpoint = services.endpoint(options.model)
    once = endpoint.without_retries()  # and the same to the end, whatever is set meanwhile
    chat = Chat(None, structs.replace(chats, endpoint=lambda _model, _taping: once, log=None), options)
    address = services.settings.service(split_model(options.model)[0]).base_url
    context = MapContext(chat, endpoint, options, address, chats.log)
    context.check()
    source = RowSource(rows)
    store = None
    if how.store is not False and not isinstance(services.taping, Replay):
        store = RowStore(user_path(how.store) if how.store else default_path("maps.sqlite3"))
    run = MapRun(context, Template(template, source.doubled), source, store, how)
    remarks = [remark for name, remark in source.remarks.items() if run.template.reads(name)]
    return MapResult(run, source.total, source.labels, "; ".join(remarks), services.aclose)


class MapRun:
    """One run of a map, to its end."""

    def __init__(
        self, context: MapContext, template: Template, source: RowSource, store: RowStore | None, how: MapOptions
    ) -> None:
        self.template = template
        self._context, self._store, self._budget = context, store, context.endpoint.retry.budget
        self._loader = RowLoader(context, template, source, None if how.fresh else store)
        show = how.progress if callable(how.progress) else None if how.progress is False else progress_bar()
        self._show, self._on_row = SafeCallback(show, _CALLBACK_FAILED), SafeCallback(how.on_row, _CALLBACK_FAILED)
        self._limiter = AimdLimiter(how.concurrency, monotonic, random.random)
        self._scheduler = Scheduler(self._limiter, self._ask)
        self._began, self._counted = monotonic(), Progress(total=source.total)
        self._failures = SystemicFailureDetector()

    async def __call__(self, table: MapResult) -> None:
        """Ask all rows of a table and fill it with what comes."""
        loop = asyncio.get_running_loop()
        self._table = table
        table.lifecycle.on_stop(lambda: loop.call_soon_threadsafe(self._scheduler.stop))
        try:
            if self._store is not None:
                await self._store.open()
            await self._run()
        except NbGeminiError as error:  # the store can't be opened
            self._stop_all(error)
        finally:
            await self._close()

    async def _run(self) -> None:
        beside = [asyncio.ensure_future(self._load()), asyncio.ensure_future(self._report_often())]
        try:
            await self._scheduler.run()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _close(self) -> None:
        """Mark what was not asked to its end, and close the store."""
        if self._scheduler.stopped:
            await self._loader.add_rest(self._table)
        for row in self._table.so_far:
            if row.state in ("waiting", "running"):
                row.state = "interrupted"
                self._counted = count_row(self._counted, row)
        if self._store is not None:
            await self._store.aclose()
        self._report(over=True)

    async def _load(self) -> None:
        """Load the rows, never many more than are asked."""
        try:
            while (loaded := await self._loader.load(self._table)) is not None:
                for row in loaded.stored:
                    self._count(row)
                for row, error in loaded.refused:
                    self._fail(row, error)
                await self._scheduler.add(loaded.pending)
        except NbGeminiError as error:
            self._stop_all(error)
        except Exception as error:  # noqa: BLE001 - an iterator is anybody's code
            words = f"the rows broke off, {type(error).__name__}: {error}; those before are done"
            self._table.so_far.error = PromptError(words)
        finally:
            self._scheduler.complete()

    async def _ask(self, item: PendingRow) -> None:
        began, item.row.state = monotonic(), "running"
        try:
            reply = item.reply = self._context.begin(item)
            if self._scheduler.stopped:
                reply.stop()
            await self._context.chat.drive(reply)
            await self._act(item, reply, began)
        except NbGeminiError as error:
            self._fail(item.row, error)
        except Exception as error:  # noqa: BLE001 - it is one row's, and the others go on
            _log.exception("a row of a map failed")
            self._fail(item.row, NbGeminiError(f"unexpected {type(error).__name__}: {error}"))

    async def _act(self, item: PendingRow, reply: Reply, began: float) -> None:
        """Do what a reply means for its row, and for all."""
        match RowDone() if self._scheduler.stopped else row_outcome(reply, item, monotonic()):
            case RetryAfter(seconds) if item.attempts.take():
                self._scheduler.put_back(item, seconds)
            case BackOff(retry_after):
                self._back_off(item, began, retry_after)
            case StopAll(error):
                await self._settle(item, reply)
                self._stop_all(error)
            case _:
                await self._settle(item, reply)

    def _back_off(self, item: PendingRow, began: float, retry_after: float | None) -> None:
        """Let all rows wait, and this one be the next."""
        if item.limited_since is None:
            item.limited_since = began
        self._limiter.limited(began, retry_after)
        if self._budget.spend():
            item.paid += 1
        else:
            self._limiter.drop_to_one()  # no storm: one after the other until answers fill the budget again
        self._scheduler.put_back(item)

    async def _settle(self, item: PendingRow, reply: Reply) -> None:
        """Fill a row that is over; it counts once it is on disk."""
        fill_row(item.row, reply)
        answer = answer_to_store(item.row, reply)
        if answer is not None and self._store is not None:
            try:
                await self._store.keep(item.key, answer)
            except NbGeminiError as error:
                self._stop_all(error)
        item.row.state = reply.state if reply.state != "waiting" else "interrupted"
        if self._context.log is not None:
            self._context.log.follow(reply)  # one for a row, however often it was sent
        if item.row.answered:
            self._failures.succeeded()
            self._limiter.succeeded()
            item.attempts.succeeded()
            if item.paid:
                self._budget.refund(item.paid)
        elif reply.error is not None and self._failures.detects(reply.error):
            self._stop_all(reply.error)
        self._count(item.row)

    def _fail(self, row: MapRow, error: NbGeminiError) -> None:
        """Fail a row that could not be asked."""
        row.state, row.error = "failed", str(error)
        if not isinstance(error, MissingError) and (self._failures.detects(error) or concerns_all(error)):
            self._stop_all(error)
        self._count(row)

    def _stop_all(self, error: NbGeminiError) -> None:
        """Stop for an error that concerns all rows."""
        if self._table.so_far.error is None:
            self._table.so_far.error = error
        self._table.lifecycle.stopping = True
        self._scheduler.stop()

    def _count(self, row: MapRow) -> None:
        self._counted = count_row(self._counted, row)
        if row.state != "interrupted":
            self._on_row(row)

    async def _report_often(self) -> None:
        while True:
            self._report(over=False)
            await asyncio.sleep(_REPORT_EVERY)

    def _report(self, *, over: bool) -> None:
        counted = self._counted
        self._table.progress = structs.replace(
            counted,
            total=counted.done + counted.failed + counted.interrupted if over else counted.total,
            running=self._scheduler.running,
            seconds=monotonic() - self._began,
            places=self._limiter.places,
            wait=self._limiter.wait,
            over=over,
        )
        self._show(self._table.progress)
