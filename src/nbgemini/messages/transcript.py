"""All exchanges of a chat in order, and which of them the next request may rest on.

An exchange is what was asked and what came of it. It is stored in two phases: asked before the request leaves, came as it
comes, closed with exactly one terminal state.

Invariants: the turns for the next request alternate, and no call in them is without its answer; signed parts go back
unchanged; of a turn that did not end well only its answer text goes back, and an exchange without anything is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from nbgemini.messages.turns import NOTE, ORIGIN, Format, Part, Turn, Usage, merge_text

State: TypeAlias = Literal["running", "waiting", "complete", "truncated", "interrupted", "blocked", "failed"]

KERNEL_ENDED = "the kernel ended"  # the note of an exchange that was cut off by it
_KEPT = ("truncated", "interrupted")
_NOTHING = {"text", "thought", "thoughtSignature", ORIGIN}  # what a part may hold beside a text that says something


class ExchangeStats(Struct, frozen=True):
    """What an answer took: `context` is the tokens of its last round, asked and answered; `cost` is in USD.

    `badge` says what answered if it was no service: `offline service` or `replay`; `format` is how the answer was shown.
    """

    model: str
    provider: str
    usage: Usage
    context: int
    cost: float | None
    seconds: float
    badge: str = ""
    format: Format = "markdown"


class Exchange:
    """One prompt and its answer; `cell` is the id of the notebook cell it came from, if any."""

    def __init__(self, asked: Turn, cell: str | None = None) -> None:
        self.asked = asked
        self.cell = cell
        self.past: list[Turn] = []  # of the rounds that ended with calls, all answered: the model's turn and ours, in pairs
        self.parts: list[Part] = []  # of the model's last turn, as it comes
        self.state: State = "running"
        self.note = ""  # why it ended as it did, where that needs words
        self.facts: ExchangeStats | None = None  # none before its end, and for one that a former kernel left

    def answer(self, results: Iterable[Part]) -> None:
        """Close a round that ended well: the model's turn with its calls, and our answers to all of them."""
        turns = [Turn("model", merge_text(self.parts)), Turn("user", tuple(results))]
        self.parts = []  # first: the journal's thread, which looks on, must not find the calls twice
        self.past += turns

    def turns(self) -> tuple[Turn, ...]:
        """Return the turns that may go back to the service; none if nothing of worth came."""
        answer = tuple(part for part in self.parts if self._goes_back(part))
        worth = any(part.get("text") or part.keys() - _NOTHING for part in answer)
        came = (*self._rounds(), *([Turn("model", answer)] if worth else []))
        return (self.asked, *came) if came else ()

    def asked_so_far(self) -> tuple[Turn, ...]:
        """Return the turns that the next round answers to."""
        return (self.asked, *self._rounds())

    def _rounds(self) -> Iterator[Turn]:
        for turn in self.past:
            yield Turn(turn.role, tuple(_without_note(part) for part in turn.parts if _is_worth_sending(part)))

    def _goes_back(self, part: Part) -> bool:
        if "functionCall" in part:
            return False  # nobody answered it: those that were are in the past
        if self.state == "complete":
            return _is_worth_sending(part)
        return self.state in _KEPT and isinstance(part.get("text"), str) and not part.get("thought")


class Transcript:
    """The exchanges of one chat."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self.exchanges)

    def __len__(self) -> int:
        return len(self.exchanges)

    def ask(self, asked: Turn, cell: str | None = None) -> tuple[int, Exchange]:
        """Store a prompt and return its number and exchange.

        A cell that is run again replaces its own exchange, where it stood, instead of adding a twin.
        """
        exchange = Exchange(asked, cell)
        number = next((n for n, old in enumerate(self.exchanges) if cell and old.cell == cell), None)
        if number is None:
            self.exchanges.append(exchange)
            return len(self.exchanges) - 1, exchange
        self.exchanges[number] = exchange
        return number, exchange

    @property
    def facts(self) -> ExchangeStats | None:
        """What the last answer took whose context is known: the next prompt comes on top of that."""
        return next((old.facts for old in reversed(self.exchanges) if old.facts and old.facts.context), None)

    def before(self, exchange: Exchange) -> tuple[Turn, ...]:
        """Return the turns that lead up to this exchange."""
        earlier = self.exchanges[: self.exchanges.index(exchange)] if exchange in self.exchanges else []
        return tuple(turn for old in earlier for turn in old.turns())

    def request_turns(self, exchange: Exchange) -> tuple[Turn, ...]:
        """Return all turns of the next request, the roles alternating."""
        return alternating((*self.before(exchange), *exchange.asked_so_far()))

    def clear(self) -> None:
        """Forget everything."""
        self.exchanges.clear()


def alternating(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Join neighbouring turns of one side: answers to calls that nothing came of, and the next prompt."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role:
            joined[-1] = Turn(turn.role, (*joined[-1].parts, *turn.parts))
        else:
            joined.append(turn)
    return tuple(joined)


def _without_note(part: Part) -> Part:
    return {name: value for name, value in part.items() if name != NOTE} if NOTE in part else part


def _is_worth_sending(part: Part) -> bool:
    return (not part.get("thought") or "thoughtSignature" in part) and part.keys() != {NOTE}
