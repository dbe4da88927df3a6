"""%gemini map: one prompt for each row of a table, thousands at once."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from nbgemini.notebook.api_key import find_key
from nbgemini.notebook.kernel.environment import kernel_of
from nbgemini.notebook.magics.map_options import (
    OUT,
    MapAsk,
    check_into,
    only_first,
    parse_map,
    put_into,
    rows_named,
    without_answers,
)

if TYPE_CHECKING:
    from nbgemini.bulk.table import MapResult
    from nbgemini.messages.turns import Schema
    from nbgemini.notebook.display.map_progress import MapView
    from nbgemini.notebook.jobs import MapJob
    from nbgemini.notebook.session import Session


async def map_(session: Session, rest: str) -> None:
    """Ask one prompt for each row: map [options] NAME TEMPLATE…; NAME is a DataFrame, list or column, {column} its value."""
    from nbgemini.chat.structured_output import schema_for  # noqa: PLC0415 - with the session

    if not rest.strip() or rest.strip() == "?":
        from nbgemini.notebook.magics.map_help import manual  # noqa: PLC0415

        sys.stdout.write(manual())
        return
    said = parse_map(rest)
    rows = rows_named(session.shell.user_ns, said.name)
    check_into(rows, said.name, said.into)
    asked = without_answers(rows, said.template, said.into)
    schema = await schema_for(session.named_schema(said.ask))
    await find_key(session, said.ask)
    job = _begun(session, said, rows, asked, schema)
    task = session.jobs.start(job)
    if _waits(session, said):
        await _until(session, task, job.table)


def _begun(session: Session, said: MapAsk, rows: Any, asked: Any, schema: Schema | None) -> MapJob:
    """Return the job of a map of `asked`, not started yet; `_gemini_map` and the name after -o hold its rows.

    Raises:
        NbGeminiError: nothing was sent.
    """
    from nbgemini.notebook.jobs import Bill, MapJob  # noqa: PLC0415

    client, view = session.client, _view(session, said)
    chat = client.one_shot()
    options = {**session.changes(said.ask, chat), "schema": schema, "format": "markdown"}
    ask = partial(client.map, concurrency=said.concurrency, fresh=said.fresh, store=_store(session), progress=view.tell)
    table = view.table = ask(said.template, only_first(asked, said.first), **options)
    session.spending.follow(cast("Any", Bill(table)))
    session.shell.user_ns[OUT] = table
    if said.ask.out:
        session.bind(said.ask.out, table)
    view.note = f"in {said.ask.out or OUT}"
    return MapJob(chat, table, view, session.cell_key(), partial(_finish, view, table, said.into, rows))


def _finish(view: MapView, table: MapResult, into: str | None, rows: Any) -> None:
    """Add the answers to the table that was gone through."""
    if into is None:
        return
    try:
        put_into(rows, into, table.answers)
        view.note += f" and in the column {into!r}"
    except Exception as error:  # noqa: BLE001 - the table may have changed since
        view.note += f" · not in {into!r}: {' '.join(str(error).split())[:200]}"


def _view(session: Session, said: MapAsk) -> MapView:
    from nbgemini.notebook.display.map_progress import PageView, PrintedView  # noqa: PLC0415

    if kernel_of(session.shell) is None:
        from nbgemini.bulk.progress_bar import bar  # noqa: PLC0415

        return PrintedView(bar())
    route, painting = session.canvas(said.ask)
    badge = "offline service" if session.answering == "offline" else ""
    return PageView(session.shell, route, painting, badge, cell_fails=_waits(session, said))


def _waits(session: Session, said: MapAsk) -> bool:
    """Whether the cell waits; in a terminal the loop runs no longer than the cell."""
    return session.waits(said.ask) or kernel_of(session.shell) is None


async def _until(session: Session, task: asyncio.Task[None], table: MapResult) -> None:
    """Wait for all rows; an interrupt of the cell stops the map and keeps what is done."""
    from nbgemini.notebook.display.map_progress import fails  # noqa: PLC0415
    from nbgemini.notebook.kernel.interrupts import PATIENCE, Interrupted, ctrl_c_stops  # noqa: PLC0415

    terminal = kernel_of(session.shell) is None
    try:
        with ctrl_c_stops(table) if terminal else nullcontext():
            await asyncio.wait([task])
    except asyncio.CancelledError:
        table.stop()
        await asyncio.wait([task], timeout=PATIENCE)
        raise Interrupted("stopped; what is done is kept, and the same line goes on") from None
    finally:
        if terminal:
            await session.client.aclose()  # its loop may not run again
    if table.so_far.error is not None and fails(table):
        raise table.so_far.error


def _store(session: Session) -> Path | None:
    """Return where rows are kept: those of the offline service only as long as this kernel lives."""
    return Path(_passing().name) / "maps.sqlite3" if session.answering == "offline" else None


@cache
def _passing() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="nbgemini-maps-")
