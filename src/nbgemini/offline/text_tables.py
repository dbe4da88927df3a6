"""Markdown tables in a text: names of columns, and rows of texts that may be numbers."""

from __future__ import annotations

import re

from msgspec import Struct

_TABLE = re.compile(
    r"^\|(.+)\|[ \t]*\n\|(?: *:?-{3,}:? *\|)+[ \t]*\n((?:\|.*\|[ \t]*(?:\n|\Z))*)(?:\n\(first \d+ of ([\d,]+) rows)?",
    re.MULTILINE,
)
_CELLS = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
EMPTY = ("", "NaN", "None", "nan", "NaT", "null", "<NA>")


class TextTable(Struct, frozen=True):
    """A Markdown table: column names, rows of texts, and how many rows the whole table has, if more."""

    names: list[str]
    rows: list[list[str]]
    total: str = ""

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        at = self.names.index(name)
        return [row[at] if at < len(row) else "" for row in self.rows]

    def numbers(self, name: str) -> list[float | None]:
        """Return the numbers of a column; None where a cell is empty."""
        return [None if cell in EMPTY else float(cell) for cell in self.column(name)]

    def is_numeric(self, name: str) -> bool:
        """Whether all cells of a column that aren't empty are numbers."""
        cells = [cell for cell in self.column(name) if cell not in EMPTY]
        return bool(cells) and all(_NUMBER.fullmatch(cell) for cell in cells)

    def repeats(self, name: str) -> bool:
        """Whether a column holds texts of which some stand in several rows."""
        return not self.is_numeric(name) and len(set(self.column(name))) < len(self.rows)

    @property
    def label(self) -> str:
        """The column that names the rows: the first with texts, else the first."""
        return next((name for name in self.names if name and not self.is_numeric(name)), self.names[0])


def tables_in(text: str) -> list[TextTable]:
    """Return the tables of a text."""
    found = (match.groups() for match in _TABLE.finditer(text))
    return [
        TextTable(_row(f"|{head}|"), [_row(line) for line in body.splitlines()], total or "") for head, body, total in found
    ]


def without_tables(text: str) -> str:
    """Return a text without its tables."""
    return _TABLE.sub("", text)


def _row(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELLS.split(line.strip())[1:-1]]
