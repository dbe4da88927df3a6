"""The rows of a map: where they come from, their prompts, what they share, and what becomes of their replies.

They come from a list, any iterable, a table or a column, or an asynchronous iterator; nothing is read ahead of what is asked
for. Invariant: a row of a table is a dict with a name for each column, also where two columns have one name; what was changed
to make it so is told in `remarks`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any, NamedTuple

from msgspec import Struct, structs

from nbgemini._async.scheduler import FairScheduler
from nbgemini.bulk.store import RowKey, RowStore, StoredAnswer
from nbgemini.bulk.table import MapResult, MapRow
from nbgemini.bulk.template import Template
from nbgemini.chat.chat import Chat, Log
from nbgemini.chat.endpoint import Endpoint
from nbgemini.chat.reply import Reply
from nbgemini.chat.structured_output import read_answer
from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Turn, user_turn
from nbgemini.prompts.tables import Table, is_missing, table_of
from nbgemini.replay.fingerprint import digest, request_fingerprint
from nbgemini.services import bare_model
from nbgemini.transport.retry import Attempts

_FEW = 32  # rows at a time, where they are at hand
_END = object()


class RowSource:
    """Rows in their order; what can't be rows is a PromptError."""

    def __init__(self, rows: Any) -> None:
        table = table_of(rows)
        if table is None and (isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable | AsyncIterable)):
            raise PromptError(f"rows are a list, a table or one of its columns, or an iterator, not a {type(rows).__name__}")
        self.labels: Any = table.index if table else None  # the table's own index of the rows
        counts = Counter(map(str, table.names)) if table else {}
        self.doubled = frozenset(name for name, count in counts.items() if count > 1)  # names that several columns have
        self.remarks: dict[str, str] = {}  # what was done to columns to make rows of a table, by column
        self._broken: Exception | None = None
        self._later: AsyncIterator[Any] | None = None
        if table is not None:
            self.total = table.count
            self._now = iter(self._rows_of(table))
            return
        self.total = len(rows) if isinstance(rows, Sized) else None  # where the end is known
        self._later = aiter(rows) if isinstance(rows, AsyncIterable) else None
        self._now = iter(()) if self._later else iter(rows)

    async def some(self) -> list[Any]:
        """Return the next few rows; none at the end. An asynchronous iterator is asked for one at a time."""
        if self._later is not None:
            return [row] if (row := await anext(self._later, _END)) is not _END else []
        if self._broken is not None:  # the iterator broke off, and gave what it had
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
        return (dict(zip(names, _without_fractions(row, gapped), strict=True)) for row in table.read(None, None))


def _without_fractions(row: tuple[Any, ...], gapped: set[int]) -> tuple[Any, ...]:
    """Return a row in which whole numbers of columns with gaps are `int` again."""
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


class PendingRow(Struct, eq=False):
    """A row that is to be asked: what came of it so far, its prompt, and what its answer is stored by."""

    row: MapRow
    turn: Turn
    key: RowKey
    attempts: Attempts  # but for limits
    limited_since: float | None = None  # when it was sent for the first time that met a limit
    paid: int = 0  # how often the retry budget was spent for it because of limits
    reply: Reply | None = None  # that runs


class MapContext(Struct, frozen=True):
    """What all rows of a map share."""

    chat: Chat  # asks them, and sends nothing again by itself
    endpoint: Endpoint  # the same one with its own retries, which count the attempts of a row
    options: Options  # what all requests have in common; the model with its service
    address: str  # who answers: the same request to another service is another row
    log: Log | None = None  # writes the requests down

    def check(self) -> None:
        """Raise PromptError if the model does not take these options."""
        self.endpoint.codec.encode([user_turn("?")], self._bare)

    def pending(self, row: MapRow, turn: Turn, equal: Counter[str]) -> PendingRow:
        """Return a row that can be asked; `equal` counts equal requests."""
        request = self.endpoint.codec.encode([turn], self._bare)
        key = digest([self.address, request_fingerprint(request)])
        equal[key] += 1
        return PendingRow(row, turn, (key, equal[key]), self.endpoint.retry.attempts())

    def begin(self, item: PendingRow) -> Reply:
        """Return a reply that can be driven."""
        return self.chat.begin(item.turn, purpose="map", retries=item.paid + item.attempts.made - 1)

    def restore(self, row: MapRow, answer: StoredAnswer) -> bool:
        """Fill a row with what an earlier run has paid for; return False if that does not fit the schema any more."""
        parsed, misfit = read_answer(self.options, answer.text, answer.state) if self.options.json else (None, "")
        if misfit:
            return False
        row.text, row.parsed, row.error, row.stored = answer.text, parsed, answer.note, True
        row.usage, row.cost, row.seconds, row.badge = answer.usage, answer.cost, answer.seconds, answer.badge
        row.state = "truncated" if answer.state == "truncated" else "complete"
        return True

    @property
    def _bare(self) -> Options:
        return structs.replace(self.options, model=bare_model(self.options.model))


def fill_row(row: MapRow, reply: Reply) -> None:
    """Fill a row with what came, all but its state."""
    row.text, row.parsed, row.usage, row.seconds = reply.text, reply.parsed, reply.usage, reply.seconds
    row.cost, row.badge = None if reply.offline else reply.cost, reply.badge
    missing = {"truncated": reply.misfit or reply.exchange.note, "complete": reply.misfit}
    row.error = str(reply.error or missing.get(reply.state, ""))


def answer_to_store(row: MapRow, reply: Reply) -> StoredAnswer | None:
    """Return what is stored of an answer; None if the row is to be asked again another time."""
    whole = reply.state in ("complete", "truncated") and reply.error is None and not reply.misfit
    return StoredAnswer(row.text, reply.state, row.error, row.usage, row.cost, row.seconds, row.badge) if whole else None


class LoadedRows(NamedTuple):
    """A few rows: those to be asked, those with a stored answer, and those that can't be asked."""

    pending: list[PendingRow]
    stored: list[MapRow]
    refused: list[tuple[MapRow, PromptError]]


class RowLoader:
    """Loads rows, a few at a time: makes their prompts, and finds the answers that an earlier run has paid for."""

    def __init__(self, context: MapContext, template: Template, source: RowSource, store: RowStore | None) -> None:
        self._context = context
        self._template = template
        self._source = source
        self._store = store
        self._equal: Counter[str] = Counter()

    async def load(self, table: MapResult) -> LoadedRows | None:
        """Return the next few rows, added to the table; None at the end. Without a store no answers are looked for."""
        given = await self._source.some()
        if not given:
            return None
        rows = [table.so_far.add(one) for one in given]
        if rows[0].index == 0:
            self._template.check(given[0])
        loaded, scheduler, unknown = LoadedRows([], [], []), FairScheduler.here(), []
        for row in rows:
            await scheduler.turn()
            try:
                turn = await self._template.turn(row.input)
                unknown.append(self._context.pending(row, turn, self._equal))
            except PromptError as error:
                loaded.refused.append((row, error))
        found = await self._store.find([item.key for item in unknown]) if self._store is not None else {}
        for item in unknown:
            if item.key in found and self._context.restore(item.row, found[item.key]):
                loaded.stored.append(item.row)
            else:
                loaded.pending.append(item)
        return loaded

    async def add_rest(self, table: MapResult) -> None:
        """Add the rows that are left to the table, where their end is known; close an iterator."""
        await self._source.aclose()
        for given in self._source.rest():
            table.so_far.add(given)
