"""What an object says of itself: its text, or, where that says nothing, what it would show in a notebook, as text."""

from __future__ import annotations

import ast
import inspect
import linecache
import math
import re
import sys
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any

from nbgemini.prompts import leave_out
from nbgemini.prompts.images import bundle_of, hook_result
from nbgemini.prompts.tables import Table, narrow_float, package_of, table_of

_LONGEST_HTML = 2_000_000  # characters
_LONGEST_NOTHING = 1_000
_NOTHING = re.compile(r"<[^\n]*\b(?:object|at 0x[0-9A-Fa-f]+)>+|<_io\.[^\n]*>")
_SILENT = {"script", "style", "svg", "iframe", "template", "head", "button"}
_ROWS = {"table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption"}
_BLOCKS = {"p", "div", "br", "li", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "details", "summary", "section", "hr"}


def says_nothing(words: str) -> bool:
    """Whether a text is what Python writes of an object that has no text of its own: `<… object at 0x…>`."""
    return len(words) <= _LONGEST_NOTHING and _NOTHING.fullmatch(words.strip()) is not None


def describe_object(value: Any) -> str | None:
    """Return what an object says, in plain text, Markdown or the bare tables of its HTML; None if it says nothing."""
    words = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)  # as a traceback ends
    return shown_text(value) if says_nothing(words) else words


def shown_text(value: Any) -> str | None:
    """Return what an object shows in a notebook, as text; None if there is nothing to read."""
    bundle: Any = {}
    with suppress(Exception):  # it shows itself in another way
        bundle = bundle_of(value)
    markdown = bundle.get("text/markdown") or hook_result(value, "_repr_markdown_")
    if markdown:
        return markdown if isinstance(markdown, str) else None
    html = bundle.get("text/html") or hook_result(value, "_repr_html_")
    if isinstance(html, str) and (text := html_text(html)):
        return text
    plain = bundle.get("text/plain")
    return plain if isinstance(plain, str) and not says_nothing(plain) else None


def source_of(value: Any) -> str | None:
    """Return how a function or a class is written; None if nobody knows."""
    with suppress(OSError, TypeError):
        return inspect.getsource(value)
    return _source_in_cells(value) if isinstance(value, type) and value.__module__ == "__main__" else None


def _source_in_cells(kind: type) -> str | None:
    """Return the source of a class of the notebook from the cell of its methods, or the last that defines one of its name."""
    methods = [linecache.getlines(member.__code__.co_filename) for member in vars(kind).values() if hasattr(member, "__code__")]
    entries = reversed(list(linecache.cache.values()))
    cells = [entry[2] for entry in entries if len(entry) > 2 and entry[1] is None]  # noqa: PLR2004 - lazy entries are shorter
    for lines in [*methods, *cells]:
        if f"class {kind.__name__}" in (text := "".join(lines)):
            with suppress(SyntaxError):
                found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))
                for node in (node for node in found if node.name == kind.__name__):
                    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                    return "".join(lines[first - 1 : node.end_lineno])
    return None


def html_text(html: str) -> str:
    """Return what is to be read of some HTML: its text, and its tables without what only styles them."""
    reader = _Reader()
    reader.feed(html[:_LONGEST_HTML])
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).splitlines())
    text = "\n".join(line for line in lines if line)
    return text if re.sub(r"<[^>]*>", "", text).strip() else ""


class _Reader(HTMLParser):
    """Keeps text and the bare tags of tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _ROWS and not self._silent:
            spans = "".join(f' {name}="{value}"' for name, value in attrs if name in ("colspan", "rowspan") and value != "1")
            self.pieces += ["\n" if tag in ("table", "tr") else "", f"<{tag}{spans}>"]
        elif tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _ROWS and not self._silent:
            self.pieces += [f"</{tag}>", "\n" if tag == "table" else ""]
        elif tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(re.sub(r"\s+", " ", data))


_WHOLE = 1_000  # values; of a larger array the corners are shown


def array_text(value: Any) -> str | None:
    """Return an array of NumPy, or of another package that can be made one, as text; None for anything else."""
    numpy = sys.modules.get("numpy")
    able = hasattr(type(value), "__array__") and package_of(value) != "pandas"  # whose arrays would become floats
    if numpy is None or isinstance(value, type) or not able or not getattr(value, "shape", None):
        return None
    own = package_of(value) == "numpy"
    array = value if own or isinstance(value, numpy.ndarray) else numpy.asarray(value)
    kind, left_out = "" if own else f"{package_of(value)} ", ""
    if array.size > _WHOLE:
        left_out = f"; only the corners are shown of its {array.size:,} values"
        leave_out(f"only the corners of its {array.size:,} values sent")
    form = array.dtype.char if array.dtype.itemsize <= 4 else ""  # noqa: PLR2004 - bytes

    def float_text(number: Any) -> str:
        if number is numpy.ma.masked:
            return str(number)
        return number_text(narrow_float(float(number), form) if form else number)

    formatter = {"float_kind": float_text} if array.dtype.kind == "f" else None
    body = numpy.array2string(array, threshold=_WHOLE, formatter=formatter)
    return f"{kind}array of shape {tuple(array.shape)}, {array.dtype}{left_out}\n{body}"


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
    names, body = [_cell(name) for name in table.names[:COLUMNS]], list(table.read(ROWS, COLUMNS))
    head = [_cell(table.label_name), *names] if table.labels else names
    if table.labels:
        body = [(label, *row) for label, row in zip(table.labels(ROWS), body, strict=True)]
    lines = [head, ["---"] * len(head), *(list(map(_cell, row)) for row in body)]
    notes = _left_out(table.count, len(body), len(table.names))
    if notes and body:
        leave_out(f"{', '.join(notes)} sent")
    if any(cell.endswith("…") for cell in head) or any(len(_cell_text(value)) > _CELL for row in body for value in row):
        notes.append(f"cells end with … after {_CELL} characters")
    notes += [table.remark] if table.remark else []
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + (f"\n\n({', '.join(notes)})" if notes else "")


def number_text(value: float) -> str:
    """Return a float in digits that read as the same float; what is whole, as an id may be, without an exponent."""
    if math.isnan(value):
        return "NaN"
    return f"{value:.1f}" if abs(value) < _EXACT_DIGITS and value == int(value) else repr(float(value))


def _left_out(count: int | None, shown: int, wide: int) -> list[str]:
    notes = [f"first {COLUMNS} of {wide:,} columns"] if wide > COLUMNS else []
    if count is None and shown >= ROWS:
        return [f"first {ROWS} rows; how many there are was not counted", *notes]
    if count == 0 or not shown:
        return ["no rows", *notes]
    return [*([f"first {shown} of {count:,} rows"] if count and count > shown else []), *notes]


def _cell_text(value: Any) -> str:
    if isinstance(value, float):
        return number_text(value)
    words = " / ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"({type(value).__name__})" if says_nothing(words) else words


def _cell(value: Any) -> str:
    words = _cell_text(value)
    words = words if len(words) <= _CELL else f"{words[: _CELL - 1]}…"
    return words.replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>").replace("\r", "<br>")
