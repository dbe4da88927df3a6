"""Tables, arrays and records in Python's own containers, with a note on what was left out.

NumPy, pandas and pydantic are known by their modules' names and never imported.
"""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass
from typing import Any

from msgspec import Struct

ROWS, COLUMNS = 200, 100  # shown of a table
NUMBERS = 16_384  # shown of an array


def unpacked(value: Any) -> tuple[Any, str]:
    """Return a table, an array or a record in Python's own containers, and a note on what was left out."""
    package = package_of(value)
    if package == "numpy" and hasattr(value, "tolist"):
        return _from_numpy(value)
    if package == "pandas":
        return _from_pandas(value)
    return (value if isinstance(value, type) else _from_record(value)), ""


def _from_record(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if isinstance(value, Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    pydantic = sys.modules.get("pydantic")
    return value.model_dump(warnings=False) if pydantic and isinstance(value, pydantic.BaseModel) else value


def _from_numpy(value: Any) -> tuple[Any, str]:
    if value.dtype.kind in "mM":
        value = value.astype(str)  # as numbers, times would lose their unit
    if value.size <= NUMBERS:
        return value.tolist(), ""
    shown = value.flat[: NUMBERS // 16].tolist()
    array = {"shape": list(value.shape), "dtype": str(value.dtype), "values": shown}
    return array, f"the first {len(shown):,} of {value.size:,} values are shown"


def _from_pandas(value: Any) -> tuple[Any, str]:
    kinds = {kind.__name__ for kind in type(value).__mro__}
    if "DataFrame" in kinds:
        return _from_table(value)
    if kinds & {"Series", "Index"}:
        note = f"the first {ROWS} of {len(value):,} values are shown" if len(value) > ROWS else ""
        shown = value[:ROWS] if "Index" in kinds else value.iloc[:ROWS]
        return (shown.tolist() if "Index" in kinds else {**_index(shown), "values": shown.tolist()}), note
    return (None if "NAType" in kinds else str(value)), ""


def _from_table(value: Any) -> tuple[Any, str]:
    (rows, columns), shown = value.shape, value.iloc[:ROWS, :COLUMNS]
    table = {
        "columns": shown.columns.tolist(),
        **_index(shown),
        "rows": [list(row) for row in shown.itertuples(index=False, name=None)],
    }
    notes = [f"the first {limit} of {count:,} {what} are shown" for count, limit, what in _left(rows, columns)]
    return table, "; ".join(notes)


def _left(rows: int, columns: int) -> list[tuple[int, int, str]]:
    sides = ((rows, ROWS, "rows"), (columns, COLUMNS, "columns"))
    return [side for side in sides if side[0] > side[1]]


def _index(value: Any) -> dict[str, Any]:
    return {} if type(value.index).__name__ == "RangeIndex" else {"index": value.index.tolist()}  # row numbers say nothing


def package_of(value: Any) -> str:
    """Return the name of the package that a value's type comes from."""
    return str(type(value).__module__).partition(".")[0]
