"""How far a map is, counted row by row."""

from __future__ import annotations

from time import monotonic

from nbgemini.concurrency import Concurrency
from nbgemini.mapped import Row
from nbgemini.progress import Progress
from nbgemini.turns import Usage


class Counts:
    """The counts of one map."""

    def __init__(self, total: int | None) -> None:
        """Begin with none."""
        self._total = total
        self._began = monotonic()
        self._done = self._stored = self._failed = self._interrupted = 0
        self._usage = Usage()
        self._cost: float | None = None

    def add(self, row: Row) -> None:
        """Count a row that is over."""
        self._done += row.answered
        self._stored += row.stored
        self._interrupted += row.state == "interrupted"
        self._failed += not row.answered and row.state != "interrupted"
        if not row.stored:
            self._usage += row.usage
            self._cost = self._cost if row.cost is None else (self._cost or 0.0) + row.cost

    def progress(self, running: int, concurrency: Concurrency, *, over: bool) -> Progress:
        """Return how far it is."""
        return Progress(
            total=self._done + self._failed + self._interrupted if over else self._total,
            done=self._done,
            failed=self._failed,
            stored=self._stored,
            running=running,
            interrupted=self._interrupted,
            usage=self._usage,
            cost=self._cost,
            seconds=monotonic() - self._began,
            places=concurrency.places,
            wait=concurrency.wait,
            over=over,
        )
