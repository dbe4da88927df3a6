"""A template for many prompts: `{column}` stands for a value of the row, every other brace for itself.

`{row}` is the whole row, unless a column is called so; where rows are plain values and the template has no `{row}`, the value
follows the template after an empty line. `{}` stays as typed. Invariants: a value is never searched for names; what looks like
a column and is none is told before anything is asked; a row without any of the values it is asked about is not asked.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Turn
from nbgemini.prompts.placeholders import Placeholder, braced, parse_placeholders, pattern
from nbgemini.prompts.tables import is_missing
from nbgemini.prompts.values import render_piece, set_apart, turn_of

ROW = "row"
_MANY = 12  # columns that a message names
_NEAR = 0.72  # how alike two names are for one to be meant by the other
_WORDS = re.compile(r"[^\W\d]\w*(?:[ .\-/][^\W\d]?\w*){0,4}")  # what a column may be called
_SPEC = re.compile(r"[^\w]|\d|^[a-zA-Z%]$")  # how a value is written, and not what TypeScript has there


class MissingError(PromptError):
    """A row is not asked, because nothing of what it is asked about is there."""


class Template:
    """The text that all rows have in common."""

    def __init__(self, text: str, doubled: Collection[str] = ()) -> None:
        """Find what stands in its braces; `doubled` are the names that several columns have."""
        self._text = text
        self._doubled = doubled
        self._braced = tuple(dict.fromkeys(braced(text)))
        self._checked: tuple[str, ...] | None = None

    def names(self, name: str) -> bool:
        """Whether a placeholder names this column."""
        return any(inner == name or inner.startswith((f"{name}:", f"{name}!", f"{name}.")) for inner in self._braced)

    def reads(self, name: str) -> bool:
        """Whether the value of this column is sent, by its name or in the whole row."""
        return self.names(name) or self.names(ROW)

    def check(self, row: Any) -> None:
        """Raise PromptError if a row lacks a column that is named, or none is named."""
        names = names_in(row)
        field, columns, used = pattern(_labels(tuple(names))), tuple(names), set[str]()
        for inner in self._braced:
            if match := field.fullmatch(f"{{{inner}}}"):
                self._check_field(match, names, row)
                used.add(_base_name(match["path"], names))
            elif columns != self._checked and isinstance(row, Mapping) and _means_column(inner, row):
                raise PromptError(f"{_missing_text(inner, row)}; nothing was asked")
        if isinstance(row, Mapping) and not used & names.keys():
            raise PromptError(f"the template names no column, so all rows would ask the same; {_columns_text(row)}")
        self._checked = columns

    async def turn(self, row: Any) -> Turn:
        """Return the prompt of a row; files are read in a thread.

        Raises:
            PromptError: a column is missing, or its value can't be said.
            MissingError: all of its values are missing.
        """
        self.check(row)

        def turn() -> Turn:
            pieces = list(self._pieces(row))
            return turn_of(set_apart(pieces, [render_piece(piece) for piece in pieces]))

        reads = any(isinstance(value, Path) for value in names_in(row).values())
        return await asyncio.to_thread(turn) if reads else turn()

    def _pieces(self, row: Any) -> Iterator[str | Placeholder]:
        names = names_in(row)
        if is_missing(row):
            raise MissingError("this row is empty; it was not asked")
        there = {name: _Gap() if name != ROW and is_missing(value) else value for name, value in names.items()}
        pieces = list(parse_placeholders(self._text, there, _labels(tuple(names))))
        used = {_base_name(piece.name, names) for piece in pieces if isinstance(piece, Placeholder)}
        if used and isinstance(row, Mapping) and all(isinstance(there[name], _Gap) for name in used):
            gone = ", ".join(f"{{{name}}}" for name in sorted(used))
            raise MissingError(f"nothing stands in {gone} of this row; it was not asked")
        yield from pieces
        if not isinstance(row, Mapping) and ROW not in used:
            yield "\n\n" if self._text.strip() else ""
            yield Placeholder("", ROW, row)

    def _check_field(self, match: re.Match[str], names: Mapping[str, Any], row: Any) -> None:
        path, spec = match["path"], match["spec"]
        first = _base_name(path, names)
        if first not in names:
            if spec is None or (isinstance(row, Mapping) and (_SPEC.search(spec) or _closest_column(path, row))):
                raise PromptError(f"{_missing_text(match[0][1:-1], row)}; nothing was asked")
            return
        if first in self._doubled:
            raise PromptError(f"several columns are named {first!r}, so {match[0]} is ambiguous; rename them")
        value = names[first]
        if is_missing(value):
            return
        if path != first:
            if not _can(lambda: attrgetter(path.partition(".")[2])(value), AttributeError):
                raise PromptError(f"{_missing_text(path, row)}; nothing was asked")
        elif spec and _SPEC.search(spec) and not match["cast"] and not _can(lambda: format(value, spec), ValueError, TypeError):
            raise PromptError(f"{match[0]} can't be written: {str(value)[:40]!r} is of type {type(value).__name__}")


def names_in(row: Any) -> Mapping[str, Any]:
    """Return the names that a row gives to a template."""
    return {ROW: row, **{str(name): value for name, value in row.items()}} if isinstance(row, Mapping) else {ROW: row}


class _Gap:
    """Stands where a value is missing, however it is to be written."""

    def __str__(self) -> str:
        return "(missing)"

    __repr__ = __str__

    def __format__(self, _: str) -> str:
        return str(self)

    def __getattr__(self, name: str) -> _Gap:
        if name.startswith("_"):
            raise AttributeError(name)
        return self


def _base_name(path: str, names: Mapping[str, Any]) -> str:
    """Return the name in a path: all of it if there is one of that name, else what stands before its first dot."""
    return path if path in names else path.partition(".")[0]


@lru_cache(maxsize=64)
def _labels(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name and not name.isidentifier())


def _can(read: Callable[[], object], *refusals: type[Exception]) -> bool:
    """Whether a value can be read, or written, so; what raises anything else is told when that is done."""
    try:
        read()
    except refusals:
        return False
    except Exception:  # noqa: BLE001 - it is anybody's code
        return True
    return True


def _means_column(inner: str, row: Mapping[Any, Any]) -> bool:
    """Whether what stands in braces is meant as a column: called nearly as one is, or in the manner of one."""
    name = inner.partition(":")[0].partition("!")[0].strip()
    if not name or name in map(str, row) or name[0] in "\"'{[<":
        return False
    manner = any(" " in str(column) for column in row) and " " in name
    return bool(_closest_column(name, row)) or (manner and name == inner and _WORDS.fullmatch(name) is not None)


def _closest_column(name: str, row: Mapping[Any, Any], cutoff: float = _NEAR) -> str:
    """Return the column that is called nearly so, in whatever case; empty if none is."""
    columns = {str(column).casefold(): str(column) for column in row}
    near = difflib.get_close_matches(name.casefold(), columns, 1, cutoff)
    return columns[near[0]] if near else ""


def _missing_text(inner: str, row: Any) -> str:
    if not isinstance(row, Mapping):
        return f"{{{inner}}} names a column, but the rows are plain values, which {{{ROW}}} stands for"
    name = inner.partition(":")[0].partition("!")[0].strip()
    near = _closest_column(name, row, 0.6) or _closest_column(name.partition(".")[0], row, 0.6)
    instead = f" (did you mean {near}?)" if near else "" if name.isidentifier() else f" ({{{{{inner}}}}} stays as typed)"
    return f"no column {name!r}{instead}; {_columns_text(row)}"


def _columns_text(row: Mapping[Any, Any]) -> str:
    names = [f"{{{name}}}" for name in row]
    return f"there is {', '.join(names[:_MANY])}{' …' if len(names) > _MANY else ''}"
