"""What was said in a chat, as every kind of file tells it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from nbgemini.formatting import duration_text, money_text, tokens_text
from nbgemini.messages.attachments import display_text
from nbgemini.messages.events import InlineMedia
from nbgemini.messages.segments import Segment
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Usage

_ENDINGS = {"interrupted": "stopped", "truncated": "cut off", "blocked": "blocked", "failed": "failed"}


class Entry(Struct, frozen=True):
    """One exchange, and its answer as its reader saw it."""

    exchange: Exchange
    segments: list[Segment]

    @property
    def prompt(self) -> str:
        """What was asked as its reader wrote it; what was attached is named."""
        return display_text(self.exchange.asked)

    @property
    def attached(self) -> Iterator[InlineMedia]:
        """What was asked about besides the text, as far as it went along."""
        for part in self.exchange.asked.parts:
            data = part.get("inlineData")
            if isinstance(data, dict):
                yield InlineMedia(str(data.get("mimeType") or ""), str(data.get("data") or ""))

    @property
    def facts(self) -> str:
        """Who answered, what it took, and how it ended, in one line."""
        facts, state = self.exchange.facts, self.exchange.state
        ending = ": ".join(filter(None, (_ENDINGS.get(state, ""), self.exchange.note)))
        if facts is None:
            return ending
        took = (tokens_text(facts.usage), money_text(facts.cost), duration_text(facts.seconds))
        return " · ".join(filter(None, (facts.badge, facts.model, *took, ending)))


class ExportedChat(Struct, frozen=True):
    """A whole chat; `at` is when it was exported, in words."""

    name: str
    model: str
    system: str | None
    at: str
    entries: list[Entry]

    @property
    def usage(self) -> Usage:
        """The tokens of all answers whose usage is known."""
        return sum((entry.exchange.facts.usage for entry in self.entries if entry.exchange.facts), Usage())

    @property
    def cost(self) -> float:
        """What they cost in USD, where a price was known."""
        return sum(entry.exchange.facts.cost or 0.0 for entry in self.entries if entry.exchange.facts)
