"""Thousands of prompts as one batch, by Google's Batch API: half the price, an answer within a day, and a kernel that may end.

Invariants: a batch is submitted once, never again by itself; what came of a row is read as every answer is, and a row's trouble
is its own; waiting may be stopped at any time, the batch goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Self

from msgspec import Struct, structs

from nbgemini._async.scheduler import FairScheduler
from nbgemini.bulk.progress import Progress
from nbgemini.bulk.rows import RowSource, fill_row
from nbgemini.bulk.table import MapResult, MapRow, count_row
from nbgemini.bulk.template import Template
from nbgemini.chat.endpoint import Endpoint
from nbgemini.chat.rounds import reply_of
from nbgemini.chat.services import ServiceRegistry
from nbgemini.chat.structured_output import schema_for
from nbgemini.chat.uploads import REQUEST_BYTES, FileUploader
from nbgemini.errors import ApiError, ConfigurationError, NbGeminiError, PromptError, TransportError, WireError
from nbgemini.messages.attachments import LARGEST_BYTES, Attachment
from nbgemini.messages.media import size_text
from nbgemini.messages.turns import Options, Turn, user_turn
from nbgemini.prices import Prices
from nbgemini.providers.gemini import batch as codec
from nbgemini.providers.gemini.batch import Answered, BatchState, Status
from nbgemini.services import split_model
from nbgemini.transport.request import Request

_SHARE = 0.5  # of the price of the same request at once; ai.google.dev/gemini-api/docs/batch-api, 2026-11-21
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 2.0, 60.0, 1.5  # seconds between two looks


class BatchContext(Struct, frozen=True):
    """How batches are spoken of: by which way, in which version of the API, with which options their answers were asked for.

    `guard` raises PromptError for what must not leave.
    """

    endpoint: Endpoint
    version: str
    options: Options
    prices: Prices
    guard: Callable[[Turn, str | None], None]


class Batch:
    """One batch of Google's Batch API.

    Attributes:
        status: its status when it was last checked.
    """

    def __init__(self, context: BatchContext, status: Status, rows: Sequence[Any] | None = None) -> None:
        self.status = status
        self._context = context
        self._rows = rows

    @property
    def name(self) -> str:
        """Name of the batch, `batches/…`; keep it for `client.batch_named`, which finds the batch on another day."""
        return self.status.name

    @property
    def state(self) -> BatchState:
        """`waiting` or `running`, then one of `complete`, `failed`, `cancelled`, `expired`; as of the last check."""
        return self.status.state

    @property
    def error(self) -> ApiError | None:
        """Why the whole batch failed; None otherwise."""
        return self.status.error

    async def refresh(self) -> Self:
        """Check the status."""
        request = codec.status_request(self._context.version, self.name)
        self.status = await _read_status(await self._context.endpoint.fetch(request))
        return self

    async def wait(self, every: float | None = None) -> Self:
        """Wait until the batch has ended; cancelling this does not cancel the batch.

        Args:
            every: seconds between two checks; by default they grow from 2 to 60.
        """
        pause = every or _FIRST_PAUSE
        while not (await self.refresh()).status.over:
            await self._context.endpoint.retry.sleep(pause)
            pause = every or min(pause * _GROWTH, _LONGEST_PAUSE)
        return self

    async def cancel(self) -> Self:
        """Cancel the batch; rows that are answered by then are kept, and paid for."""
        await self._context.endpoint.fetch(codec.status_request(self._context.version, self.name, "cancel"))
        return await self.refresh()

    async def results(self) -> MapResult:
        """Wait for the end and return the rows, as `client.map` does, at half the price.

        Raises:
            NbGeminiError: the batch ended without any answer.
        """
        if not (self.status.over and (self.status.answers or self.status.file)):
            await self.wait()
        answers = await self._answers()
        if not answers and self.state != "complete":
            raise self.error or NbGeminiError(f"{self.name} was {self.state} before any row had its answer; submit it again")
        return await MapResult(partial(self._fill_all, answers), codec.total_of(answers, self._count()))

    async def _answers(self) -> Sequence[Answered]:
        """Return what came, from the answer itself or from the file that it names."""
        if not self.status.file:
            return self.status.answers
        endpoint, files = self._context.endpoint, self._context.endpoint.uploads
        if not isinstance(files, FileUploader) or not self.status.file.startswith("files/"):
            raise WireError(f"the service names an invalid file of answers, {self.status.file[:80]!r} → ask again")
        path = f"{self._context.version}/{self.status.file}:download?alt=media"
        lines = (await endpoint.persist(lambda: files.caller.call("GET", path))).body
        return await asyncio.to_thread(codec.answers_in, lines)

    def _count(self) -> int:
        return len(self._rows) if self._rows is not None else self.status.total

    async def _fill_all(self, answers: Sequence[Answered], table: MapResult) -> None:
        """Read row after row, the loop staying alive."""
        scheduler, total, given = FairScheduler.here(), codec.total_of(answers, self._count()), self._rows or ()
        progress = Progress(total=total, over=True)
        for number, answer in enumerate(codec.by_row(answers, total)):
            await scheduler.turn()
            row = table.so_far.add(given[number] if number < len(given) else None)
            self._fill(row, answer)
            progress = count_row(progress, row)
        table.progress = progress

    def _fill(self, row: MapRow, answer: Answered | None) -> None:
        """Read what came of a row as every answer is read."""

        def frame() -> bytes:
            if answer is None:
                raise WireError("no answer came for this row → submit it again")
            if answer.error:
                raise answer.error
            return answer.frame

        options = structs.replace(self._context.options, model=self._context.options.model or self.status.model)
        reply = reply_of(frame, options, self._context.endpoint, self._context.prices)
        fill_row(row, reply)
        row.state, row.seconds = reply.state, 0.0
        row.cost = None if row.cost is None else row.cost * _SHARE

    def __repr__(self) -> str:
        status = self.status
        rows = f", {status.done + status.failed:,} of {self._count():,} rows" if self._count() else ""
        return f"<Batch {self.name} {self.state}{rows}>"


async def batch_context(services: ServiceRegistry, options: dict[str, Any]) -> BatchContext:
    """Return how batches are spoken of by a client's services; PromptError if the model is another service's."""
    settings = services.settings
    schema, model = await schema_for(options.get("schema")), options.get("model") or settings.model
    service, bare = split_model(model)
    if service != "gemini":
        raise PromptError(f"batches work only with Gemini; client.map asks {service}'s models")
    asked = Options(model=bare).changed({**options, "schema": schema, "model": bare})
    return BatchContext(services.endpoint(model), settings.version, asked, settings.prices, services.guard)


async def batches(context: BatchContext) -> list[Batch]:
    """Return all batches that the service knows, the latest first."""
    found: list[Status] = []
    page = ""
    while True:
        some, page = codec.statuses_of(await context.endpoint.fetch(codec.batches_request(context.version, page)))
        found += some
        if not page:
            return [Batch(context, status) for status in found]


async def batch_named(context: BatchContext, name: str, rows: Sequence[Any] | None) -> Batch:
    """Return the batch of this name; PromptError if none can be called so, ApiError if there is none."""
    frame = await context.endpoint.fetch(codec.status_request(context.version, name))
    return Batch(context, await _read_status(frame), rows)


async def _read_status(frame: bytes) -> Status:
    """Read how a batch stands in a thread: the answers of all rows may stand there too."""
    return await asyncio.to_thread(codec.status_of, frame)


async def submit_batch(context: BatchContext, template: str, rows: Any, title: str) -> Batch:
    """Submit one batch and return it.

    Raises:
        PromptError: these are no rows, a prompt can't be made or holds a key, or the model does not take an option.
        TransportError: nobody knows whether the batch was taken.
        ApiError: it was not.
    """
    context.endpoint.codec.encode([user_turn("?")], context.options)
    source = RowSource(rows)
    form = Template(template, source.doubled)
    given: list[Any] = []
    bodies: list[Mapping[str, Any]] = []
    scheduler = FairScheduler.here()
    while some := await source.some():
        for row in some:
            await scheduler.turn()
            given.append(row)
            bodies.append(await _request_body(context, form, row, len(bodies)))
    if not given:
        raise PromptError("there are no rows; no batch was submitted")
    request = await _request(context, bodies, title or f"{len(given):,} rows")
    try:
        status = codec.status_of(await context.endpoint.without_retries().fetch(request))  # what must not be done twice
    except TransportError as error:
        error.args = (f"{error}; it is not known whether the batch was submitted → await client.batches()",)
        raise
    return Batch(context, status, given)


async def _request_body(context: BatchContext, form: Template, row: Any, number: int) -> Mapping[str, Any]:
    """Return what is asked for one row; large files go ahead of it."""
    try:
        turn = await form.turn(row)
        _refuse_empty(turn)
        context.guard(turn, context.options.system)
    except PromptError as error:
        raise PromptError(f"row {number}: {error}; no batch was submitted") from None
    async with aclosing(context.endpoint.uploads.prepared([turn])) as steps:
        turns = [turn async for step in steps if isinstance(step, list) for turn in step]
    return context.endpoint.codec.encode(turns, context.options).body or {}


def _refuse_empty(turn: Turn) -> None:
    if not any(part.get("text", "x").strip() for part in turn.parts):
        raise PromptError("its prompt is empty")


async def _request(context: BatchContext, bodies: list[Mapping[str, Any]], title: str) -> Request:
    """Return the request that submits them, the file of lines uploaded if there must be one."""
    version, model = context.version, context.options.model
    lines = await asyncio.to_thread(lambda: b"".join(codec.line_of(number, body) for number, body in enumerate(bodies)))
    if len(lines) <= REQUEST_BYTES:
        return codec.inline_request(version, model, bodies, title)
    files = context.endpoint.uploads
    if len(lines) > LARGEST_BYTES:
        raise PromptError(f"a batch holds up to 2 GB, these rows are {size_text(len(lines))}; submit them in parts")
    if not isinstance(files, FileUploader):
        raise ConfigurationError("rows this large must be uploaded, and this service can't store files")
    digest = await asyncio.to_thread(lambda: hashlib.sha256(lines).hexdigest())
    uploaded = await files.upload(Attachment(digest, title, codec.JSONL, len(lines), lines))
    return codec.file_request(version, model, uploaded, title)
