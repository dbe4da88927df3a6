"""Rows become one batch of Google's: inside one request, or as a file of lines where they are too many for that."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from nbgemini.batch import Batch, Manner
from nbgemini.errors import ConfigurationError, PromptError, TransportError
from nbgemini.fetching import fetch
from nbgemini.files import REQUEST_BYTES, Files
from nbgemini.holding import LARGEST_BYTES, Held
from nbgemini.mapping.source import RowSource
from nbgemini.mapping.template import Template
from nbgemini.media import size_text
from nbgemini.pace import Pace
from nbgemini.providers import gemini_batch as codec
from nbgemini.request import Request
from nbgemini.turns import Turn, user_turn


async def submit(manner: Manner, template: str, rows: Any, title: str) -> Batch:
    """Submit one batch and return it.

    Raises:
        PromptError: these are no rows, a prompt can't be made or holds a key, or the model does not take an option.
        TransportError: nobody knows whether the batch was taken.
        ApiError: it was not.
    """
    _check(manner)
    source = RowSource(rows)
    form = Template(template, source.doubled)
    given: list[Any] = []
    bodies: list[Mapping[str, Any]] = []
    pace = Pace.here()
    while some := await source.some():
        for row in some:
            await pace.ready()
            given.append(row)
            bodies.append(await _body(manner, form, row, len(bodies)))
    if not given:
        raise PromptError("there are no rows; no batch was submitted")
    request = await _request(manner, bodies, title or f"{len(given):,} rows")
    return Batch(manner, codec.status_of(await _once(manner, request)), given)


def _check(manner: Manner) -> None:
    if manner.options.tools:
        raise PromptError("a batch offers the model no tools; %%gemini -t and client.chat do")
    manner.sending.provider.encode([user_turn("?")], manner.options)


async def _body(manner: Manner, form: Template, row: Any, number: int) -> Mapping[str, Any]:
    """Return what is asked for one row; large files go ahead of it."""
    try:
        turn = await form.turn(row)
        _refuse_empty(turn)
        manner.guard(turn, manner.options.system)
    except PromptError as error:
        raise PromptError(f"row {number}: {error}; no batch was submitted") from None
    shipment = manner.sending.files.shipment([turn])
    async with aclosing(shipment.progress()) as notices:
        async for _ in notices:
            pass
    return manner.sending.provider.encode(shipment.turns, manner.options).body or {}


def _refuse_empty(turn: Turn) -> None:
    if not any(part.get("text", "x").strip() for part in turn.parts):
        raise PromptError("its prompt is empty")


async def _request(manner: Manner, bodies: list[Mapping[str, Any]], title: str) -> Request:
    """Return the request that submits them, the file of lines uploaded if there must be one."""
    version, model = manner.version, manner.options.model
    lines = await asyncio.to_thread(lambda: b"".join(codec.line_of(number, body) for number, body in enumerate(bodies)))
    if len(lines) <= REQUEST_BYTES:
        return codec.inline_request(version, model, bodies, title)
    return codec.file_request(version, model, await _uploaded(manner, lines, title), title)


async def _uploaded(manner: Manner, lines: bytes, title: str) -> str:
    files = manner.sending.files
    if len(lines) > LARGEST_BYTES:
        raise PromptError(f"a batch holds up to 2 GB, these rows are {size_text(len(lines))}; submit them in parts")
    if not isinstance(files, Files):
        raise ConfigurationError("rows this large are uploaded first, which this service has no place for")
    digest = await asyncio.to_thread(lambda: hashlib.sha256(lines).hexdigest())
    return await files.upload(Held(digest, title, codec.JSONL, len(lines), lines))


async def _once(manner: Manner, request: Request) -> bytes:
    """Send what must not be done twice."""
    try:
        return await fetch(manner.sending.once(), request)
    except TransportError as error:
        error.args = (f"{error}; whether the batch was taken nobody knows → await client.batches()",)
        raise
