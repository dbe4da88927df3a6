"""Any Python value in JSON's own types, within widths that halve from try to try.

Invariants: the work is bounded by what goes out, not by what came in; whatever was left out is counted where it was, and noted.
"""

from __future__ import annotations

import base64
import codecs
import json
import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet, ValuesView
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import Any
from uuid import UUID

from msgspec import Struct

from nbgemini.messages.events import InlineMedia
from nbgemini.prompts.images import ImageCollector
from nbgemini.prompts.object_text import describe_object, says_nothing
from nbgemini.prompts.tables import Table, package_of, table_of

ROWS, COLUMNS = 200, 100  # shown of a table
NUMBERS = 16_384  # shown of an array
_DOUBLE = 8  # bytes of the float that Python has


def to_builtins(value: Any) -> tuple[Any, str]:
    """Return a table, an array or a record in Python's own containers, and a note on what was left out."""
    if (table := table_of(value)) is not None:
        return _from_table(table)
    package = package_of(value)
    if package == "numpy" and hasattr(value, "tolist"):
        return _from_numpy(value)
    if package == "pandas":
        return _from_pandas(value)
    record = record_of(value)
    return (value.root if record is None and _is_root(value) else value if record is None else record), ""


def record_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of an object that is made of them; None if it is none."""
    kind, pydantic = type(value), sys.modules.get("pydantic")
    names: Iterable[str] | None = None
    if isinstance(value, type):
        return None
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
    elif isinstance(value, tuple):
        names = getattr(value, "_fields", None)
    elif isinstance(value, Struct):
        names = value.__struct_fields__
    elif isinstance(attributes := getattr(kind, "__attrs_attrs__", None), tuple):
        names = [attribute.name for attribute in attributes]
    elif pydantic and isinstance(value, pydantic.BaseModel):
        return None if _is_root(value) else dict(value.model_dump(warnings=False))
    elif hasattr(kind, "__fields__") and hasattr(kind, "parse_obj"):  # as pydantic was before its version 2
        return dict(value.dict())
    return None if names is None else {name: getattr(value, name) for name in names}


def _is_root(value: Any) -> bool:
    """Say whether this is a model of pydantic that stands for one value, and has no fields."""
    return bool(getattr(type(value), "__pydantic_root_model__", False))


def _from_table(table: Table) -> tuple[Any, str]:
    rows = [list(row) for row in table.read(ROWS, COLUMNS)]
    labels = {"index": table.labels(ROWS)} if table.labels else {}
    note = "; ".join(_left_out_notes(table, len(rows)))
    if table.column:
        return {**labels, "values": [value for (value,) in rows]}, note
    return {"columns": list(table.names[:COLUMNS]), **labels, "rows": rows}, note


def _left_out_notes(table: Table, shown: int) -> Iterable[str]:
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
    if kind != "f" or width >= _DOUBLE:
        return values
    numpy = sys.modules["numpy"]
    choose = numpy.ma.where if numpy.ma.isMaskedArray(values) else numpy.where
    return choose(values == values.round(), values.astype(float), values.astype(str).astype(float))


def _from_pandas(value: Any) -> tuple[Any, str]:
    """Return what pandas has besides its tables: an index, and what stands for a value that is missing."""
    if hasattr(value, "tolist"):
        note = f"the first {ROWS} of {len(value):,} values are shown" if len(value) > ROWS else ""
        return value[:ROWS].tolist(), note
    if type(value).__name__ == "NAType":
        return None, ""
    return (value if says_nothing(words := str(value)) else words), ""


RESPONSE_BYTES = 64 * 1024  # encoded with every character escaped, so no encoder makes more of it
ITEMS = 1_000  # taken from an iterator, which may never end
STEPS = 14  # halvings until anything fits
BINARY = 3_072  # bytes that are neither text nor a picture say little to a model
EXACT = 2**53  # JSON numbers are doubles at the service
LONG = 4_096  # bits; Python refuses to print much longer ones
_SCALARS = (
    type(None), bool, int, float, str, bytes, bytearray, memoryview, date, time, timedelta, Decimal, UUID, PurePath, Enum,
)  # fmt: skip


class TooMuchError(Exception):
    """This step's widths let through more than fits."""


class BoundedEncoder:
    """One try at a value, with widths that halve from step to step."""

    def __init__(self, step: int, notes: list[str]) -> None:
        self.notes = dict.fromkeys(notes)  # in order, each once
        self._text = max(40, 49_152 >> step)
        self._width = max(2, NUMBERS >> step)
        self._depth = max(1, 24 - 2 * step)
        self._room = RESPONSE_BYTES
        self._open: set[int] = set()

    def encode(self, value: Any, depth: int = 0) -> Any:
        """Return `value` in JSON's own types."""
        self._spend(2)  # a comma and a blank
        try:
            return self._scalar(value) if isinstance(value, _SCALARS) else self._nested(value, depth)
        except TooMuchError:
            raise
        except Exception:  # noqa: BLE001 - any object may come, and none may break the answer
            return self._words(_type_note(value))

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return self.encode(value.value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(value)
        if isinstance(value, date | time):
            return value.isoformat() if value == value else None  # noqa: PLR0124 - pandas' NaT is a date unlike itself
        return self._words(str.__str__(value) if isinstance(value, str) else str(value))

    def _number(self, value: float) -> int | float | str | None:
        if isinstance(value, int):
            if abs(value) <= EXACT:
                return int(value)
            bits = value.bit_length()
            return self._words(str(int(value)) if bits < LONG else f"an integer of {bits:,} bits")
        if math.isnan(value):
            self._note("null stands for NaN")
            return None
        return float(value) if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")

    def _bytes(self, value: bytes | bytearray | memoryview) -> Any:
        view = memoryview(value).cast("B") if memoryview(value).c_contiguous else memoryview(bytes(value))
        with suppress(UnicodeDecodeError):
            if "\0" not in (text := self._decoded(view)):
                return self._words(text)
        if len(view) > BINARY:
            self._note(f"the first {BINARY:,} of {len(view):,} bytes are shown")
        return self._mapping({"bytes": len(view), "base64": base64.b64encode(view[:BINARY]).decode()}, 0)

    def _decoded(self, view: memoryview) -> str:
        if len(view) <= RESPONSE_BYTES:
            return str(view, "utf-8")
        self._note("shortened where … stands")
        half = RESPONSE_BYTES // 4
        begin = codecs.getincrementaldecoder("utf-8")().decode(view[:half])  # a letter may be cut in two
        return f"{begin} … {len(view) - 2 * half:,} bytes left out … {str(view[-half:], 'utf-8', 'ignore')}"

    def _words(self, text: str) -> str:
        if len(text) > self._text:
            self._note("shortened where … stands")
        short = cut(text, self._text)
        self._spend(len(short))
        return short

    def _nested(self, value: Any, depth: int) -> Any:
        if id(value) in self._open:
            return self._words("… cycle")
        if depth >= self._depth:
            self._note("shortened where … stands")
            return self._words("… nested deeper")
        self._open.add(id(value))
        try:
            inner, note = to_builtins(value)
            if note:
                self._note(note)
            if isinstance(inner, _SCALARS):
                return self.encode(inner, depth + 1)
            if isinstance(inner, Mapping):
                return self._mapping(inner, depth)
            is_row = isinstance(inner, AbstractSet | Sequence | deque | ValuesView)
            return self._items(inner, depth) if is_row else self._words(_type_note(inner))
        finally:
            self._open.discard(id(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, item in islice(value.items(), self._width):
            label = key.value if isinstance(key, Enum) else key
            name = self._words(label if type(label) is str else str(label))
            out[name if name not in out else f"{name} #{len(out)}"] = self.encode(item, depth + 1)
        if len(value) > self._width:
            out["…"] = self._left_out(len(value) - self._width)
        return out

    def _items(self, value: Any, depth: int) -> list[Any]:
        size, half = len(value), self._width // 2
        if size <= self._width:
            return [self.encode(item, depth + 1) for item in _in_order(value)]
        tail = value[-half:] if isinstance(value, list | tuple | range) else ()
        left_out = self._left_out(size - half - len(tail))
        begin, end = ([self.encode(item, depth + 1) for item in part] for part in (islice(value, half), tail))
        return [*begin, f"… {left_out} …", *end]

    def _left_out(self, count: int) -> str:
        self._note("shortened where … stands")
        return f"{count:,} more left out"

    def _note(self, text: str) -> None:
        self.notes[text] = None

    def _spend(self, characters: int) -> None:
        self._room -= characters
        if self._room < 0:
            raise TooMuchError


def converted(value: Any) -> tuple[dict[str, Any], tuple[InlineMedia, ...]]:
    """Return what a tool returned as the response and the pictures that go beside it."""
    gallery = ImageCollector()
    value = gallery.collect_all(value)
    notes: list[str] = []
    if isinstance(value, Iterator):
        value = list(islice(value, ITEMS))
        notes = [f"at most the first {ITEMS:,} items were taken"] if len(value) == ITEMS else []
    for step in range(STEPS):
        plain = BoundedEncoder(step, notes)
        with suppress(TooMuchError):
            response = {"output": plain.encode(value)}
            if plain.notes:
                response["note"] = "; ".join(plain.notes)
            if len(json.dumps(response, allow_nan=False)) <= RESPONSE_BYTES:
                return response, tuple(gallery.media)
    return {"output": f"a value of type {type(value).__name__}, too large to send"}, tuple(gallery.media)


def _in_order(value: Any) -> Any:
    if isinstance(value, AbstractSet) and len(value) <= ITEMS:
        with suppress(TypeError):
            return sorted(value)  # the same set, the same answer
    return value


def _type_note(value: Any) -> str:
    with suppress(Exception):
        return describe_object(value) or f"a value of type {type(value).__name__}, which has no readable text"
    return f"a value of type {type(value).__name__}, which can't be shown"


def cut(text: str, limit: int) -> str:
    """Return `text` in UTF-8's letters, its middle left out when it is longer than `limit`."""
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]} … {len(text) - 2 * half:,} characters left out … {text[-half:]}"
    return text.encode("utf-8", "replace").decode()
