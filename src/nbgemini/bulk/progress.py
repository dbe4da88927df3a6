"""How far a map is, as a value, and what that says of the time and the money that are left."""

from __future__ import annotations

from math import ceil

from msgspec import Struct

from nbgemini.formatting import duration_text, money_text, tokens_text
from nbgemini.messages.turns import Usage

_LONG = 120  # seconds, and minutes: what is longer is told in the next unit


class Progress(Struct, frozen=True, kw_only=True):
    """How far a map is, in rows, tokens and US dollars of this run, and seconds since it began."""

    total: int | None = None  # where the end is known
    done: int = 0  # with an answer, on disk
    failed: int = 0  # without
    stored: int = 0  # those of `done` that an earlier run had paid for
    running: int = 0  # that are being asked
    interrupted: int = 0  # that were not asked, or not to the end, because the map was stopped
    usage: Usage = Usage()
    cost: float | None = None  # where a price is known
    seconds: float = 0.0
    places: int = 0  # rows that may be asked at once now
    wait: float = 0.0  # seconds until the service may be asked again, as it said
    over: bool = False  # nothing more will come

    @property
    def left(self) -> int | None:
        """Rows that have no end yet."""
        return None if self.total is None else max(0, self.total - self.done - self.failed)

    @property
    def part(self) -> float | None:
        """How much is over, from 0 to 1."""
        return None if self.left is None else 1 - self.left / self.total if self.total else 1.0

    @property
    def seconds_left(self) -> float | None:
        """About how long it takes from here, if it goes on as it went."""
        ended = self.done - self.stored + self.failed
        return self.seconds * self.left / ended if ended and self.left is not None else None

    @property
    def cost_left(self) -> float | None:
        """About what the rest will cost."""
        paid = self.done - self.stored
        return self.cost * self.left / paid if self.cost and paid and self.left is not None else None

    def line(self) -> str:
        """Return all of it in one line."""
        of = f" of {self.total:,}" if self.total is not None and not (self.over and self.done == self.total) else ""
        rows = [f"{self.done:,}{of} {'row' if (self.total or self.done) == 1 else 'rows'}"]
        counts = {"from an earlier run": self.stored, "failed": self.failed, "not finished": self.interrupted}
        rows += [f"{count:,} {words}" for words, count in counts.items() if count]
        tokens, money = tokens_text(self.usage), money_text(self.cost)
        if self.over:
            return " · ".join(filter(None, (*rows, tokens, money, duration_text(self.seconds))))
        rows.append(f"{self.places} at once" if self.places else "")
        rows.append(f"rate limit: continues in {ceil(self.wait)} s" if self.wait else "")
        if about := money_text((self.cost or 0.0) + self.cost_left) if self.cost_left else "":
            money = f"{money} of about {about}"
        left = f"about {span_text(self.seconds_left)} left" if self.seconds_left is not None else ""
        return " · ".join(filter(None, (*rows, tokens, money, left)))


def span_text(seconds: float) -> str:
    """Return a time in the unit that fits."""
    if seconds > _LONG * 60:
        return f"{seconds / 3600:.1f} h"
    return f"{ceil(seconds)} s" if seconds <= _LONG else f"{ceil(seconds / 60)} min"
