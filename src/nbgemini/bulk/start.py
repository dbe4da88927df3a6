"""A call becomes a table that can be awaited: what is wrong with it is told before anything is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from nbgemini._storage.sqlite import default_path
from nbgemini.bulk.map import MapRun, Plan
from nbgemini.bulk.progress import Progress
from nbgemini.bulk.progress_bar import bar
from nbgemini.bulk.rows import Manner
from nbgemini.bulk.sources import RowSource
from nbgemini.bulk.store import RowStore
from nbgemini.bulk.table import Mapped, Row
from nbgemini.bulk.template import Template
from nbgemini.errors import PromptError


class How(Struct, frozen=True, kw_only=True):
    """How a map goes; see `Client.map`. Without a `store` (False) nothing is kept."""

    concurrency: int = 20
    store: str | Path | Literal[False] | None = None
    fresh: bool = False
    progress: Callable[[Progress], object] | bool | None = None
    on_row: Callable[[Row], object] | None = None


def planned(manner: Manner, template: str, rows: Any, how: How) -> Mapped:
    """Return the table of a map, which asks once it is awaited or started.

    Raises:
        PromptError: these are no rows, or an option means nothing.
    """
    if how.concurrency < 1:
        raise PromptError(f"at least one row is asked at a time, not {how.concurrency}")
    manner.check()
    source = RowSource(rows)
    plan = Plan(
        manner=manner,
        template=Template(template, source.doubled),
        source=source,
        concurrency=how.concurrency,
        store=_store(how.store),
        fresh=how.fresh,
        tell=how.progress if callable(how.progress) else None if how.progress is False else bar(),
        on_row=how.on_row,
    )
    remarks = [said for name, said in source.remarks.items() if plan.template.speaks_of(name)]
    return Mapped(MapRun(plan), source.total, source.labels, "; ".join(remarks))


def _store(where: str | Path | Literal[False] | None) -> RowStore | None:
    return None if where is False else RowStore(Path(where).expanduser() if where else default_path("maps.sqlite3"))
