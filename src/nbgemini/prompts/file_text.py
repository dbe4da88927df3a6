"""The text of some bytes, and the encoding it is in where that is not UTF-8: known by its marks, or told by what it gives.

A guess is made only where it can be checked: Japanese by its kana, Western European by letters that stand alone among others.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.formatting import plural
from nbgemini.messages.media import HEAD, mime_of
from nbgemini.prompts.object_text import ROWS, markdown_table, table_markdown
from nbgemini.prompts.tables import Table, table_of

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig", ""),
    (b"\xff\xfe\x00\x00", "utf-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "utf-32", "UTF-32"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)
_JAPANESE = (("cp932", "Shift-JIS"), ("euc_jp", "EUC-JP"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_RUN = re.compile(rb"[\x80-\xff]{4,}")  # letters of another alphabet, and not accents among ours
_WITHIN = re.compile(r"[^\W\d_][^\w\s'\u2019\-\u00ad]+[^\W\d_]")  # a sign between two letters
_MISREAD = re.compile(r"(?<!\w)[†‡™¢¦¬€](?=[^\W\d_])")  # a sign with which a word begins: of a Mac, or of DOS
_SAMPLE = 100_000  # characters that are looked at
_NULLS = 0.5  # of every second byte, in text that is mostly ASCII
_KANA = 0.2  # of what is not ASCII in Japanese


def decode_text(data: bytes) -> tuple[str, str] | None:
    """Return the text of some bytes and its encoding's name, empty for UTF-8; None for no text, or none that is known."""
    return next((found for found in _readings(data) if not _CONTROL.search(found[0][:_SAMPLE])), None)


def _readings(data: bytes) -> Iterator[tuple[str, str]]:
    mark = next(((codec, name) for begin, codec, name in _MARKS if data.startswith(begin)), None)
    ways = (mark,) if mark else _without_marks(data)
    for codec, name in ways:
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if mark or _fits(codec, text, data):
            yield text, name


def _without_marks(data: bytes) -> tuple[tuple[str, str], ...]:
    if b"\x1b$" in data[:_SAMPLE]:
        return (("iso2022_jp", "ISO-2022-JP"), ("utf-8", ""))
    if b"\0" not in data[:_SAMPLE]:
        return (("utf-8", ""), *_JAPANESE, ("cp1252", "Windows-1252"))
    even, odd = (half.count(0) / max(1, len(half)) for half in (data[:_SAMPLE:2], data[1:_SAMPLE:2]))
    codec = "utf-16-be" if even > odd else "utf-16-le"
    return ((codec, "UTF-16"),) if min(even, odd) == 0 and max(even, odd) > _NULLS else ()


def _fits(codec: str, text: str, data: bytes) -> bool:
    """Whether a text is one that somebody would write, and not other bytes read in the wrong way."""
    sample = text[:_SAMPLE]
    if codec in ("cp932", "euc_jp"):
        foreign = [letter for letter in sample if letter > "\x7f"]
        kana = sum("\u3040" <= letter <= "\u30ff" for letter in foreign)
        odd = sum("\uff61" <= letter <= "\uff9f" or unicodedata.category(letter) == "Co" for letter in foreign)
        return bool(foreign) and kana >= _KANA * len(foreign) > odd
    if codec == "cp1252":
        is_misread = _RUN.search(data[:_SAMPLE]) or _MISREAD.search(sample)
        return not is_misread and all(found[0][1:-1].isascii() for found in _WITHIN.finditer(sample))
    return True


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
    try:
        return _sheets(path) if suffix in _SHEETS else _columnar(path, _COLUMNAR[suffix])
    except Exception as error:  # noqa: BLE001 - a package that is missing, or cannot read the file
        why = " ".join(str(error).split())[:160] or type(error).__name__
        with path.open("rb") as file:
            kind = mime_of(file.read(HEAD), path.name) or path.suffix
        reader = f"pandas.read_{'excel' if suffix in _SHEETS else _COLUMNAR[suffix]}"
        raise PromptError(
            f"{path.name} ({kind}) can't be sent as it is, and can't be read as a table here ({why})"
            f" → df = {reader}({path.name!r}) in a cell, and attach df; nothing was sent"
        ) from None


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
    return table_markdown(Table(names=names, count=count, read=first.read if first else lambda *_: ()))


_READ = ("text/markdown", "text/plain", "text/latex", "application/json")  # of an output, the first of these


def notebook_text(data: str) -> str | None:
    """Return a notebook as Markdown; None if it is none."""
    try:
        cells = json.loads(data)["cells"]
        found = [_cell(number, cell) for number, cell in enumerate(cells, 1)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    left = sum(pictures for _, pictures in found)
    note = f"\n\n({plural(left, 'picture')} among its outputs left out)" if left else ""
    return "\n\n".join(text for text, _ in found) + note


def _cell(number: int, cell: Mapping[str, Any]) -> tuple[str, int]:
    """Return a cell as Markdown, and how many pictures were left out of it."""
    source = _joined(cell["source"])
    if cell["cell_type"] != "code":
        return source, len(cell.get("attachments") or ())
    outputs = [_output(output) for output in cell.get("outputs") or ()]
    told = "".join(text for text, _ in outputs).strip("\n")
    shown = fence(told, "output") if told else ""
    text = f"[cell {number}]\n{fence(source, 'python')}{shown}".removesuffix("\n")
    return text, sum(pictures for _, pictures in outputs)


def _output(output: Mapping[str, Any]) -> tuple[str, int]:
    if "text" in output:
        return _joined(output["text"]), 0
    if "ename" in output:
        return f"{output['ename']}: {output.get('evalue', '')}\n", 0
    bundle = output.get("data") or {}
    pictures = sum(mime.startswith("image/") for mime in bundle)
    text = next((_joined(bundle[mime]) for mime in _READ if mime in bundle), "")
    return ("" if pictures and text.startswith("<") else f"{text}\n"), pictures


def _joined(text: Any) -> str:
    lines = text if isinstance(text, list) else [text]
    return "".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)


def fence(text: str, language: str = "") -> str:
    """Return text as a block of code, in a fence that it does not close itself."""
    marks = "```"
    while marks in text:
        marks += "`"
    return f"{marks}{language}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{marks}\n"
