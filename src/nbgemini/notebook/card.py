"""A tool call on the page: shown the moment it arrives, with buttons while it waits for leave, static once it is over."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import Any

from nbgemini.events import ToolRun
from nbgemini.notebook.approval import Verdict
from nbgemini.notebook.painting import Painting, Place
from nbgemini.render.bundle import bundle
from nbgemini.render.card import card_html
from nbgemini.segments import Segment

_GUARD = 0.3  # seconds in which a click can't have been meant for buttons that have just appeared
_BUTTONS: tuple[tuple[str, str, Verdict], ...] = (
    ("Run once", "Let this call run", "once"),
    ("Refuse", "Don't let it run; the model is told so", "refuse"),
    ("Always run it", "Let this function run unasked until it changes or the kernel ends", "always"),
)


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
        self._body: Any = None
        self._buttons: Any = None
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
            self._body = self._painting.text_widget("answer", self._snapshot)
            self._card = self._painting.column(self._body)
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
            self._painting.renew(self._body)
            self._show_buttons()
        elif self._painting.live:
            self.place.show(bundle(self._segment), "live")

    def _rest(self, place: Place) -> None:
        needed = self._body is not None and (bool(self._body.rebuilt) or place.for_good)
        if needed:
            self._painting.renew(self._body)
            self._painting.change(self._card, "children", (self._body,))
        place.show(bundle(self._segment), "final", self._card)
        self.at_rest = True
        if needed:
            self._painting.close(*filter(None, (self._card, self._body, *self._all_buttons())), keep=True)
        # else they are closed with the stream: a page that still lays them out stumbles over widgets that are gone

    def _show_buttons(self) -> None:
        asking = self._run.state == "asking" and self._approvals is not None and self._approvals.is_open(self._number)
        if asking and self._buttons is None:
            self._asked_at = monotonic()
            buttons = [self._painting.button(label, tip, partial(self._clicked, say)) for label, tip, say in _BUTTONS]
            self._buttons = self._painting.row(*buttons)
        shown = (self._body, self._buttons) if asking else (self._body,)
        if self._card.children != shown:
            self._painting.change(self._card, "children", shown)

    def _clicked(self, verdict: Verdict) -> None:
        if self._approvals is not None and monotonic() - self._asked_at >= _GUARD:
            self._approvals.decide(self._number, verdict)

    def _all_buttons(self) -> tuple[Any, ...]:
        return (self._buttons, *self._buttons.children) if self._buttons is not None else ()

    def _snapshot(self) -> dict[str, Any]:
        return {"html": card_html(self._run)}
