"""A tool call on the page: shown the moment it arrives, with buttons while it waits for leave, static once it is over."""

from __future__ import annotations

from time import monotonic
from typing import Any

from nbgemini.events import ToolRun
from nbgemini.notebook.approval import Verdict
from nbgemini.notebook.painting import Painting, Place
from nbgemini.render.bundle import bundle
from nbgemini.render.card import card_html
from nbgemini.segments import Segment

_GUARD = 0.3  # seconds in which a click can't have been meant for buttons that have just appeared
_BUTTONS: tuple[tuple[Verdict, str, str], ...] = (
    ("once", "Run once", "Let this call run"),
    ("refuse", "Refuse", "Don't let it run; the model is told so"),
    ("always", "Always run it", "Let this function run unasked until it changes or the kernel ends"),
)


_VERDICTS = tuple(verdict for verdict, *_ in _BUTTONS)


class CardPainter:
    """Paints one tool call."""

    kind = "tool_call"

    def __init__(self, segment: Segment, painting: Painting, number: int) -> None:
        """Paint the n-th call of a reply."""
        self.place: Place | None = None
        self.at_rest = False
        self.waiting = True
        self._segment = segment
        self._painting = painting
        self._approvals = painting.approvals
        self._number = number
        self._card: Any = None
        self._asked_at = 0.0

    @property
    def _run(self) -> ToolRun:
        run = self._segment.content
        assert isinstance(run, ToolRun)  # a segment never changes kind
        return run

    def append(self, text: str) -> None:
        """Take no text: a call has none."""

    def update(self) -> None:
        """Note that the call is further."""
        self.waiting = True

    def end(self) -> None:
        """Note nothing: a call goes on after its segment is whole."""

    def end_of_stream(self) -> None:
        """Paint once more: a call that was running is stopped."""
        self.waiting = True

    def begin(self, place: Place) -> None:
        """Take the place on the page."""
        self.place = place
        if self._painting.widgets and not self._run.over:
            self._card = self._painting.card(self._snapshot, self._decided)
        if self._painting.live:
            place.show(bundle(self._segment), "live", self._card)

    async def paint(self) -> None:
        """Show how far it is."""
        if not self.waiting or self.place is None:
            return
        self.waiting = False
        if self._run.over:
            self._rest(self.place)
        elif self._card is not None and self._painting.widgets:
            if self._asks() and not self._asked_at:
                self._asked_at = monotonic()
            self._painting.renew(self._card)
        elif self._painting.live:
            self.place.show(bundle(self._segment), "live")

    def _rest(self, place: Place) -> None:
        needed = self._card is not None and (bool(self._card.rebuilt) or place.for_good)
        if needed:
            self._painting.renew(self._card)
        place.show(bundle(self._segment), "final", self._card)
        self.at_rest = True

    def _asks(self) -> bool:
        return self._run.state == "asking" and self._approvals is not None and self._approvals.is_open(self._number)

    def _decided(self, verdict: str) -> None:
        """Take a click; one that came too early for its buttons counts as none."""
        if self._approvals is not None and monotonic() - self._asked_at >= _GUARD and verdict in _VERDICTS:
            self._approvals.decide(self._number, verdict)

    def _snapshot(self) -> dict[str, Any]:
        return {"html": card_html(self._run), "status": {"ask": _BUTTONS if self._asks() else (), "since": 0}}
