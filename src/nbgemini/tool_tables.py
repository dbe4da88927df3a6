"""Tables, arrays and records in Python's own containers, with a note on what was left out.

NumPy, pandas and pydantic are known by their modules' names and never imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from msgspec import Struct

from nbgemini.object_words import says_nothing
from nbgemini.tables import Table, package_of, table_of

__all__ = ["NUMBERS", "package_of", "record_of", "unpacked"]

ROWS, COLUMNS = 200, 100  # shown of a table
NUMBERS = 16_384  # shown of an array
_DOUBLE = 8  # bytes of the float that Python has


def unpacked(value: Any) -> tuple[Any, str]:
    """Return a table, an array or a record in Python's own containers, and a note on what was left out."""
    if (table := table_of(value)) is not None:
        return _from_table(table)
    package = package_of(value)
    if package == "numpy" and hasattr(value, "tolist"):
        return _from_numpy(value)
    if package == "pandas":
        return _from_pandas(value)
    return (value if isinstance(value, type) else _from_record(value)), ""


def record_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of an object that is made of them; None if it is none."""
    if isinstance(value, type):
        return None
    names = _field_names(value)
    if names is not None:
        return {name: getattr(value, name) for name in names}
    pydantic = sys.modules.get("pydantic")
    if pydantic and isinstance(value, pydantic.BaseModel):
        return dict(value.model_dump(warnings=False))
    if hasattr(type(value), "__fields__") and hasattr(type(value), "parse_obj"):  # as pydantic was before its version 2
        return dict(value.dict())
    return None


def _field_names(value: Any) -> list[str] | None:
    if is_dataclass(value):
        return [field.name for field in fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(value._fields)
    if isinstance(value, Struct):
        return list(value.__struct_fields__)
    attributes = getattr(type(value), "__attrs_attrs__", None)
    return [attribute.name for attribute in attributes] if isinstance(attributes, tuple) else None


def _from_record(value: Any) -> Any:
    found = record_of(value)
    return value if found is None else found


def _from_table(table: Table) -> tuple[Any, str]:
    rows = [list(row) for row in table.read(ROWS, COLUMNS)]
    labels = {"index": table.labels(ROWS)} if table.labels else {}
    note = "; ".join(_left(table, len(rows)))
    if table.column:
        return {**labels, "values": [value for (value,) in rows]}, note
    return {"columns": list(table.names[:COLUMNS]), **labels, "rows": rows}, note


def _left(table: Table, shown: int) -> Iterable[str]:
    what = "values" if table.column else "rows"
    if table.count is None and shown >= ROWS:
        yield f"the first {shown} {what} are shown; how many there are was not counted"
    elif table.count and table.count > shown:
        yield f"the first {shown} of {table.count:,} {what} are shown"
    if len(table.names) > COLUMNS:
        yield f"the first {COLUMNS} of {len(table.names):,} columns are shown"
    if table.remark:
        yield table.remark


def _from_numpy(value: Any) -> tuple[Any, str]:
    if value.size <= NUMBERS:
        return _exact(value).tolist(), ""
    shown = _exact(value.flat[: NUMBERS // 16]).tolist()
    array = {"shape": list(value.shape), "dtype": str(value.dtype), "values": shown}
    return array, f"the first {len(shown):,} of {value.size:,} values are shown"


def _exact(values: Any) -> Any:
    """Return an array whose items Python has as they are: times with their unit, narrow floats with their own digits."""
    kind, width = values.dtype.kind, values.dtype.itemsize
    if kind in "mM" or (kind == "f" and width > _DOUBLE):
        return values.astype(str)
    return values.astype(str).astype(float) if kind == "f" and width < _DOUBLE else values


def _from_pandas(value: Any) -> tuple[Any, str]:
    """Return what pandas has besides its tables: an index, and what stands for a value that is missing."""
    if hasattr(value, "tolist"):
        note = f"the first {ROWS} of {len(value):,} values are shown" if len(value) > ROWS else ""
        return value[:ROWS].tolist(), note
    if type(value).__name__ == "NAType":
        return None, ""
    return (value if says_nothing(words := str(value)) else words), ""
