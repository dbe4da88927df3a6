"""A template for many prompts: `{column}` stands for a value of the row, every other brace for itself.

`{row}` is the whole row, unless a column is called so; where rows are plain values and the template has no `{row}`, the value
follows the template after an empty line. `{}` stays as typed. Invariants: a value is never searched for names; what names no
column is told before anything is asked.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.fields import Field, fields_of
from nbgemini.turns import Turn
from nbgemini.values import placed, turn_of

ROW = "row"
_MANY = 12  # columns that a message names


class Template:
    """The text that all rows have in common."""

    def __init__(self, text: str) -> None:
        """Find out which names it has."""
        self._text = text
        self._names = [field.name.partition(".")[0] for field in fields_of(text, _Any()) if isinstance(field, Field)]
        self._sure = [field for field in fields_of(text, _Any()) if isinstance(field, Field) and ":" not in field.typed]

    def check(self, row: Any) -> None:
        """Look whether a row has what is named.

        Raises:
            PromptError: a column is missing, or none is named.
        """
        names = names_in(row)
        for field in self._sure:
            if field.name.partition(".")[0] not in names:
                raise PromptError(f"{_missing(field, row)}; nothing was asked")
        if isinstance(row, Mapping) and not any(name in names for name in self._names):
            raise PromptError(f"the template names no column, so that all rows would ask the same; {_known(row)}")

    async def turn(self, row: Any) -> Turn:
        """Return the prompt of a row; files are read in a thread.

        Raises:
            PromptError: a column is missing, or its value can't be said.
        """
        self.check(row)
        reads = any(isinstance(value, Path) for value in names_in(row).values())
        return await asyncio.to_thread(self._turn, row) if reads else self._turn(row)

    def _turn(self, row: Any) -> Turn:
        return turn_of([part for piece in self._pieces(row) for part in placed(piece)])

    def _pieces(self, row: Any) -> Iterator[str | Field]:
        yield from fields_of(self._text, names_in(row))
        if not isinstance(row, Mapping) and ROW not in self._names:
            yield "\n\n" if self._text.strip() else ""
            yield Field("", ROW, row)


def names_in(row: Any) -> Mapping[str, Any]:
    """Return the names that a row gives to a template."""
    return {ROW: row, **{str(name): value for name, value in row.items()}} if isinstance(row, Mapping) else {ROW: row}


def _missing(field: Field, row: Any) -> str:
    name = field.name.partition(".")[0]
    if not isinstance(row, Mapping):
        return f"{field.typed} names a column, but the rows are plain values, which {{{ROW}}} stands for"
    near = difflib.get_close_matches(name, [str(column) for column in row], n=1)
    return f"no column {name!r}{f' (did you mean {near[0]}?)' if near else ''}; {_known(row)}"


def _known(row: Mapping[Any, Any]) -> str:
    names = [f"{{{name}}}" for name in row]
    return f"there is {', '.join(names[:_MANY])}{' …' if len(names) > _MANY else ''}"


class _Any(dict[str, Any]):
    """Has every name, attribute and format: what of a template is a field, whatever the rows hold."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> _Any:
        return self

    def __getattr__(self, name: str) -> _Any:
        return self

    def __format__(self, spec: str) -> str:
        return ""
