"""A tool call on the page: there from its first argument on, with buttons while it asks or runs, static once it is over."""

from __future__ import annotations

from time import monotonic
from typing import Any, TypeAlias

from nbgemini.chat.reply import Reply
from nbgemini.messages.events import ToolCallGrowing, ToolRun
from nbgemini.messages.segments import Change, Segment, SegmentUpdate
from nbgemini.notebook.approvals import DECISIONS
from nbgemini.notebook.display.canvas import Painting, Place
from nbgemini.notebook.display.segment_view import SegmentPainter
from nbgemini.render.mimebundle import bundle
from nbgemini.render.tool_card import card_html, grown_text, length_note
from nbgemini.tools.toolbox import MOST_ROUNDS

Button: TypeAlias = tuple[str, ...]  # what a click says, the label, what it means, and how it is read out if not as its label

_GUARD = 0.5  # seconds in which a click can't have been meant: after its buttons appeared, or after a click on any card
_ASK: tuple[Button, ...] = (
    ("once", "Allow once", "Let this call run"),
    ("refuse", "Deny", "Don't let it run; the model is told so"),
    ("always", "Always allow", "Let all calls of this function run until it changes or the kernel ends"),
)
_STOP: tuple[Button, ...] = (
    ("stop", "■ Stop this call", "End this call alone; the model is told so, and all else goes on", "Stop this call"),
)


class CardPainter(SegmentPainter):
    """Paints one of the calls of `reply`."""

    def __init__(self, segment: Segment, painting: Painting, reply: Reply) -> None:
        super().__init__(segment, painting)
        self._reply = reply
        self._news = True
        self._grown = ""  # the arguments that the page was told as they came
        self._buttons: tuple[Button, ...] = ()
        self._about = ""
        self._since = 0.0  # when the buttons appeared

    @property
    def waiting(self) -> bool:
        """Whether there is something to paint."""
        return self._news or (self._call.over and not self.at_rest and not self._crowded)

    @property
    def _crowded(self) -> bool:
        """Whether another card of the answer asks: none may jump under the pointer because this one shrinks."""
        return self._widget is not None and self._painting.approvals is not None and self._painting.approvals.asking

    @property
    def _call(self) -> ToolCallGrowing | ToolRun:
        call = self._segment.content
        assert isinstance(call, ToolCallGrowing | ToolRun)  # a segment never changes kind
        return call

    def take(self, change: Change) -> None:
        """Note that the call is further; it goes on after its segment is whole."""
        self._news = self._news or isinstance(change, SegmentUpdate)

    def end_of_stream(self) -> None:
        """Paint once more: a call that was running is stopped."""
        self._news = True

    def begin(self, place: Place) -> None:
        """Take the place on the page."""
        self.place = place
        if self._painting.widgets and not self._call.over:
            self._widget = self._painting.live_widget("card", self._snapshot, on_verdict=self._clicked)
        if self._painting.live:
            place.show(bundle(self._segment), "live", self._widget)

    async def paint(self) -> None:
        """Show how far it is."""
        if not self.waiting or self.place is None:
            return
        self._news = False
        if self._call.over and not self._crowded:
            if self._needed:
                self._buttons, self._about = (), ""
                self._painting.change(self._widget.renew)
            self.place.show(bundle(self._segment), "final", self._widget)
            self.at_rest = True
        elif self._widget is not None and self._painting.widgets:
            self._renew()
        elif self._painting.live and (self._call.state != "growing" or self._has_grown(len(grown_text(self._call)))):
            self.place.show(bundle(self._segment), "live")

    def _renew(self) -> None:
        """Tell the widget what is new: of arguments that come, only what came."""
        call = self._call
        if isinstance(call, ToolCallGrowing):
            shown = grown_text(call)
            if shown.startswith(self._grown):
                self._painting.tell(self._widget, lambda: self._growth(shown))
                return
            self._grown = shown
        else:
            self._offer(call)
        self._painting.change(self._widget.renew)

    def _growth(self, shown: str) -> list[list[Any]]:
        new, self._grown = shown[len(self._grown) :], shown
        return [["a", new]] if new else []

    def _offer(self, run: ToolRun) -> None:
        """Choose the buttons, and what their reader should know."""
        approvals, number = self._painting.approvals, self._reply.number_of(self._segment)
        allowed = approvals.choices(number) if run.state == "asking" and approvals is not None else ()
        buttons = _STOP if run.state == "running" else tuple(button for button in _ASK if button[0] in allowed)
        if buttons != self._buttons:
            self._buttons, self._since = buttons, monotonic()
        self._about = ""
        if allowed and approvals:
            chat = f"chat {self._reply.chat}" if self._reply.chat else "no chat"
            rounds = f"round {len(self._reply.exchange.past) // 2 + 1} of {MOST_ROUNDS}"
            self._about = " · ".join(filter(None, (approvals.where(number), chat, rounds, length_note(run.call.args))))

    def _clicked(self, word: str) -> None:
        """Take a click, maybe on another thread; one that came too early for its buttons counts as none."""
        number, approvals = self._reply.number_of(self._segment), self._painting.approvals
        latest = max(self._since, approvals.last_decision if approvals is not None else 0.0)
        if monotonic() - latest < _GUARD or all(word != button[0] for button in self._buttons):
            return
        if word == "stop":
            self._reply.stop_call(number)
        elif approvals is not None and word in DECISIONS:
            approvals.decide(number, word)

    def _snapshot(self) -> dict[str, Any]:
        call = self._call
        grows = call.state == "growing"
        runs = call.state == "running"
        since = round(monotonic() - self._since, 1) if runs else 0
        status = {"ask": self._buttons, "busy": runs, "since": since}
        return {"html": card_html(call, self._about, head=grows), "tail": self._grown if grows else "", "status": status}
