"""A DataFrame or a Series as a Markdown table, bounded in rows and columns; pandas is not imported."""

from __future__ import annotations

import math
from typing import Any

from nbgemini.tool_tables import package_of

ROWS, COLUMNS = 50, 30
_CELL = 200  # characters


def markdown_table(value: Any) -> str | None:
    """Return a table of pandas, and under it what was left out; None for anything else."""
    kinds = {kind.__name__ for kind in type(value).__mro__} if package_of(value) == "pandas" else set()
    if "Series" in kinds:
        value = value.to_frame("value" if value.name is None else value.name)
    elif "DataFrame" not in kinds:
        return None
    (rows, columns), shown = value.shape, value.iloc[:ROWS, :COLUMNS]
    numbered = type(shown.index).__name__ == "RangeIndex"
    head = [*([] if numbered else [_index_name(shown.index)]), *(_cell(name) for name in shown.columns)]
    body = [
        [*([] if numbered else [_cell(label)]), *map(_cell, row)]
        for label, row in zip(shown.index, shown.itertuples(index=False, name=None), strict=True)
    ]
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, body)]
    left_out = _left_out(rows, columns)
    return "\n".join(lines) + (f"\n\n({left_out})" if left_out else "")


def _left_out(rows: int, columns: int) -> str:
    sides = ((ROWS, rows, "rows"), (COLUMNS, columns, "columns"))
    return ", ".join(f"first {limit} of {count:,} {what}" for limit, count, what in sides if count > limit)


def _index_name(index: Any) -> str:
    return _cell(" / ".join(str(name) for name in index.names if name is not None))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        words = "NaN" if math.isnan(value) else f"{value:.10g}"
    elif isinstance(value, tuple):
        words = " / ".join(map(str, value))
    else:
        words = str(value)
    words = " ".join(words[: _CELL + 1].split())
    return (words if len(words) <= _CELL else f"{words[: _CELL - 1]}…").replace("|", "\\|")
