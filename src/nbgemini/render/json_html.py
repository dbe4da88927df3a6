"""JSON as HTML, whole or while it comes: lists of objects as tables, objects as names and values, all else as text.

While it comes it is indented, and a list of objects is a table that gains a row with each. `JsonBlocks` stands where `Blocks`
stands for Markdown: a finished block is HTML, the rest is text. The first block of a table opens it and never closes it, each
later one is a row: a page puts rows into the table before them.
Invariants: every character of a value comes out escaped, with no markup but ours; the text shown, without spaces and line
ends, is the text that came; the work is linear; each row is read once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, TypeGuard

from nbgemini.render.block_html import preformatted
from nbgemini.render.escape import harmless
from nbgemini.render.html_tree import Patch, as_it_is
from nbgemini.render.math import untypeset
from nbgemini.render.streaming_markdown import RenderedBlock

_MOST_COLUMNS = 12  # of a table that a person reads
_DEEPEST = 3  # tables within tables
_LARGEST = 5_000  # rows and other values that are laid out; a larger answer is text


def data_html(value: Any) -> str:
    """Return a value as a table where it is one, else as indented JSON."""
    if not isinstance(value, list | dict):
        return _value_html(value)
    if value and _size(value) <= _LARGEST:
        return _laid_out(value, 0)
    return f"<pre>{escape(harmless(indented(value)), quote=False)}</pre>"


def indented(value: Any) -> str:
    """Return a value as JSON that a person reads."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def is_row(value: Any, columns: Sequence[str] | None) -> TypeGuard[dict[str, Any]]:
    """Whether a value can be a row of a table with these columns, or of one that it begins."""
    if not isinstance(value, dict) or not 0 < len(value) <= _MOST_COLUMNS:
        return False
    return columns is None or value.keys() <= set(columns)


def opening_html(columns: Sequence[str]) -> str:
    """Return the beginning of a table, up to its rows."""
    head = "".join(f"<th>{_text_html(name)}</th>" for name in columns)
    return f"<table><thead><tr>{head}</tr></thead><tbody>"


def row_html(row: dict[str, Any], columns: Sequence[str], depth: int = 1) -> str:
    """Return a row of a table."""
    cells = "".join(f"<td>{_laid_out(row[name], depth) if name in row else ''}</td>" for name in columns)
    return f"<tr>{cells}</tr>"


def _laid_out(value: Any, depth: int) -> str:
    columns = _columns(value)
    if depth < _DEEPEST and columns:
        rows = "".join(row_html(row, columns, depth + 1) for row in value)
        return f"{opening_html(columns)}{rows}</tbody></table>"
    if depth < _DEEPEST and isinstance(value, dict) and value:
        rows = "".join(
            f"<tr><th>{_text_html(name)}</th><td>{_laid_out(item, depth + 1)}</td></tr>" for name, item in value.items()
        )
        return f"<table><tbody>{rows}</tbody></table>"
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(map(_value_html, value)) if depth else "".join(f"<div>{_value_html(item)}</div>" for item in value)
    return _value_html(value)


def _columns(value: Any) -> list[str]:
    """Return the columns of a list of objects; none if it is no table."""
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        return []
    columns = list(dict.fromkeys(name for row in value for name in row))
    return columns if len(columns) <= _MOST_COLUMNS else []


def _value_html(value: Any) -> str:
    if isinstance(value, str):
        return _text_html(value).replace("\n", "<br>")
    text = _text_html(json.dumps(value, ensure_ascii=False))
    return f"<code>{text}</code>" if isinstance(value, list | dict) else text


def _text_html(text: str) -> str:
    return untypeset(escape(harmless(text), quote=False))


def _size(value: Any) -> int:
    """Return how many values there are in it."""
    count, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        count += 1
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return count


_IN_TEXT = re.compile(r'[^"\\]++')
_WORD = re.compile(r'[^\s{}\[\],:"]++|\s++')
_MOST_INDENTED = 32  # levels that are indented
_END = "</tbody></table>"


class Indented:
    """Indents JSON as it comes; what begins otherwise comes out as it is."""

    def __init__(self) -> None:
        self.depth = 0  # lists and objects that are open
        self._in_text = self._escaped = False
        self._empty = False  # whether a list or object has just begun
        self._is_json: bool | None = None

    def feed(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield what came, piece by piece, each with how it is shown."""
        if self._is_json is None and text.strip():
            self._is_json = text.lstrip()[0] in "{["
        if not self._is_json:
            yield text, text
            return
        at = 0
        while at < len(text):
            found = None if self._escaped else (_IN_TEXT if self._in_text else _WORD).match(text, at)
            came = found[0] if found else text[at]
            at += len(came)
            if self._in_text:
                self._in_text = came != '"' or self._escaped
                self._escaped = came == "\\" and not self._escaped
                yield came, came
            else:
                yield came, self._syntax_shown(came)

    def _syntax_shown(self, came: str) -> str:
        match came:
            case "{" | "[":
                before, self._empty = self._break(), True
                self.depth += 1
                return before + came
            case "}" | "]":
                self.depth -= 1
                empty, self._empty = self._empty, False
                return came if empty else self._line() + came
            case ",":
                return came + self._line()
            case ":":
                return ": "
        self._in_text = came == '"'
        return "" if came.isspace() else self._break() + came

    def _break(self) -> str:
        empty, self._empty = self._empty, False
        return self._line() if empty else ""

    def _line(self) -> str:
        return "\n" + "  " * max(0, min(self.depth, _MOST_INDENTED))


class JsonBlocks:
    """A growing JSON answer as blocks: the rows of its table, if it is one."""

    def __init__(self) -> None:
        self._indented = Indented()
        self._came: list[str] = []  # of the element that is open
        self._shown: list[str] = []
        self._elements: list[tuple[str, str]] = []  # whole, but not rendered yet: as they came, and as they are shown
        self._columns: list[str] | None = None
        self._rows = True  # whether what comes may be rows
        self._finished: list[str] = []

    def append(self, text: str) -> str:
        """Take in text and return it as it will be shown."""
        return "".join(self._keep(came, harmless(shown)) for came, shown in self._indented.feed(text))

    @property
    def promising(self) -> bool:
        """Whether there is a row to render."""
        return bool(self._elements)

    def advance(self) -> list[RenderedBlock]:
        """Render the rows that are whole by now."""
        blocks: list[RenderedBlock] = []
        while self._elements and self._rows:
            came, shown = self._elements[0]
            row = _element(came)
            self._rows = is_row(row, self._columns)
            if self._rows:
                blocks.append(RenderedBlock(self._html(row), shown))
                del self._elements[0]
        self._finished += [block.html for block in blocks]
        return blocks

    def close(self) -> list[RenderedBlock]:
        """Render what is left: the last row, or what is none as text."""
        rows, rest = self.advance(), self.tail()
        row = _element("".join(self._came)) if self._rows else None
        if is_row(row, self._columns):
            rows.append(RenderedBlock(self._html(row), rest))
        elif rest:
            rows.append(RenderedBlock(f"{_END}{preformatted(rest)}", rest))
        self._finished += [block.html for block in rows[-1:]]
        self._elements, self._shown, self._came = [], [], []
        return rows

    def html(self) -> str:
        """Return the table so far."""
        return "".join(self._finished) + (_END if self._finished else "")

    def patch(self) -> Patch:
        """Return how the text behind the last row looks."""
        return as_it_is(self.tail())

    def tail(self) -> str:
        """Return the text behind the last row."""
        self._shown = ["".join(self._shown)]
        return "".join(shown for _, shown in self._elements) + self._shown[0]

    def _keep(self, came: str, shown: str) -> str:
        """Keep what came, cut behind each element of the list that is the answer."""
        self._shown.append(shown)
        if self._rows:
            self._came.append(came)
            if self._indented.depth == 1 and came == "{" and len(self._came) == 1:
                self._rows = False
            elif self._indented.depth == 1 and came == ",":
                self._elements.append(("".join(self._came), "".join(self._shown)))
                self._came, self._shown = [], []
        return shown

    def _html(self, row: dict[str, Any]) -> str:
        begin = ""
        if self._columns is None:
            self._columns = list(row)
            begin = opening_html(self._columns)
        return begin + row_html(row, self._columns)


def _element(came: str) -> Any:
    """Return the value of an element of a list; None if it is none."""
    try:
        return json.loads(came.strip().removeprefix("[").removesuffix("]").removesuffix(","))
    except (ValueError, RecursionError):
        return None
