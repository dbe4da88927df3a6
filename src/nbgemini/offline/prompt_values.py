"""Values for objects and arguments, taken from what a prompt says: its tables, `name: value`, numbers, quoted texts, names.

The offline service fills a schema or the arguments of a call with them, in the order in which they stand there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nbgemini.offline.table_answers import TextTable, tables_in, without_tables

_LONGEST = 20_000  # characters of a prompt that are looked at
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d{1,15}(?:\.\d{1,15})?(?!\.?\w)")
_QUOTED = re.compile(r"[\"“]([^\"“”\n]{1,200})[\"”]|(?<!\w)'([^'\n]{1,200})'(?!\w)")
_NAME = re.compile("\\b[^\\W\\d_a-z][\\w\u2019-]*(?: (?:(?:of|de|van|von|the) )?[^\\W\\d_a-z][\\w\u2019-]*){0,4}")
_FORMATS = {"email": r"[\w.+-]+@[\w-]+\.[\w.-]+\b", "uri": r"https?://[^\s<>\"')]+", "date": r"\b\d{4}-\d\d-\d\d\b"}
_NO_NAMES = re.compile(
    "a|all|am|an|and|answer|are|as|at|can|classify|could|describe|do|does|explain|extract|fill|find|for|from|get|give|have|hello"
    "|here|how|i|if|in|is|it|json|let|list|make|me|my|name|no|of|on|please|put|return|say|show|tell|that|the|these|they|this|to"
    "|use|we|what|what.s|when|where|which|who|why|with|write|you|your",
    re.IGNORECASE,
)
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


class PromptValues:
    """What a prompt says, taken bit by bit; nothing is taken twice."""

    def __init__(self, prompt: str) -> None:
        """Read a prompt."""
        prompt = prompt[:_LONGEST]
        self.tables: list[TextTable] = tables_in(prompt)
        self.words = without_tables(prompt)
        quoted = [first or second for first, second in _QUOTED.findall(self.words)]
        self._numbers: Iterator[str] = iter(_NUMBER.findall(self.words))
        self._texts: Iterator[str] = iter(quoted or list(_names(self.words)))

    def take(self, name: str, kind: str, form: str = "") -> Any:
        """Return the next value of a JSON type for a field; None if the prompt holds none.

        Args:
            name: of the field; `name: value` in the prompt is its own.
            kind: `string`, `integer`, `number` or `boolean`.
            form: the format of a text, as JSON Schema names it.
        """
        said = re.search(
            rf"\b{re.escape(name)}\b\s*(?:[:=]|is|of)\s*(\"[^\"\n]+\"|'[^'\n]+'|[^\s,;]+)", self.words, re.IGNORECASE
        )
        if said and (value := as_kind(said[1].strip("\"'.?!"), kind)) is not None:
            return value
        if form in _FORMATS:
            found = re.search(_FORMATS[form], self.words)
            return found[0] if found else None
        if kind in ("integer", "number"):
            return next((value for text in self._numbers if (value := as_kind(text, kind)) is not None), None)
        return next(self._texts, None) if kind == "string" else None

    def chosen(self, choices: list[Any]) -> Any:
        """Return the first of these choices that the prompt names; None if it names none."""
        said = self.words.lower()
        return next(
            (one for one in choices if isinstance(one, str) and re.search(rf"\b{re.escape(one.lower())}\b", said)), None
        )

    def rows_with(self, names: list[str]) -> list[dict[str, str]]:
        """Return the rows of the first table that has one of these columns, spelled in any case."""
        for table in self.tables:
            known = {_plain(column): column for column in table.names}
            found = {name: known[_plain(name)] for name in names if _plain(name) in known}
            if found:
                columns = {name: table.column(column) for name, column in found.items()}
                return [{name: cells[n] for name, cells in columns.items()} for n in range(len(table.rows))]
        return []

    def count(self, kind: str) -> int:
        """Return how many values of a type are there to be taken."""
        left = list(self._numbers if kind in ("integer", "number") else self._texts)
        if kind in ("integer", "number"):
            self._numbers = iter(left)
        else:
            self._texts = iter(left)
        return len(left)


def as_kind(text: str, kind: str) -> Any:
    """Return a text as a value of a JSON type; None if it is none."""
    if kind in ("integer", "number"):
        try:
            number = float(text.replace(",", ""))
        except ValueError:
            return None
        whole = number.is_integer() if abs(number) < 2**53 else False
        return int(number) if whole and (kind == "integer" or "." not in text) else number if kind == "number" else None
    if kind == "boolean":
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None
    return text if kind == "string" and text else None


def _names(text: str) -> Iterator[str]:
    """Yield what is written like a name: words in capitals, without those that only begin a sentence."""
    for found in _NAME.findall(text):
        words = found.split()
        while words and _NO_NAMES.fullmatch(words[0]):
            words = words[1:]
        if words:
            yield " ".join(words)


def _plain(name: str) -> str:
    return re.sub(r"[_\W]+", "", name.lower()).removesuffix("s")
