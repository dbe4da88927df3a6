"""All exchanges of a chat in order, and which of them the next request may rest on.

An exchange is what was asked and what came of it. It is stored in two phases: asked before the request leaves, came as it
comes, closed with exactly one terminal state.

Invariants: the turns for the next request alternate and never end in an unanswered model turn; signed parts go back
unchanged; of an answer that did not end well only its answer text goes back, and an exchange without any is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from nbgemini.turns import Part, Turn

State: TypeAlias = Literal["running", "waiting", "complete", "truncated", "interrupted", "blocked", "failed"]

_KEPT = ("truncated", "interrupted")


class Exchange:
    """One prompt and its answer; `cell` is the id of the notebook cell it came from, if any."""

    def __init__(self, asked: Turn, cell: str | None = None) -> None:
        """Store what was asked."""
        self.asked = asked
        self.cell = cell
        self.parts: list[Part] = []
        self.state: State = "running"
        self.note = ""  # why it ended as it did, where that needs words

    def turns(self) -> tuple[Turn, ...]:
        """Return the turns that may go back to the service; none if nothing of worth came."""
        answer = tuple(part for part in self.parts if self._goes_back(part))
        worth = any(part.get("text") or "functionCall" in part or "inlineData" in part for part in answer)
        return (self.asked, Turn("model", answer)) if worth else ()

    def _goes_back(self, part: Part) -> bool:
        if self.state == "complete":
            return not part.get("thought") or "thoughtSignature" in part
        return self.state in _KEPT and isinstance(part.get("text"), str) and not part.get("thought")


class Transcript:
    """The exchanges of one chat."""

    def __init__(self) -> None:
        """Start empty."""
        self.exchanges: list[Exchange] = []

    def __iter__(self) -> Iterator[Exchange]:
        """Go through the exchanges in order."""
        return iter(self.exchanges)

    def __len__(self) -> int:
        """Count the exchanges."""
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

    def before(self, exchange: Exchange) -> tuple[Turn, ...]:
        """Return the turns that lead up to this exchange."""
        earlier = self.exchanges[: self.exchanges.index(exchange)] if exchange in self.exchanges else []
        return tuple(turn for old in earlier for turn in old.turns())

    def clear(self) -> None:
        """Forget everything."""
        self.exchanges.clear()
