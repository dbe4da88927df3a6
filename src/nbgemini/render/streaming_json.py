"""JSON that is readable while it comes: indented, and a list of objects as a table that gains a row with each.

It stands where `Blocks` stands for Markdown: a finished block is HTML, the rest is text. The first block of a table opens it
and never closes it, each later one is a row: a page puts rows into the table before them.
Invariants: the text shown, without spaces and line ends, is the text that came; the work is linear; each row is read once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from nbgemini.render.block_html import as_text
from nbgemini.render.escape import harmless
from nbgemini.render.html_tree import Patch, as_it_is
from nbgemini.render.json_html import is_row, opening_html, row_html
from nbgemini.render.streaming_markdown import Block

_IN_TEXT = re.compile(r'[^"\\]++')
_WORD = re.compile(r'[^\s{}\[\],:"]++|\s++')
_DEEPEST = 32  # levels that are indented
_END = "</tbody></table>"


class Indented:
    """Indents JSON as it comes; what begins otherwise comes out as it is.

    Attributes:
        depth: how many lists and objects are open.
    """

    def __init__(self) -> None:
        """Begin outside of everything."""
        self.depth = 0
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
            came = self._next(text, at)
            at += len(came)
            yield came, self._of_text(came) if self._in_text else self._of_rest(came)

    def _next(self, text: str, at: int) -> str:
        found = None if self._escaped else (_IN_TEXT if self._in_text else _WORD).match(text, at)
        return found[0] if found else text[at]

    def _of_text(self, came: str) -> str:
        self._in_text = came != '"' or self._escaped
        self._escaped = came == "\\" and not self._escaped
        return came

    def _of_rest(self, came: str) -> str:
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
        return "\n" + "  " * max(0, min(self.depth, _DEEPEST))


class JsonBlocks:
    """A growing JSON answer as blocks: the rows of its table, if it is one."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._indented = Indented()
        self._came: list[str] = []  # of the element that is open
        self._shown: list[str] = []
        self._elements: list[tuple[str, str]] = []  # whole, but not rendered yet: as they came, and as they are shown
        self._columns: list[str] | None = None
        self._rows = True  # whether what comes may be rows
        self._finished: list[str] = []

    def append(self, text: str) -> str:
        """Take in text and return it as it will be shown."""
        return "".join(self._took(came, harmless(shown)) for came, shown in self._indented.feed(text))

    @property
    def promising(self) -> bool:
        """Whether there is a row to render."""
        return bool(self._elements)

    def advance(self) -> list[Block]:
        """Render the rows that are whole by now."""
        blocks: list[Block] = []
        while self._elements and self._rows:
            came, shown = self._elements[0]
            row = _element(came)
            self._rows = is_row(row, self._columns)
            if self._rows:
                blocks.append(Block(self._html(row), shown))
                del self._elements[0]
        self._finished += [block.html for block in blocks]
        return blocks

    def close(self) -> list[Block]:
        """Render what is left: the last row, or what is none as text."""
        rows, rest = self.advance(), self.tail()
        row = _element("".join(self._came)) if self._rows else None
        if is_row(row, self._columns):
            rows.append(Block(self._html(row), rest))
        elif rest:
            rows.append(Block(f"{_END}{as_text(rest)}", rest))
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

    def _took(self, came: str, shown: str) -> str:
        depth = self._indented.depth
        self._shown.append(shown)
        if self._rows:
            self._came.append(came)
            self._cut(came, depth)
        return shown

    def _cut(self, came: str, depth: int) -> None:
        """Cut behind each element of the list that is the answer."""
        if depth == 1 and came == "{" and len(self._came) == 1:
            self._rows = False
        elif depth == 1 and came == ",":
            self._elements.append(("".join(self._came), "".join(self._shown)))
            self._came, self._shown = [], []

    def _html(self, row: dict[str, Any]) -> str:
        if self._columns is None:
            self._columns = list(row)
            return opening_html(self._columns) + row_html(row, self._columns)
        return row_html(row, self._columns)


def _element(came: str) -> Any:
    """Return the value of an element of a list; None if it is none."""
    try:
        return json.loads(came.strip().removeprefix("[").removesuffix("]").removesuffix(","))
    except (ValueError, RecursionError):
        return None
