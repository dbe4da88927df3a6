"""What a map goes through, a few rows at a time: a list, any iterable, a table or column of pandas, an asynchronous iterator.

pandas is known by its modules' names and never imported; nothing is read ahead of what is asked for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.tool_tables import package_of

_FEW = 32  # rows at a time, where they are at hand


class RowSource:
    """Rows in their order.

    Attributes:
        total: how many there are; None where the end is not known yet.
        labels: pandas' index of the rows; None where there is none.
    """

    def __init__(self, rows: Any) -> None:
        """Take nothing yet.

        Raises:
            PromptError: these are no rows.
        """
        kinds = {kind.__name__ for kind in type(rows).__mro__} if package_of(rows) == "pandas" else set()
        if isinstance(rows, str | bytes | Mapping) or not (kinds or isinstance(rows, Iterable | AsyncIterable)):
            raise PromptError(f"rows are a list, a table or column of pandas, or an iterator, not a {type(rows).__name__}")
        self.total: int | None = len(rows) if isinstance(rows, Sized) else None
        self.labels: Any = rows.index if kinds & {"DataFrame", "Series"} else None
        self._broken: Exception | None = None
        self._later: AsyncIterator[Any] | None = aiter(rows) if isinstance(rows, AsyncIterable) else None
        self._now = iter(()) if self._later else iter(_rows(rows, kinds))

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


def _rows(rows: Any, kinds: set[str]) -> Iterator[Any]:
    if "DataFrame" in kinds:
        columns = [str(name) for name in rows.columns]
        return (dict(zip(columns, row, strict=True)) for row in rows.itertuples(index=False, name=None))
    if "Series" in kinds and isinstance(rows.name, str):
        return ({rows.name: value} for value in rows)
    return iter(rows)
