"""A table by what it can do, whichever package it comes from: names, rows in Python's own values, and how many there are.

Invariants: nothing is imported to look at a value; the first rows are read without the others, however many there are; a value
that is as exact in its table is as exact here (nanoseconds, decimals, time zones).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from itertools import chain, islice
from typing import Any

from msgspec import Struct, structs

from nbgemini.prompts import leave_out

_BLOCK = 1_024  # rows of a columnar table that are read at once
_EXACT = 2**53  # up to here a float has every integer
_REMARKS, _LONGEST_REMARK = 12, 100  # of attributes
_SINGLE_DIGITS = range(1, 10)  # that tell a float of 32 bits


class Table(Struct, frozen=True, kw_only=True):
    """A table that was found in a value.

    Attributes:
        names: of its columns, in order, also twice; they may be any labels.
        count: rows in all; None where only reading all of them would tell.
        read: yields the rows: `read(rows, columns)` at most so many of each, None for all.
        labels: the first so many labels of its rows; None where they are their numbers from 0.
        label_name: what the labels are called.
        index: the labels as the table itself has them, for a table of the same rows.
        gapped: finds the columns of floats that are whole numbers, and floats only because some are missing.
        column: whether it is one column rather than a table.
        named: whether that column has a name of its own.
        remark: what its attributes say: units, a coordinate system.
    """

    names: Sequence[Any]
    count: int | None
    read: Callable[[int | None, int | None], Iterable[tuple[Any, ...]]]
    labels: Callable[[int], list[Any]] | None = None
    label_name: str = ""
    index: Any = None
    gapped: Callable[[], set[int]] = set
    column: bool = False
    named: bool = True
    remark: str = ""


def table_of(value: Any) -> Table | None:
    """Return the table that a value is; None if it is none. A lazy table is computed where it is read, as far as it is."""
    kind = type(value)
    if isinstance(value, type) or kind.__module__ == "builtins":
        return None
    reader = _reader_of(value)
    return reader(value) if reader else None


def may_be_table(value: Any) -> bool:
    """Whether a value looks as if it were a table; nothing of it is read."""
    kind = type(value)
    return not isinstance(value, type) and kind.__module__ not in ("builtins", "numpy") and _reader_of(value) is not None


def _reader_of(value: Any) -> Callable[[Any], Table | None] | None:
    able = (reader for abilities, reader in _READERS if all(has(value, ability) for ability in abilities))
    return next(able, None)


def has(value: Any, ability: str) -> bool:
    """Whether a value has an attribute of its type or of its own; one that is made up when it is asked for does not count."""
    return hasattr(type(value), ability) or ability in getattr(value, "__dict__", ())


def package_of(value: Any) -> str:
    """Return the name of the package that a value's type comes from."""
    return str(type(value).__module__).partition(".")[0]


def single(value: Any) -> Any:
    """Return a float of 32 bits with the digits that tell it, and not those of the double it became."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return next((short for digits in _SINGLE_DIGITS if _as_single(short := float(f"{value:.{digits}g}")) == value), value)


def _as_single(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.inf


# Readers: each knows a way in which packages let tables be read, and is tried where a type has the abilities it needs.


def _labelled(frame: Any) -> Table:
    """Read what pandas, and whoever does as pandas does, calls a DataFrame."""
    return Table(
        names=list(frame.columns),
        count=len(frame.index),
        read=lambda rows, columns: _positional(frame.iloc[:rows, :columns]),
        index=frame.index,
        gapped=lambda: {at for at in range(len(frame.columns)) if _is_gapped(frame.iloc[:, at])},
        remark=_attributes(frame),
        **_labels(frame.index),
    )


def _series(series: Any) -> Table:
    own = getattr(series, "name", None)
    found = _labelled(series.to_frame("value" if own is None else own))
    return structs.replace(found, column=True, named=own is not None, remark=_attributes(series))


def _is_gapped(column: Any) -> bool:
    if not str(column.dtype).lower().startswith("float"):
        return False
    known = column.dropna()
    return 0 < len(known) < len(column) and bool(((known % 1 == 0) & (known.abs() <= _EXACT)).all())


def _labels(index: Any) -> dict[str, Any]:
    plain = type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1)  # row numbers say nothing
    name = " / ".join(str(name) for name in index.names if name is not None)
    return {} if plain else {"labels": lambda rows: list(index[:rows]), "label_name": name}


def _attributes(value: Any) -> str:
    """Return what else a table knows of itself, in a few words."""
    own = getattr(value, "attrs", None)
    crs = getattr(value, "crs", None)
    said = {**(own if isinstance(own, Mapping) else {}), **({} if crs is None else {"crs": crs})}
    words = (f"{name}: {' '.join(str(item).split())}" for name, item in said.items())
    return "; ".join(word for word in islice(words, _REMARKS) if len(word) <= _LONGEST_REMARK)


def _positional(frame: Any) -> Iterator[tuple[Any, ...]]:
    singles = {at for at, kind in enumerate(frame.dtypes) if str(kind).lower() in ("float32", "float16")}
    for row in frame.itertuples(index=False, name=None):
        yield tuple(single(value) if at in singles else value for at, value in enumerate(row)) if singles else row


def _rowwise(frame: Any) -> Table:
    """Read what polars and narwhals call a DataFrame."""
    names = list(frame.columns)
    return Table(names=names, count=len(frame), read=lambda rows, columns: _iterated(frame, names, rows, columns))


def _iterated(frame: Any, names: list[str], rows: int | None, columns: int | None) -> Iterator[tuple[Any, ...]]:
    some = frame.select(names[:columns]) if columns is not None and columns < len(names) else frame
    some = some if rows is None else some.head(rows)
    if not has(some, "iter_columns"):
        yield from some.iter_rows()
        return
    for at in range(0, len(some), _BLOCK):
        yield from zip(*map(_polars_values, some[at : at + _BLOCK].iter_columns()), strict=True)


def _polars_values(column: Any) -> list[Any]:
    kind = str(column.dtype)
    if "time_unit='ns'" in kind:  # Python's datetimes would lose the nanoseconds
        return list(column.dt.to_string("iso:strict" if kind.startswith("Datetime") else "iso").to_list())
    values = list(column.to_list())
    return [single(value) for value in values] if kind in ("Float32", "Float16") else values


def _rowwise_column(series: Any) -> Table:
    found = _rowwise(series.to_frame())
    return structs.replace(found, names=[name or "value" for name in found.names], column=True, named=bool(found.names[0]))


def _columnar(table: Any) -> Table | None:
    """Read what Arrow calls a Table or a RecordBatch."""
    count = int(table.num_rows)

    def read(rows: int | None, columns: int | None) -> Iterator[tuple[Any, ...]]:
        some = table.select(list(range(columns))) if columns is not None and columns < table.num_columns else table
        end = count if rows is None else min(rows, count)
        for at in range(0, end, _BLOCK):
            block = some.slice(at, min(_BLOCK, end - at))
            yield from zip(*map(_arrow_values, block.columns), strict=True)

    return Table(names=list(table.schema.names), count=count, read=read)


def _columnar_column(array: Any) -> Table:
    def read(rows: int | None, _columns: int | None) -> Iterator[tuple[Any, ...]]:
        end = len(array) if rows is None else min(rows, len(array))
        for at in range(0, end, _BLOCK):
            yield from ((value,) for value in _arrow_values(array.slice(at, min(_BLOCK, end - at))))

    return Table(names=["value"], count=len(array), read=read, column=True, named=False)


def _arrow_values(column: Any) -> list[Any]:
    kind = str(column.type)
    if "[ns" in kind:  # as Python's datetimes they would lose the nanoseconds
        return list(column.cast("string").to_pylist())
    values = list(column.to_pylist())
    return [single(value) for value in values] if kind in ("float", "halffloat") else values


def _mappings(table: Any) -> Table | None:
    """Read a table that is gone through as mappings, as those of `datasets` are."""
    names = table.column_names
    if not isinstance(names, list | tuple):
        return None

    def read(rows: int | None, columns: int | None) -> Iterator[tuple[Any, ...]]:
        return (tuple(row[name] for name in names[:columns]) for row in islice(iter(table), rows))

    return Table(names=list(names), count=int(table.num_rows), read=read)


def _gridded(grid: Any) -> Table | None:
    """Read a grid with named dimensions, as xarray has them: a row for each of its cells."""
    sizes = dict(grid.sizes)
    if not sizes:
        return None  # a single value says itself

    def framed(rows: int | None) -> Table:
        some = grid if rows is None else grid.isel(_corner(sizes, rows))
        frame = some.to_dataframe() if has(grid, "data_vars") else some.to_dataframe(name=grid.name or "value")
        return _labelled(frame.reset_index())

    variables = {**getattr(grid, "coords", {}), **getattr(grid, "data_vars", {})}
    remarks = [_attributes(grid), *(f"{name}: {said}" for name, found in variables.items() if (said := _attributes(found)))]
    return Table(
        names=framed(1).names,
        count=math.prod(sizes.values()),
        read=lambda rows, columns: framed(rows).read(rows, columns),
        remark="; ".join(filter(None, remarks[:_REMARKS])),
    )


def _corner(sizes: Mapping[Any, int], rows: int) -> dict[Any, slice]:
    """Return the part of a grid in which its first so many cells are."""
    corner, inner = {}, math.prod(sizes.values())
    for name, size in sizes.items():
        inner //= max(1, size)
        wanted = min(size, math.ceil(rows / max(1, inner)))
        corner[name] = slice(0, wanted)
        if wanted > 1:  # what lies farther inside is needed whole
            break
    return corner


def _structured(array: Any) -> Table | None:
    """Read an array of NumPy whose items have named fields."""
    names = getattr(array.dtype, "names", None)
    if not names or array.ndim != 1:
        return None

    def read(rows: int | None, columns: int | None) -> Iterator[tuple[Any, ...]]:
        some = array[:rows]
        kinds = [some[name] for name in names[:columns]]
        return zip(*((kind.astype(str) if kind.dtype.kind in "mM" else kind).tolist() for kind in kinds), strict=True)

    return Table(names=list(names), count=len(array), read=read)


_FIRST = ("limit", "head")
_COMPUTING = ("collect", "compute", "to_pandas", "toPandas", "to_df", "execute")


def _lazy(query: Any) -> Table | None:
    """Read what is computed only when it is asked for: as many rows as are wanted, and no more."""

    def computed(rows: int | None) -> Table | None:
        some = query if rows is None else getattr(query, _first_ability(query, _FIRST))(rows)
        return table_of(
            some
            if not _first_ability(some, _COMPUTING) or _is_other(some, query)
            else getattr(some, _first_ability(some, _COMPUTING))()
        )

    def read(rows: int | None, columns: int | None) -> Iterable[tuple[Any, ...]]:
        found = computed(rows)
        return found.read(rows, columns) if found else ()

    first = computed(1) if _first_ability(query, _FIRST) and _first_ability(query, _COMPUTING) else None
    return Table(names=first.names, count=None, read=read, column=first.column) if first else None


def _first_ability(value: Any, abilities: Iterable[str]) -> str:
    """Return the first of these that a value has; empty if it has none."""
    return next((name for name in abilities if has(value, name)), "")


def _is_other(some: Any, query: Any) -> bool:
    return type(some) is not type(query)


def _streamed(table: Any) -> Table | None:
    """Read what speaks Arrow's stream protocol, with a package that understands it."""
    try:
        reader = import_module("pyarrow").RecordBatchReader
    except ImportError:
        return _converted_by(table, ("polars", "DataFrame"))
    names = list(reader.from_stream(table).schema.names)

    def read(rows: int | None, columns: int | None) -> Iterator[tuple[Any, ...]]:
        batches = (found for found in map(_columnar, reader.from_stream(table)) if found)
        return islice(chain.from_iterable(found.read(rows, columns) for found in batches), rows)

    count = len(table) if has(table, "__len__") else None
    return Table(names=names, count=count, read=read)


def _exchanged(table: Any) -> Table | None:
    """Read what speaks the older exchange protocol of DataFrames, with a package that understands it."""
    return _converted_by(
        table,
        ("pyarrow.interchange", "from_dataframe"),
        ("polars", "from_dataframe"),
        ("pandas.api.interchange", "from_dataframe"),
    )


def _converted_by(table: Any, *ways: tuple[str, str]) -> Table | None:
    for module, name in ways:
        with suppress(ImportError):
            return table_of(getattr(import_module(module), name)(table))
    return None


def _sliced(table: Any) -> Table | None:
    """Read what can be cut and made a table of pandas."""
    with suppress(Exception):  # it may need a package, or arguments
        names = _labelled(table[:1].to_pandas()).names

        def read(rows: int | None, columns: int | None) -> Iterable[tuple[Any, ...]]:
            return _labelled(table[:rows].to_pandas()).read(rows, columns)

        return Table(names=names, count=len(table), read=read)
    return None


# In this order: a lazy table of dask has all that one of pandas has, and one of xarray can be computed too.
_READERS: tuple[tuple[tuple[str, ...], Callable[[Any], Table | None]], ...] = (
    (("dims", "sizes", "isel", "to_dataframe"), _gridded),
    (("head", "compute"), _lazy),
    (("iloc", "columns", "index", "itertuples"), _labelled),
    (("iloc", "index", "to_frame"), _series),
    (("iter_rows", "columns", "head", "select"), _rowwise),
    (("to_frame", "to_list", "dtype", "head", "rename"), _rowwise_column),
    (("num_rows", "schema", "slice", "columns"), _columnar),
    (("to_pylist", "slice", "type", "__len__"), _columnar_column),
    (("column_names", "num_rows", "__iter__"), _mappings),
    (("dtype", "ndim", "tolist"), _structured),
    (("limit", "columns"), _lazy),
    (("head", "collect", "columns"), _lazy),
    (("__arrow_c_stream__",), _streamed),
    (("__dataframe__",), _exchanged),
    (("to_pandas", "__len__", "__getitem__"), _sliced),
)


def is_missing(value: Any) -> bool:
    """Whether a value stands for one that is not there: None, NaN, NaT, NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return (isinstance(value, float) and math.isnan(value)) or (isinstance(value, datetime) and value != value)  # noqa: PLR0124 - NaT


ROWS, COLUMNS = 50, 30
_CELL = 200  # characters
_EXACT_DIGITS = 1e22  # up to here a whole double is written in its own digits, without an exponent


def markdown_table(value: Any) -> str | None:
    """Return a table, and under it what was left out; None for anything else."""
    table = table_of(value)
    return None if table is None else table_markdown(table)


def table_markdown(table: Table) -> str:
    """Return the first rows of a table, and under it what was left out."""
    if not table.names:
        return f"(a table of {table.count or 0:,} rows and no columns)"
    wide, body = len(table.names), _body(table)
    head = [*([_cell(table.label_name)] if table.labels else []), *(_cell(name) for name in table.names[:COLUMNS])]
    lines = [_row(head), _row(["---"] * len(head)), *(_row([_cell(value) for value in row]) for row in body)]
    cut = _left_out(table.count, len(body), wide)
    if cut and body:
        leave_out(f"{', '.join(cut)} sent")
    notes = [*cut, *_remarks(head, body), *filter(None, [table.remark])]
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
    cut = any(len(_cell_text(value)) > _CELL for row in body for value in row) or any(cell.endswith("…") for cell in head)
    return [f"cells end with … after {_CELL} characters"] if cut else []


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell_text(value: Any) -> str:
    if isinstance(value, float):
        return number_text(value)
    return " / ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _cell(value: Any) -> str:
    words = _cell_text(value)
    words = words if len(words) <= _CELL else f"{words[: _CELL - 1]}…"
    return words.replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>").replace("\r", "<br>")
