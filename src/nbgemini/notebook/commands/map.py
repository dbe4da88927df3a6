"""`%gemini map`: one prompt for each row of a table, thousands at once."""

from __future__ import annotations

import asyncio
import itertools
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nbgemini.bulk.rows import RowSource
from nbgemini.bulk.template import Template
from nbgemini.errors import PromptError
from nbgemini.notebook.kernel.environment import kernel_of
from nbgemini.notebook.options import LAST_MAP, MapArgs
from nbgemini.notebook.prompt.lookup import rows_named
from nbgemini.prompts.tables import may_be_table, package_of

if TYPE_CHECKING:
    from nbgemini.bulk.table import MapResult
    from nbgemini.messages.turns import Schema
    from nbgemini.notebook.display.map_progress import MapView
    from nbgemini.notebook.jobs import MapJob
    from nbgemini.notebook.session import Session


async def start_map(session: Session, args: MapArgs) -> None:
    """Start a map, and wait for it where the cell waits.

    Raises:
        NbGeminiError: nothing was sent, or a fault of all rows left no answer.
    """
    from nbgemini.chat.structured_output import schema_for  # noqa: PLC0415 - with the session

    rows = rows_named(session.shell.user_ns, args.name)
    _check_into(rows, args)
    schema = await schema_for(session.named_schema(args.prompt))
    await session.find_key(args.prompt)
    job = _create_job(session, args, rows, schema)
    task = session.jobs.start(job)
    if _waits(session, args):
        await _until(session, task, job.table)


def _create_job(session: Session, args: MapArgs, rows: Any, schema: Schema | None) -> MapJob:
    """Return the job of a map, not started yet; `_gemini_map` and the name after -o hold its rows."""
    from nbgemini.notebook.jobs import MapJob  # noqa: PLC0415

    client, view = session.client, _view(session, args)
    options = session.options.resolve(args.prompt, client.one_shot().options) | {"schema": schema, "format": "markdown"}
    create = partial(client.map, concurrency=args.concurrency, fresh=args.fresh, store=_store(session), progress=view.tell)
    added_before = args.into is not None and args.into in rows.columns  # by an earlier run
    asked = _only_first(rows.drop(columns=[args.into]) if added_before else rows, args.first)
    table = view.table = create(args.template, asked, **options)
    session.usage.follow(table, lambda: (table.progress.usage, table.progress.cost or 0.0))
    session.shell.user_ns[LAST_MAP] = table
    if args.prompt.out:
        session.bind(args.prompt.out, table)
    view.note = f"in {args.prompt.out or LAST_MAP}"
    return MapJob(table, view, session.cell_key(), partial(_finish, view, table, args.into, rows))


def _finish(view: MapView, table: MapResult, into: str | None, rows: Any) -> None:
    """Add the answers to the DataFrame as a column, if --into names one."""
    if into is None:
        return
    try:
        former = rows[into].tolist() if into in rows.columns else [None] * len(rows)
        rows[into] = table.answers + former[len(table.answers) :]  # rows that were not asked keep what they had, or get None
        view.note += f" and in the column {into!r}"
    except Exception as error:  # noqa: BLE001 - the table may have changed since
        view.note += f" · not in {into!r}: {' '.join(str(error).split())[:200]}"


def _view(session: Session, args: MapArgs) -> MapView:
    from nbgemini.notebook.display.map_progress import PageView, PrintedView  # noqa: PLC0415

    if kernel_of(session.shell) is None:
        from nbgemini.bulk.progress_bar import progress_bar  # noqa: PLC0415

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
    from nbgemini.notebook.kernel.interrupts import wait_for_end  # noqa: PLC0415

    outcome = "stopped; the finished rows are kept, and running the line again continues"
    try:
        await wait_for_end(session.shell, task, table, outcome)
    finally:
        if kernel_of(session.shell) is None:
            await session.client.aclose()  # its loop may not run again
    if table.so_far.error is not None and fails(table):
        raise table.so_far.error


def _store(session: Session) -> Path | None:
    """Return where answers are stored: those of the offline service only until the kernel ends."""
    return Path(_temporary().name) / "maps.sqlite3" if session.answering == "offline" else None


@cache
def _temporary() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="nbgemini-maps-")


def _only_first(rows: Any, many: int | None) -> Any:
    """Return the first so many rows, or all."""
    if many is None:
        return rows
    if hasattr(type(rows), "iloc"):
        return rows.head(many)
    if isinstance(rows, list | tuple):
        return rows[:many]
    return list(itertools.islice(RowSource(rows).rest() if may_be_table(rows) else rows, many))


def _check_into(rows: Any, args: MapArgs) -> None:
    """Check that the answers can become a column."""
    if args.into is None:
        return
    if not (hasattr(type(rows), "iloc") and hasattr(type(rows), "columns")):
        kind = f"{package_of(rows)}.{type(rows).__name__}" if may_be_table(rows) else type(rows).__name__
        where = f"the answers are in {LAST_MAP}.answers"
        raise PromptError(f"--into adds a column to a pandas DataFrame, and {args.name} is a {kind}; {where}")
    if Template(args.template).names(args.into):
        raise PromptError(f"--into {args.into} would overwrite the column that the template reads; name another one")
