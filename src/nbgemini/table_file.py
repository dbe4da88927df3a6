"""A spreadsheet or another table in a file: its first rows as Markdown tables, read by the package that is there for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.markdown_table import ROWS, markdown_table, told_table
from nbgemini.media import HEAD, mime_of
from nbgemini.tables import Table, table_of

_SHEETS = {".xlsx", ".xlsm", ".xls", ".ods"}
_COLUMNAR = {".parquet": "parquet", ".feather": "feather", ".arrow": "feather"}


def is_table_file(path: Path) -> bool:
    """Whether a file is called as tables are that are no text."""
    return path.suffix.lower() in _SHEETS | _COLUMNAR.keys()


def table_file_text(path: Path) -> str:
    """Return the tables of a file as Markdown.

    Raises:
        PromptError: nothing here can read it; the message has the way out.
    """
    suffix = path.suffix.lower()
    reader = f"pandas.read_{'excel' if suffix in _SHEETS else _COLUMNAR[suffix]}"
    try:
        return _sheets(path) if suffix in _SHEETS else _columnar(path, _COLUMNAR[suffix])
    except Exception as error:  # noqa: BLE001 - a package that is missing, or cannot read the file
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise PromptError(
            f"{path.name} ({_kind(path)}) is of no kind that can be sent, and can't be read as a table here ({why})"
            f" → df = {reader}({path.name!r}) in a cell, and attach df; nothing was sent"
        ) from None


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        return mime_of(file.read(HEAD), path.name) or path.suffix


def _sheets(path: Path) -> str:
    # as objects: a number keeps its digits, also where others are missing
    frames = import_module("pandas").read_excel(path, sheet_name=None, dtype=object)
    return "\n\n".join(f"{name}:\n{markdown_table(frame)}" for name, frame in frames.items())


def _columnar(path: Path, kind: str) -> str:
    """Read the first rows alone, however many there are."""
    try:
        package = import_module(f"pyarrow.{kind}")
    except ImportError:
        polars = import_module("polars")
        return str(markdown_table(polars.scan_parquet(path) if kind == "parquet" else polars.scan_ipc(path)))
    if kind == "feather":
        return str(markdown_table(package.read_table(path, memory_map=True)))
    with package.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=ROWS), None)
        first = table_of(batch) if batch is not None else None
        names, count = list(file.schema_arrow.names), int(file.metadata.num_rows)
    return told_table(Table(names=names, count=count, read=first.read if first else _nothing))


def _nothing(_rows: int | None, _columns: int | None) -> Iterable[tuple[Any, ...]]:
    nothing: Iterator[tuple[Any, ...]] = iter(())
    return nothing
