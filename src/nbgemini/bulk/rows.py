"""How one row of a map is asked, what it is called on disk, and what its trouble means for itself and for all."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, structs

from nbgemini._async.scheduler import Pace
from nbgemini.bulk.sources import RowSource
from nbgemini.bulk.store import RowKey, RowStore, StoredAnswer
from nbgemini.bulk.table import Mapped, Row
from nbgemini.bulk.template import Template
from nbgemini.chat.chat import Chat, Log
from nbgemini.chat.endpoint import Sending
from nbgemini.chat.reply import Reply
from nbgemini.chat.structured_output import read_answer
from nbgemini.errors import ApiError, AuthenticationError, ConfigurationError, NbGeminiError, PromptError, RateLimitError
from nbgemini.messages.turns import Options, Turn, user_turn
from nbgemini.replay.fingerprint import digest, key_of
from nbgemini.services import bare_model
from nbgemini.transport.retry import Attempts

GENEROUS = 600.0  # seconds that a row is sent again for, where only limits are in its way
_LIMITS = (429, 503, 529)
_NOT_FOUND, _NOT_ALLOWED = 404, "PERMISSION_DENIED"
_ALIKE = 10  # rows that fail in the same words


class Waiting:
    """A row in line."""

    def __init__(self, row: Row, turn: Turn, name: RowKey, attempts: Attempts) -> None:
        """Know its prompt, and what its answer is called on disk."""
        self.row = row
        self.turn = turn
        self.name = name
        self.attempts = attempts
        self.refused_at: float | None = None
        self.paid = 0  # times that the budget of the process was asked for it
        self.reply: Reply | None = None


class Manner(Struct, frozen=True):
    """How all rows of a map are asked.

    Attributes:
        chat: what asks them; it sends nothing again by itself.
        sending: the same way with its own patience, which counts the attempts of a row.
        options: what all requests have in common; the model with its service.
        address: who answers: the same request to another service is another row.
        log: who writes the requests down.
    """

    chat: Chat
    sending: Sending
    options: Options
    address: str
    log: Log | None = None

    def check(self) -> None:
        """Look whether the model takes these options.

        Raises:
            PromptError: it does not.
        """
        if self.options.tools:
            raise PromptError("a map offers the model no tools; %%gemini -t and client.chat do")
        self.sending.provider.encode([user_turn("?")], self._bare)

    def waiting(self, row: Row, turn: Turn, names: Counter[str]) -> Waiting:
        """Return a row that can be asked; `names` counts equal ones."""
        request = self.sending.provider.encode([turn], self._bare)
        key = digest([self.address, key_of(request)])
        names[key] += 1
        return Waiting(row, turn, (key, names[key]), self.sending.attempts())

    def begin(self, turn: Turn) -> Reply:
        """Return a reply that can be driven."""
        changes = {name: value for name, value in structs.asdict(self.options).items() if name != "tools"}
        reply = self.chat.begin(turn, **changes)
        reply.purpose = "map"
        return reply

    def write_down(self, item: Waiting, reply: Reply) -> None:
        """Put the request into the journal: one for a row, however often it was sent."""
        if self.log is not None:
            reply.retries = item.paid + item.attempts.made - 1
            self.log.follow(reply)

    def recall(self, row: Row, kept: StoredAnswer) -> bool:
        """Fill a row with what an earlier run has paid for; False if it is no answer any more."""
        parsed, misfit = read_answer(self.options, kept.text, kept.state) if self.options.json else (None, "")
        if misfit:
            return False
        row.text, row.parsed, row.error, row.stored = kept.text, parsed, kept.note, True
        row.usage, row.cost, row.seconds, row.badge = kept.usage, kept.cost, kept.seconds, kept.badge
        row.state = "truncated" if kept.state == "truncated" else "complete"
        return True

    @property
    def _bare(self) -> Options:
        return structs.replace(self.options, model=bare_model(self.options.model))


def fill(row: Row, reply: Reply) -> None:
    """Put into a row what came, all but its state."""
    row.text, row.parsed, row.usage, row.seconds = reply.text, reply.parsed, reply.usage, reply.seconds
    row.cost, row.badge = None if reply.offline else reply.cost, reply.badge
    missing = {"truncated": reply.misfit or reply.exchange.note, "complete": reply.misfit}
    row.error = str(reply.error or missing.get(reply.state, ""))


def kept_of(row: Row, reply: Reply) -> StoredAnswer | None:
    """Return what is kept of an answer; None if it is to be asked again another time."""
    whole = reply.state in ("complete", "truncated") and reply.error is None and not reply.misfit
    return StoredAnswer(row.text, reply.state, row.error, row.usage, row.cost, row.seconds, row.badge) if whole else None


def limit_of(reply: Reply) -> ApiError | None:
    """Return the error of a reply that met nothing but a limit of the service's."""
    error = reply.error
    limited = isinstance(error, ApiError) and (isinstance(error, RateLimitError) or error.code in _LIMITS)
    return error if limited and isinstance(error, ApiError) and not reply.segments else None


def concerns_all(error: NbGeminiError) -> bool:
    """Whether an error is that of all rows: no key, no leave, no such model, a quota that waiting does not bring back."""
    if isinstance(error, RateLimitError):
        return error.daily or (error.retry_after or 0.0) > GENEROUS
    told = isinstance(error, ApiError) and (error.code == _NOT_FOUND or error.status == _NOT_ALLOWED)
    return isinstance(error, AuthenticationError | ConfigurationError) or told


class Suspicion:
    """Whether the trouble of rows is one of all rows."""

    def __init__(self) -> None:
        """Suspect nothing."""
        self._alike: Counter[str] = Counter()  # since the last answer
        self._answered = False

    def clear(self) -> None:
        """Take in that a row was answered."""
        self._alike.clear()
        self._answered = True

    def falls_on(self, error: NbGeminiError) -> bool:
        """Whether this error, after those before, is one of all rows: many in the same words, and no answer between them.

        Once there was an answer, only the network's and the service's own trouble counts: rows of one kind may stand together.
        """
        self._alike[str(error)] += 1
        many = self._alike[str(error)] >= _ALIKE and (error.passing or not self._answered)
        return concerns_all(error) or many


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
