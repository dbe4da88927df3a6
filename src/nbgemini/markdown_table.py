"""A table or a column as a Markdown table, bounded in rows, columns and cells, exact in what it shows."""

from __future__ import annotations

import math
from typing import Any

from nbgemini.tables import Table, table_of

ROWS, COLUMNS = 50, 30
_CELL = 200  # characters
_EXACT_DIGITS = 1e22  # up to here a whole double is written in its own digits, without an exponent


def markdown_table(value: Any) -> str | None:
    """Return a table, and under it what was left out; None for anything else."""
    table = table_of(value)
    return None if table is None else told_table(table)


def told_table(table: Table) -> str:
    """Return the first rows of a table, and under it what was left out."""
    if not table.names:
        return f"(a table of {table.count or 0:,} rows and no columns)"
    wide, body = len(table.names), _body(table)
    head = [*([_cell(table.label_name)] if table.labels else []), *(_cell(name) for name in table.names[:COLUMNS])]
    lines = [_row(head), _row(["---"] * len(head)), *(_row([_cell(value) for value in row]) for row in body)]
    notes = [*_left_out(table.count, len(body), wide), *_remarks(head, body), *filter(None, [table.remark])]
    return "\n".join(lines) + (f"\n\n({', '.join(notes)})" if notes else "")


def number_text(value: float) -> str:
    """Return a float in digits that read as the same float; what is whole, as an id may be, without an exponent."""
    if math.isnan(value):
        return "NaN"
    return f"{value:.1f}" if abs(value) < _EXACT_DIGITS and value == int(value) else repr(float(value))


def _body(table: Table) -> list[tuple[Any, ...]]:
    rows = list(table.read(ROWS, COLUMNS))
    if table.labels is None:
        return rows
    return [(label, *row) for label, row in zip(table.labels(ROWS), rows, strict=True)]


def _left_out(count: int | None, shown: int, wide: int) -> list[str]:
    notes = [f"first {COLUMNS} of {wide:,} columns"] if wide > COLUMNS else []
    if count is None and shown >= ROWS:
        return [f"first {ROWS} rows; how many there are was not counted", *notes]
    if count == 0 or not shown:
        return ["no rows", *notes]
    return [*([f"first {shown} of {count:,} rows"] if count and count > shown else []), *notes]


def _remarks(head: list[str], body: list[tuple[Any, ...]]) -> list[str]:
    cut = any(len(_words(value)) > _CELL for row in body for value in row) or any(cell.endswith("…") for cell in head)
    return [f"cells end with … after {_CELL} characters"] if cut else []


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _words(value: Any) -> str:
    if isinstance(value, float):
        return number_text(value)
    return " / ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _cell(value: Any) -> str:
    words = _words(value)
    words = words if len(words) <= _CELL else f"{words[: _CELL - 1]}…"
    return words.replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>").replace("\r", "<br>")
