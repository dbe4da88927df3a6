"""What goes back to the model: any Python value as JSON that is valid, small and honest about what it leaves out.

Invariants: `response` encodes to at most 64 KiB, whatever came; the work is bounded by what goes out, not by what came in;
a value that can't be read becomes words about it, never an error. Whatever was left out is counted where it was, and noted.
NumPy, pandas, pydantic, pillow and matplotlib are known by their modules' names and never imported.
"""

from __future__ import annotations

import base64
import codecs
import json
import math
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from io import BytesIO
from itertools import islice
from pathlib import PurePath
from typing import Any, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from nbgemini.events import Media, ToolCall

State: TypeAlias = Literal["done", "failed", "refused", "stopped", "timed out"]

RESPONSE_BYTES = 64 * 1024  # encoded with every character escaped, so no encoder makes more of it
MEDIA_BYTES = 4 * 1024 * 1024  # of pictures in one result; a request holds 20 MB in all
ERROR_CHARACTERS = 4_000
SIDE = 2_048  # pixels; the service scales larger pictures down itself
GALLERY = 64  # a longer list is data, not a row of pictures
ITEMS = 1_000  # taken from an iterator, which may never end
ROWS, COLUMNS = 200, 100  # shown of a table
NUMBERS = 16_384  # shown of an array
BINARY = 3_072  # bytes that are neither text nor a picture say little to a model
EXACT = 2**53  # JSON numbers are doubles at the service
LONG = 4_096  # bits; Python refuses to print much longer ones
STEPS = 14  # halvings until anything fits


class ToolResult(Struct, frozen=True):
    """What came of one tool call: `response` and `media` are what the model gets."""

    call: ToolCall
    state: State
    response: dict[str, Any]
    media: tuple[Media, ...] = ()
    seconds: float = 0.0


def answer(call: ToolCall, text: str, state: State, seconds: float = 0.0) -> ToolResult:
    """Return a result in words: for a call that was refused, stopped, cut off or failed."""
    words = _cut(text, ERROR_CHARACTERS)
    return ToolResult(call, state, {"output" if state == "done" else "error": words}, (), seconds)


def converted(value: Any) -> tuple[dict[str, Any], tuple[Media, ...]]:
    """Return what a tool returned as the response and the pictures that go beside it."""
    gallery = _Gallery()
    value = gallery.hang_all(value)
    notes: list[str] = []
    if isinstance(value, Iterator):
        value = list(islice(value, ITEMS))
        notes = [f"at most the first {ITEMS:,} items were taken"] if len(value) == ITEMS else []
    return _fitting(value, notes), tuple(gallery.media)


def _fitting(value: Any, notes: list[str]) -> dict[str, Any]:
    for step in range(STEPS):
        walk = _Walk(step, notes)
        with suppress(_TooMuch):
            response = {"output": walk.plain(value)}
            if walk.notes:
                response["note"] = "; ".join(walk.notes)
            if len(json.dumps(response, allow_nan=False)) <= RESPONSE_BYTES:
                return response
    return {"output": f"a value of type {type(value).__name__}, too large to send"}


class _TooMuch(Exception):  # noqa: N818 - a signal between two steps, no error
    """This step's widths let through more than fits."""


class _Walk:
    """One try at a value, with widths that halve from step to step."""

    def __init__(self, step: int, notes: list[str]) -> None:
        """Begin with all the room."""
        self.notes = dict.fromkeys(notes)  # in order, each once
        self._text = max(40, 49_152 >> step)
        self._width = max(2, NUMBERS >> step)
        self._depth = max(1, 24 - 2 * step)
        self._room = RESPONSE_BYTES
        self._open: set[int] = set()

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Return `value` in JSON's own types."""
        self._spend(2)  # a comma and a blank
        try:
            return self._scalar(value) if isinstance(value, _SCALARS) else self._nested(value, depth)
        except _TooMuch:
            raise
        except Exception:  # noqa: BLE001 - any object may come, and none may break the answer
            return self._words(_described(value))

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return self.plain(value.value)
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
        short = _cut(text, self._text)
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
            return self._opened(value, depth)
        finally:
            self._open.discard(id(value))

    def _opened(self, value: Any, depth: int) -> Any:
        value, note = _unpacked(value)
        if note:
            self._note(note)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, AbstractSet | Sequence | deque | ValuesView) and not isinstance(value, _SCALARS):
            return self._items(value, depth)
        return self.plain(value, depth + 1) if isinstance(value, _SCALARS) else self._words(_described(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, item in islice(value.items(), self._width):
            name = self._key(key)
            out[name if name not in out else f"{name} #{len(out)}"] = self.plain(item, depth + 1)
        if len(value) > self._width:
            out["…"] = self._left_out(len(value) - self._width)
        return out

    def _key(self, key: Any) -> str:
        if isinstance(key, Enum):
            key = key.value
        return self._words(key if type(key) is str else str(key))

    def _items(self, value: Any, depth: int) -> list[Any]:
        size, half = len(value), self._width // 2
        if size <= self._width:
            return [self.plain(item, depth + 1) for item in _in_order(value)]
        tail = value[-half:] if isinstance(value, list | tuple | range) else ()
        left_out = self._left_out(size - half - len(tail))
        begin, end = ([self.plain(item, depth + 1) for item in part] for part in (islice(value, half), tail))
        return [*begin, f"… {left_out} …", *end]

    def _left_out(self, count: int) -> str:
        self._note("shortened where … stands")
        return f"{count:,} more left out"

    def _note(self, text: str) -> None:
        self.notes[text] = None

    def _spend(self, characters: int) -> None:
        self._room -= characters
        if self._room < 0:
            raise _TooMuch


_SCALARS = (
    type(None), bool, int, float, str, bytes, bytearray, memoryview, date, time, timedelta, Decimal, UUID, PurePath, Enum,
)  # fmt: skip


def _unpacked(value: Any) -> tuple[Any, str]:
    """Return a table, an array or a record in Python's own containers, and a note on what was left out."""
    package = _package(value)
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


def _in_order(value: Any) -> Any:
    if isinstance(value, AbstractSet) and len(value) <= ITEMS:
        with suppress(TypeError):
            return sorted(value)  # the same set, the same answer
    return value


def _described(value: Any) -> str:
    with suppress(Exception):
        return repr(value)
    return f"a value of type {type(value).__name__}, which can't be shown"


def _cut(text: str, limit: int) -> str:
    """Return `text` in UTF-8's letters, its middle left out when it is longer than `limit`."""
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]} … {len(text) - 2 * half:,} characters left out … {text[-half:]}"
    return text.encode("utf-8", "replace").decode()


def _package(value: Any) -> str:
    return str(type(value).__module__).partition(".")[0]


class _Gallery:
    """The pictures of one result, as many as fit."""

    def __init__(self) -> None:
        """Begin empty."""
        self.media: list[Media] = []
        self._room = MEDIA_BYTES

    def hang_all(self, value: Any) -> Any:
        """Return `value` with words in place of each picture, itself or one floor down."""
        if type(value) is dict and len(value) <= GALLERY:
            hung: Any = {key: self._hang(item) for key, item in value.items()}
            return hung if any(hung[key] is not value[key] for key in value) else value
        if type(value) in {list, tuple} and len(value) <= GALLERY:
            hung = [self._hang(item) for item in value]
            return hung if any(new is not old for new, old in zip(hung, value, strict=True)) else value
        return self._hang(value)

    def _hang(self, value: Any) -> Any:
        try:
            found = _picture(value)
        except Exception:  # noqa: BLE001 - what can't be drawn is told in words
            return value
        if found is None:
            return value
        mime, data = found
        if len(data) > self._room:
            return f"a picture ({mime}, {len(data):,} bytes), too large to send"
        self._room -= len(data)
        self.media.append(Media(mime, base64.b64encode(data).decode()))
        return f"picture {len(self.media)} ({mime}), attached"


def _picture(value: Any) -> tuple[str, bytes] | None:
    """Return what `value` looks like and its mime type; None if it is no picture."""
    if isinstance(value, bytes | bytearray | memoryview):
        mime = _mime(bytes(memoryview(value)[:16]))
        return (mime, bytes(value)) if mime else None
    package = _package(value)
    if package == "PIL" and hasattr(value, "resize"):
        return "image/png", _drawn(value)
    if package == "matplotlib" and {"Figure", "Axes"} & {kind.__name__ for kind in type(value).__mro__}:
        value.figure.savefig(page := BytesIO(), format="png")
        return "image/png", page.getvalue()
    return None if isinstance(value, type) else _shown(value)


def _shown(value: Any) -> tuple[str, bytes] | None:
    for hook, mime in (("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg")):
        data = getattr(value, hook)() if callable(getattr(type(value), hook, None)) else None
        data = data[0] if isinstance(data, tuple) else data  # IPython lets metadata stand beside it
        if data:
            return mime, base64.b64decode(data) if isinstance(data, str) else bytes(data)
    return None


def _drawn(image: Any) -> bytes:
    scale = min(1.0, SIDE / max(image.size))
    if scale < 1:
        image = image.resize(tuple(max(1, round(side * scale)) for side in image.size))
    if image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"}:
        image = image.convert("RGB")  # PNG knows no other
    image.save(page := BytesIO(), format="png")
    return page.getvalue()


def _mime(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if head.startswith(b"RIFF") and head[8:12] == b"WEBP" else None
