"""The rows of a map on their way: their prompts, what they share, and what becomes of their replies."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, structs

from nbgemini._async.scheduler import Pace
from nbgemini.bulk.sources import RowSource
from nbgemini.bulk.store import RowKey, RowStore, StoredAnswer
from nbgemini.bulk.table import MapResult, MapRow
from nbgemini.bulk.template import Template
from nbgemini.chat.chat import Chat, Log
from nbgemini.chat.endpoint import Endpoint
from nbgemini.chat.reply import Reply
from nbgemini.chat.structured_output import read_answer
from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Turn, user_turn
from nbgemini.replay.fingerprint import digest, fingerprint
from nbgemini.services import bare_model
from nbgemini.transport.retry import Attempts, RetryBudget


class PendingRow:
    """A row that is to be asked.

    Attributes:
        row: what came of it so far.
        turn: its prompt.
        key: what its answer is stored by.
        attempts: how often it was sent, but for limits.
        limited_since: when it was sent for the first time that met a limit.
        paid: how often the retry budget was spent for it because of limits.
        reply: the reply that runs.
    """

    def __init__(self, row: MapRow, turn: Turn, key: RowKey, attempts: Attempts) -> None:
        """Begin before the first attempt."""
        self.row = row
        self.turn = turn
        self.key = key
        self.attempts = attempts
        self.limited_since: float | None = None
        self.paid = 0
        self.reply: Reply | None = None


class MapContext(Struct, frozen=True):
    """What all rows of a map share.

    Attributes:
        chat: what asks them; it sends nothing again by itself.
        endpoint: the same one with its own retries, which count the attempts of a row.
        options: what all requests have in common; the model with its service.
        address: who answers: the same request to another service is another row.
        log: who writes the requests down.
    """

    chat: Chat
    endpoint: Endpoint
    options: Options
    address: str
    log: Log | None = None

    def check(self) -> None:
        """Check that the model takes these options.

        Raises:
            PromptError: it does not.
        """
        if self.options.tools:
            raise PromptError("a map offers the model no tools; %%gemini -t and client.chat do")
        self.endpoint.codec.encode([user_turn("?")], self._bare)

    def pending(self, row: MapRow, turn: Turn, equal: Counter[str]) -> PendingRow:
        """Return a row that can be asked; `equal` counts equal requests."""
        request = self.endpoint.codec.encode([turn], self._bare)
        key = digest([self.address, fingerprint(request)])
        equal[key] += 1
        return PendingRow(row, turn, (key, equal[key]), self.endpoint.retry.attempts())

    def begin(self, item: PendingRow) -> Reply:
        """Return a reply that can be driven."""
        changes = {name: value for name, value in structs.asdict(self.options).items() if name != "tools"}
        return self.chat.begin(item.turn, purpose="map", retries=item.paid + item.attempts.made - 1, **changes)

    def record(self, reply: Reply) -> None:
        """Write a reply into the journal: one for a row, however often it was sent."""
        if self.log is not None:
            self.log.follow(reply)

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
    def budget(self) -> RetryBudget:
        """What retries are paid from."""
        return self.endpoint.retry.budget

    @property
    def _bare(self) -> Options:
        return structs.replace(self.options, model=bare_model(self.options.model))


def fill(row: MapRow, reply: Reply) -> None:
    """Fill a row with what came, all but its state."""
    row.text, row.parsed, row.usage, row.seconds = reply.text, reply.parsed, reply.usage, reply.seconds
    row.cost, row.badge = None if reply.offline else reply.cost, reply.badge
    missing = {"truncated": reply.misfit or reply.exchange.note, "complete": reply.misfit}
    row.error = str(reply.error or missing.get(reply.state, ""))


def answer_to_store(row: MapRow, reply: Reply) -> StoredAnswer | None:
    """Return what is stored of an answer; None if the row is to be asked again another time."""
    whole = reply.state in ("complete", "truncated") and reply.error is None and not reply.misfit
    return StoredAnswer(row.text, reply.state, row.error, row.usage, row.cost, row.seconds, row.badge) if whole else None


class LoadedRows(Struct):
    """A few rows: those to be asked, those with a stored answer, and those that can't be asked."""

    pending: list[PendingRow]
    stored: list[MapRow]
    refused: list[tuple[MapRow, PromptError]]


class RowLoader:
    """Loads rows, a few at a time: makes their prompts, and finds the answers that an earlier run has paid for."""

    def __init__(self, context: MapContext, template: Template, source: RowSource, store: RowStore | None) -> None:
        """Begin before the first row; without a `store` no answers are looked for."""
        self._context = context
        self._template = template
        self._source = source
        self._store = store
        self._equal: Counter[str] = Counter()

    async def load(self, table: MapResult) -> LoadedRows | None:
        """Return the next few rows, added to the table; None at the end.

        Raises:
            PromptError: the template does not fit the rows.
            ConfigurationError: the store can't be read.
        """
        given = await self._source.some()
        if given and not table.so_far:
            self._template.check(given[0])
        loaded = LoadedRows([], [], [])
        for row in [table.so_far.add(one) for one in given]:
            await self._prepare(row, loaded)
        await self._find_answers(loaded)
        return loaded if given else None

    async def add_rest(self, table: MapResult) -> None:
        """Add the rows that are left to the table, where their end is known; close an iterator."""
        await self._source.aclose()
        for given in self._source.rest():
            table.so_far.add(given)

    async def _prepare(self, row: MapRow, loaded: LoadedRows) -> None:
        await Pace.here().ready()
        try:
            turn = await self._template.turn(row.input)
            loaded.pending.append(self._context.pending(row, turn, self._equal))
        except PromptError as error:
            loaded.refused.append((row, error))

    async def _find_answers(self, loaded: LoadedRows) -> None:
        if self._store is None:
            return
        found = await self._store.find([item.key for item in loaded.pending])
        asked = [
            item for item in loaded.pending if item.key not in found or not self._context.restore(item.row, found[item.key])
        ]
        loaded.stored = [item.row for item in loaded.pending if item.row.stored]
        loaded.pending = asked
