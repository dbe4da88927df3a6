"""What a map goes through, a few rows at a time: a list, any iterable, a table or a column, an asynchronous iterator.

Nothing is read ahead of what is asked for. Invariant: a row of a table is a dict with a name for each column, also where two
columns have one name; what was changed to make it so is told in `remarks`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.prompts.tables import Table, is_missing, table_of

_FEW = 32  # rows at a time, where they are at hand


class RowSource:
    """Rows in their order.

    Attributes:
        total: how many there are; None where the end is not known yet.
        labels: the table's own index of the rows; None where there is none.
        doubled: names that several columns have.
        remarks: what was done to columns to make rows of a table, in words, by column.
    """

    def __init__(self, rows: Any) -> None:
        """Take nothing yet.

        Raises:
            PromptError: these are no rows.
        """
        table = table_of(rows)
        if table is None and (isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable | AsyncIterable)):
            raise PromptError(f"rows are a list, a table or one of its columns, or an iterator, not a {type(rows).__name__}")
        self.labels: Any = table.index if table else None
        self.doubled = frozenset(_doubled(table.names)) if table else frozenset()
        self.remarks: dict[str, str] = {}
        self._broken: Exception | None = None
        self._later: AsyncIterator[Any] | None = None
        if table is not None:
            self.total = table.count
            self._now = iter(self._rows_of(table))
            return
        self.total = len(rows) if isinstance(rows, Sized) else None
        self._later = aiter(rows) if isinstance(rows, AsyncIterable) else None
        self._now = iter(()) if self._later else iter(rows)

    async def some(self) -> list[Any]:
        """Return the next few rows; none at the end. An asynchronous iterator is asked for one at a time."""
        if self._later is None:
            return self._at_hand()
        try:
            return [await anext(self._later)]
        except StopAsyncIteration:
            return []

    def _at_hand(self) -> list[Any]:
        """Return the next few; an iterator that breaks off gives what it had, and its error the next time."""
        if self._broken is not None:
            raise self._broken
        some: list[Any] = []
        try:
            some.extend(islice(self._now, _FEW))
        except Exception as error:
            if not some:
                raise
            self._broken = error
        return some

    async def aclose(self) -> None:
        """Let go of an asynchronous generator that was not read to its end."""
        if isinstance(self._later, AsyncGenerator):
            await self._later.aclose()

    def rest(self) -> list[Any]:
        """Return all that is left where its end is known."""
        return [] if self.total is None else list(self._now)

    def _rows_of(self, table: Table) -> Iterator[Any]:
        if table.column and not (table.named and isinstance(table.names[0], str)):
            return (value for (value,) in table.read(None, None))
        names, gapped = _unique(table.names), table.gapped()
        self.remarks |= {name: f"several columns are called {name!r}: they were numbered" for name in sorted(self.doubled)}
        self.remarks |= {names[at]: f"{names[at]}: whole numbers with gaps, asked about without .0" for at in sorted(gapped)}
        return (dict(zip(names, _whole(row, gapped), strict=True)) for row in table.read(None, None))


def _whole(row: tuple[Any, ...], gapped: set[int]) -> tuple[Any, ...]:
    if not gapped:
        return row
    return tuple(int(value) if at in gapped and not is_missing(value) else value for at, value in enumerate(row))


def _unique(names: Sequence[Any]) -> list[str]:
    """Return a name for each column: of equal ones the second is `name_2`."""
    unique: dict[str, None] = {}
    given = {str(name) for name in names}
    for name in map(str, names):
        number, found = 2, name
        while found in unique or (number > 2 and found in given):  # noqa: PLR2004 - a number was put behind it
            found, number = f"{name}_{number}", number + 1
        unique[found] = None
    return list(unique)


def _doubled(names: Iterable[Any]) -> list[str]:
    return [name for name, count in Counter(map(str, names)).items() if count > 1]
