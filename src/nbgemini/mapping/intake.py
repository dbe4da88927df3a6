"""Rows on their way into a map: their prompts are made, and those that an earlier run has paid for need not be asked."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.mapped import Mapped, Row
from nbgemini.mapping.asking import Manner, Waiting
from nbgemini.mapping.source import RowSource
from nbgemini.mapping.store import RowStore
from nbgemini.mapping.template import Template
from nbgemini.pace import Pace


class Taken(Struct):
    """A few rows: those to be asked, those that have their answer, and those that can't be asked."""

    waiting: list[Waiting]
    stored: list[Row]
    refused: list[tuple[Row, PromptError]]


class Intake:
    """Takes rows in, a few at a time."""

    def __init__(self, manner: Manner, template: Template, source: RowSource, store: RowStore | None) -> None:
        """Begin before the first; `store` is asked for answers, if there is one."""
        self._manner = manner
        self._template = template
        self._source = source
        self._store = store
        self._names: Counter[str] = Counter()

    async def some(self, table: Mapped) -> Taken | None:
        """Return the next few rows, put into the table; None at the end.

        Raises:
            PromptError: the template does not fit the rows.
            ConfigurationError: the store can't be read.
        """
        given = await self._source.some()
        if given and not table.so_far:
            self._template.check(given[0])
        taken = Taken([], [], [])
        for row in [table.so_far.add(one) for one in given]:
            await self._make(row, taken)
        await self._find(taken)
        return taken if given else None

    async def rest(self, table: Mapped) -> None:
        """Put what is left into the table, where its end is known; else let go of it."""
        await self._source.aclose()
        for given in self._source.rest():
            table.so_far.add(given)

    async def _make(self, row: Row, taken: Taken) -> None:
        await Pace.here().ready()
        try:
            turn = await self._template.turn(row.input)
            taken.waiting.append(self._manner.waiting(row, turn, self._names))
        except PromptError as error:
            taken.refused.append((row, error))

    async def _find(self, taken: Taken) -> None:
        """Part those that have their answer from those that wait."""
        if self._store is None:
            return
        kept = await self._store.find([item.name for item in taken.waiting])
        asked = [item for item in taken.waiting if item.name not in kept or not self._manner.recall(item.row, kept[item.name])]
        taken.stored = [item.row for item in taken.waiting if item.row.stored]
        taken.waiting = asked
