"""How far a map is, what that says of the time and the money that are left, and the bar that shows it.

A map stands below the notebook and knows none, so a notebook hands down what makes a bar when its extension is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import ceil
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini.formatting import duration_text, money_text, tokens_text
from nbgemini.messages.turns import Usage

_LONG = 120  # seconds, and minutes: what is longer is told in the next unit


class Progress(Struct, frozen=True, kw_only=True):
    """How far a map is.

    Attributes:
        total: rows in all; None where the end is not known yet.
        done: rows with an answer, on disk.
        failed: rows without.
        stored: those of `done` that an earlier run had paid for.
        running: rows that are being asked.
        interrupted: rows that were not asked, or not to the end, because the map was stopped.
        usage: tokens of this run.
        cost: USD of this run; None where no price is known.
        seconds: since it began.
        places: rows that may be asked at once now.
        wait: seconds until the service may be asked again, as it said.
        over: whether nothing more will come.
    """

    total: int | None = None
    done: int = 0
    failed: int = 0
    stored: int = 0
    running: int = 0
    interrupted: int = 0
    usage: Usage = Usage()
    cost: float | None = None
    seconds: float = 0.0
    places: int = 0
    wait: float = 0.0
    over: bool = False

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
        return " · ".join(filter(None, (self._rows(), *self._going(), tokens_text(self.usage), self._money(), self._time())))

    def _rows(self) -> str:
        of = f" of {self.total:,}" if self.total is not None and not (self.over and self.done == self.total) else ""
        counts = {"from an earlier run": self.stored, "failed": self.failed, "not finished": self.interrupted}
        more = [f"{count:,} {words}" for words, count in counts.items() if count]
        rows = "row" if (self.total or self.done) == 1 else "rows"
        return " · ".join([f"{self.done:,}{of} {rows}", *more])

    def _going(self) -> tuple[str, ...]:
        if self.over:
            return ()
        wait = f"the service's limit: on in {ceil(self.wait)} s" if self.wait else ""
        return (f"{self.places} at once" if self.places else "", wait)

    def _money(self) -> str:
        spent = money_text(self.cost)
        about = money_text((self.cost or 0.0) + (self.cost_left or 0.0)) if self.cost_left else ""
        return f"{spent} of about {about}" if about and not self.over else spent

    def _time(self) -> str:
        if self.over:
            return duration_text(self.seconds)
        return f"about {span_text(self.seconds_left)} left" if self.seconds_left is not None else ""


def span_text(seconds: float) -> str:
    """Return a time in the unit that fits."""
    if seconds > _LONG * 60:
        return f"{seconds / 3600:.1f} h"
    return f"{ceil(seconds)} s" if seconds <= _LONG else f"{ceil(seconds / 60)} min"


Maker: TypeAlias = Callable[[], Callable[[Any], object] | None]

_makers: list[Maker] = []


def register_bar(maker: Maker) -> None:
    """Let `maker` make the bars from now on; it is called where a map begins."""
    _makers.append(maker)


def unregister_bar(maker: Maker) -> None:
    """Undo that; harmless twice."""
    if maker in _makers:
        _makers.remove(maker)


def custom_bar() -> Callable[[Any], object] | None:
    """Return a new bar; None if nobody makes any here."""
    return _makers[-1]() if _makers else None


class Bar:
    """One bar; it is gone when the map is over, and its last line stays."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._live: Any = None

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        from rich.live import Live  # noqa: PLC0415 - where there is a terminal
        from rich.text import Text  # noqa: PLC0415

        if self._live is None:
            self._live = Live(console=_console(), auto_refresh=False)
            self._live.start()
        self._live.update(Text(progress.line()) if progress.over else _painted(progress), refresh=True)
        if progress.over:
            self._live.stop()


def progress_bar() -> Callable[[Progress], object] | None:
    """Return a bar where there is somewhere to show it."""
    return custom_bar() or (Bar() if sys.stderr is not None and sys.stderr.isatty() else None)


def _console() -> Any:
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True)


def _painted(progress: Progress) -> Any:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    line = Table.grid(padding=(0, 1))
    known = progress.part is not None
    painted = ProgressBar(100, 100 * (progress.part or 0.0), width=24, pulse=not known)
    line.add_row(painted, progress.line())
    return line
