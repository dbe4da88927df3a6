"""`%gemini map`: one prompt for each row of a table, thousands at once."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nbgemini.notebook.api_key import find_key
from nbgemini.notebook.kernel.environment import kernel_of
from nbgemini.notebook.magics.map_options import OUT, MapArgs, add_column, check_into, only_first, rows_named, without_column

if TYPE_CHECKING:
    from nbgemini.bulk.table import MapResult
    from nbgemini.messages.turns import Schema
    from nbgemini.notebook.display.map_progress import MapView
    from nbgemini.notebook.jobs import MapJob
    from nbgemini.notebook.session import Session


async def map_(session: Session, args: MapArgs) -> None:
    """Start a map, and wait for it where the cell waits.

    Raises:
        NbGeminiError: nothing was sent, or a fault of all rows left no answer.
    """
    from nbgemini.chat.structured_output import schema_for  # noqa: PLC0415 - with the session

    rows = rows_named(session.shell.user_ns, args.name)
    check_into(rows, args)
    schema = await schema_for(session.named_schema(args.prompt))
    await find_key(session, args.prompt)
    job = _create_job(session, args, rows, schema)
    task = session.jobs.start(job)
    if _waits(session, args):
        await _until(session, task, job.table)


def _create_job(session: Session, args: MapArgs, rows: Any, schema: Schema | None) -> MapJob:
    """Return the job of a map, not started yet; `_gemini_map` and the name after -o hold its rows.

    Raises:
        NbGeminiError: nothing was sent.
    """
    from nbgemini.notebook.jobs import MapJob  # noqa: PLC0415

    client, view = session.client, _view(session, args)
    options = session.options.resolve(args.prompt, client.one_shot().options) | {"schema": schema, "format": "markdown"}
    create = partial(client.map, concurrency=args.concurrency, fresh=args.fresh, store=_store(session), progress=view.tell)
    asked = only_first(without_column(rows, args.into), args.first)
    table = view.table = create(args.template, asked, **options)
    session.usage.follow(table, lambda: (table.progress.usage, table.progress.cost or 0.0))
    session.shell.user_ns[OUT] = table
    if args.prompt.out:
        session.bind(args.prompt.out, table)
    view.note = f"in {args.prompt.out or OUT}"
    return MapJob(table, view, session.cell_key(), partial(_finish, view, table, args.into, rows))


def _finish(view: MapView, table: MapResult, into: str | None, rows: Any) -> None:
    """Add the answers to the DataFrame as a column, if --into names one."""
    if into is None:
        return
    try:
        add_column(rows, into, table.answers)
        view.note += f" and in the column {into!r}"
    except Exception as error:  # noqa: BLE001 - the table may have changed since
        view.note += f" · not in {into!r}: {' '.join(str(error).split())[:200]}"


def _view(session: Session, args: MapArgs) -> MapView:
    from nbgemini.notebook.display.map_progress import PageView, PrintedView  # noqa: PLC0415

    if kernel_of(session.shell) is None:
        from nbgemini.bulk.progress import progress_bar  # noqa: PLC0415

        return PrintedView(progress_bar())
    route, painting = session.views.canvas(args.prompt)
    badge = "offline service" if session.answering == "offline" else ""
    return PageView(session.shell, route, painting, badge, cell_fails=_waits(session, args))


def _waits(session: Session, args: MapArgs) -> bool:
    """Whether the cell waits; in a terminal the loop runs no longer than the cell."""
    return session.views.waits(args.prompt) or kernel_of(session.shell) is None


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
        raise Interrupted("stopped; the finished rows are kept, and running the line again continues") from None
    finally:
        if terminal:
            await session.client.aclose()  # its loop may not run again
    if table.so_far.error is not None and fails(table):
        raise table.so_far.error


def _store(session: Session) -> Path | None:
    """Return where answers are stored: those of the offline service only until the kernel ends."""
    return Path(_temporary().name) / "maps.sqlite3" if session.answering == "offline" else None


@cache
def _temporary() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="nbgemini-maps-")
