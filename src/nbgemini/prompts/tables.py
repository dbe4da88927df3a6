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

_BLOCK = 1_024  # rows of a columnar table that are read at once
_EXACT = 2**53  # up to here a float has every integer
_REMARKS, _LONGEST_REMARK = 12, 100  # of attributes
_DIGITS = range(1, 10)  # that tell a float of 32 bits, or of 16
_FORMATS = {"float32": "f", "float": "f", "float16": "e", "halffloat": "e"}  # of types that are narrower than Python's float


class Table(Struct, frozen=True, kw_only=True):
    """A table that was found in a value."""

    names: Sequence[Any]  # of its columns, in order, also twice; they may be any labels
    count: int | None  # rows in all; None where only reading all of them would tell
    read: Callable[[int | None, int | None], Iterable[tuple[Any, ...]]]  # yields at most so many rows, of so many columns
    labels: Callable[[int], list[Any]] | None = None  # of the first so many rows; None where these are numbered from 0
    label_name: str = ""
    index: Any = None  # the labels as the table itself has them, for a table of the same rows
    gapped: Callable[[], set[int]] = set  # finds columns of whole numbers, which are floats only because some are missing
    column: bool = False  # whether it is one column rather than a table,
    named: bool = True  # and whether that has a name of its own
    remark: str = ""  # what its attributes say: units, a coordinate system


def table_of(value: Any) -> Table | None:
    """Return the table that a value is; None if it is none. A lazy table is computed where it is read, as far as it is."""
    reader = _reader_of(value)
    return reader(value) if reader else None


def may_be_table(value: Any) -> bool:
    """Whether a value looks as if it were a table; nothing of it is read."""
    return type(value).__module__ != "numpy" and _reader_of(value) is not None


def _reader_of(value: Any) -> Callable[[Any], Table | None] | None:
    if isinstance(value, type) or type(value).__module__ == "builtins":
        return None
    return next((reader for abilities, reader in _READERS if has(value, *abilities)), None)


def has(value: Any, *abilities: str) -> bool:
    """Whether a value has attributes of its type or of its own; one that is made up when it is asked for does not count."""
    return all(hasattr(type(value), ability) or ability in getattr(value, "__dict__", ()) for ability in abilities)


def package_of(value: Any) -> str:
    """Return the name of the package that a value's type comes from."""
    return str(type(value).__module__).partition(".")[0]


def narrow_float(value: Any, form: str = "f") -> Any:
    """Return a float of 32 bits, or of 16 (`e`), with the digits that tell it, and not those of the double it became."""
    if not isinstance(value, float) or not math.isfinite(value) or (value.is_integer() and abs(value) <= _EXACT):
        return value
    for digits in _DIGITS:
        short = float(f"{value:.{digits}g}")
        with suppress(OverflowError):
            if struct.unpack(form, struct.pack(form, short))[0] == value:
                return short
    return value


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
    forms = {at: form for at, kind in enumerate(frame.dtypes) if (form := _FORMATS.get(str(kind).lower()))}
    for row in frame.itertuples(index=False, name=None):
        yield tuple(narrow_float(value, forms[at]) if at in forms else value for at, value in enumerate(row)) if forms else row


def _rowwise(frame: Any) -> Table:
    """Read what polars and narwhals call a DataFrame."""
    names = list(frame.columns)

    def read(rows: int | None, columns: int | None) -> Iterator[tuple[Any, ...]]:
        some = frame.select(names[:columns]) if columns is not None and columns < len(names) else frame
        some = some if rows is None else some.head(rows)
        if not has(some, "iter_columns"):
            yield from some.iter_rows()
            return
        for at in range(0, len(some), _BLOCK):
            yield from zip(*map(_polars_values, some[at : at + _BLOCK].iter_columns()), strict=True)

    return Table(names=names, count=len(frame), read=read)


def _polars_values(column: Any) -> list[Any]:
    """Return a column's values; times of nanoseconds as text, at any depth: Python's own would lose them."""
    kind = str(column.dtype)
    if "time_unit='ns'" not in kind:
        form = _FORMATS.get(kind.lower())
        return [narrow_float(value, form) for value in column.to_list()] if form else list(column.to_list())
    if kind.startswith(("List", "Array")):
        return [None if inner is None else _polars_values(inner) for inner in column]
    if kind.startswith("Struct"):
        fields = {name: _polars_values(column.struct.field(name)) for name in column.struct.fields}
        rows = (dict(zip(fields, row, strict=True)) for row in zip(*fields.values(), strict=True))
        return [row if there else None for row, there in zip(rows, column.is_not_null(), strict=True)]
    return list(column.dt.to_string("iso:strict" if kind.startswith("Datetime") else "iso").to_list())


def _rowwise_column(series: Any) -> Table:
    found = _rowwise(series.to_frame())
    return structs.replace(found, names=[name or "value" for name in found.names], column=True, named=bool(found.names[0]))


def _columnar(table: Any) -> Table | None:
    """Read what Arrow calls a Table or a RecordBatch."""

    def read(rows: int | None, columns: int | None) -> Iterator[tuple[Any, ...]]:
        narrow = columns is not None and columns < table.num_columns
        some = table.select(list(range(columns or 0))) if narrow else table
        for block in _blocks(some, table.num_rows, rows):
            yield from zip(*map(_arrow_values, block.columns), strict=True)

    return Table(names=list(table.schema.names), count=int(table.num_rows), read=read)


def _columnar_column(array: Any) -> Table:
    def read(rows: int | None, _columns: int | None) -> Iterator[tuple[Any, ...]]:
        for block in _blocks(array, len(array), rows):
            yield from zip(_arrow_values(block), strict=True)

    return Table(names=["value"], count=len(array), read=read, column=True, named=False)


def _blocks(data: Any, count: int, rows: int | None) -> Iterator[Any]:
    """Yield so many rows of what Arrow holds, some at a time."""
    end = count if rows is None else min(rows, count)
    return (data.slice(at, min(_BLOCK, end - at)) for at in range(0, end, _BLOCK))


def _arrow_values(column: Any) -> list[Any]:
    """Return a column's values; times of nanoseconds as text, at any depth: Python's own would lose them."""
    kind = str(column.type)
    if "[ns" in kind:
        return [_arrow_value(scalar) for scalar in column]
    form = _FORMATS.get(kind)
    return [narrow_float(value, form) for value in column.to_pylist()] if form else list(column.to_pylist())


def _arrow_value(scalar: Any) -> Any:
    kind = str(scalar.type)
    if not scalar.is_valid or "[ns" not in kind:
        return scalar.as_py()
    if "list" in kind.partition("<")[0]:
        return [_arrow_value(inner) for inner in scalar.values]
    if kind.startswith("struct"):
        return {name: _arrow_value(scalar[name]) for name in scalar}
    if kind.startswith("duration"):
        return f"{scalar.value} ns"
    return scalar.cast("string").as_py() if "<" not in kind else str(scalar)


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
_COMPUTING = ("collect", "compute", "to_pandas", "toPandas", "to_df", "execute", "to_table")


def _lazy(query: Any) -> Table | None:
    """Read what is computed only when it is asked for: as many rows as are wanted, and no more."""
    first_rows = next((name for name in _FIRST if has(query, name)), "")

    def computed(rows: int | None) -> Table | None:
        some = query if rows is None else getattr(query, first_rows)(rows)
        compute = next((name for name in _COMPUTING if has(some, name)), "")
        return table_of(getattr(some, compute)() if compute and type(some) is type(query) else some)

    def read(rows: int | None, columns: int | None) -> Iterable[tuple[Any, ...]]:
        found = computed(rows)
        return found.read(rows, columns) if found else ()

    first = computed(1) if first_rows and any(has(query, name) for name in _COMPUTING) else None
    return Table(names=first.names, count=None, read=read, column=first.column) if first else None


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
    packages = ("pyarrow.interchange", "polars", "pandas.api.interchange")
    return _converted_by(table, *((package, "from_dataframe") for package in packages))


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
    (("head", "to_table", "schema"), _lazy),
    (("__arrow_c_stream__",), _streamed),
    (("__dataframe__",), _exchanged),
    (("to_pandas", "__len__", "__getitem__"), _sliced),
)


def is_missing(value: Any) -> bool:
    """Whether a value stands for one that is not there: None, NaN, NaT, NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return (isinstance(value, float) and math.isnan(value)) or (isinstance(value, datetime) and value != value)  # noqa: PLR0124 - NaT
