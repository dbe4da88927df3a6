"""The one line below an answer: model, tokens, cost, time, how it ended, and Stop while it runs.

A page that was loaded again, or whose cell was moved, has no record of outputs that are new since then, but the line's widget
is still there. So later segments go inside that widget, above the line; at rest each has an output of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Literal

from nbgemini.chat.reply import Reply
from nbgemini.chat.status_text import badge_text, doing_text, facts_text, misfit_text, status_text
from nbgemini.messages.events import Uploading
from nbgemini.notebook.display.canvas import Painting, Place, on_this_loop
from nbgemini.render.mimebundle import error_bundle, progress_bundle, status_bundle

_INTERVAL = 0.2  # seconds between two messages, unless it waits for something
_COUNT_INTERVAL = 2.0  # seconds between two that hold only counts


class StatusLine:
    """The status of one reply, as a widget while it runs and as a line of text at rest.

    Its widget is the last of a column, which takes in later segments; `document` returns the outputs that a page should hold.
    """

    def __init__(self, reply: Reply, painting: Painting, place: Place, document: Callable[[], dict[str, Any]]) -> None:
        self.place = place
        self._reply = reply
        self._painting = painting
        self._document = document
        self._over = False
        self.note = ""  # what it says besides
        self.taken_in = False  # whether every page holds the outputs at rest
        self._widget: Any = None
        self._column: Any = None
        self._places: list[LaterPlace] = []
        self._sent: dict[str, Any] = {}
        self._sent_at = 0.0
        self._shown = ""

    def refresh(self) -> None:
        """Tell the widget what is new; show the line again once there is a widget for it."""
        if self._widget is None and self._painting.widgets:
            self.open()
            self.show("live")
        had_widgets = self._painting.widgets
        if self._widget is not None:
            self._painting.note_page(self._widget)
        if self._widget is not None and self._painting.widgets:
            self._tell()
        elif had_widgets or doing_text(self._reply) != self._shown:
            self.show("live")

    def open(self) -> None:
        """Make the widget, if there are any."""
        if self._painting.widgets:
            calls = {"on_stop": self._reply.stop, "document": self._document}
            self._widget = self._painting.live_widget("status", self._snapshot, **calls)
            self._column = self._painting.widget(lambda module: module.column(self._widget))
            self._sent, self._sent_at = self._fields(), monotonic()  # a page that starts it asks for a snapshot

    def room(self) -> Place | None:
        """Return a place beside the line for the next segment, if the page would miss a new output."""
        if self._widget is None or not self._painting.widgets:
            return None
        if not (self._painting.inside or self._widget.rebuilt or self._painting.moved):
            return None
        self._places.append(LaterPlace(self._painting, self._column))
        return self._places[-1]

    @property
    def segments(self) -> list[dict[str, Any]]:
        """The bundles of the segments that stand beside the line, once they are at rest."""
        return [place.bundle for place in self._places if place.bundle]

    def _snapshot(self) -> dict[str, Any]:
        return {"status": self._fields(), **({"over": self._painting.widget_ids} if self._over else {})}

    def _tell(self) -> None:
        """Send what is new: who answers and what it waits for at once, counts now and then; the browser's own clock ticks."""
        fields, now = self._fields(), monotonic()
        new = {name: value for name, value in fields.items() if name != "since" and value != self._sent.get(name)}
        if self._reply.done or not new:
            return  # what came of it is shown at rest
        interval = _COUNT_INTERVAL if new.keys() == {"text"} else 0.0 if new.get("doing") else _INTERVAL
        if now - self._sent_at < interval:
            return
        self._painting.tell(self._widget, lambda: [["s", new]])
        self._sent, self._sent_at = fields, now

    def end(self) -> None:
        """Tell the pages that all is at rest, and close the widgets once each shows the static outputs in their places.

        A page that was loaded again, or whose cell was moved, applies no update: it asks for the outputs and puts them into its
        document. The widgets stay for a page that is closed now and comes back.
        """
        self._over = True
        if self._widget is None or not self._widget.greeted:
            self._painting.close_all()  # no page listens
            return
        self._widget.when_gone(on_this_loop(self._release))
        self._painting.tell(self._widget, lambda: [["s", self._fields()], ["o", self._painting.widget_ids]])

    def _release(self) -> None:
        """Close what no page shows any more."""
        self.taken_in = True
        self._painting.close_all(but=self._widget)

    def show(self, state: Literal["live", "final"]) -> None:
        """Show the line as it is now."""
        reply = self._reply
        badge, line, part, error = badge_text(reply), _line(status_text(reply), self.note), _uploaded(reply), reply.so_far.error
        trouble = str(error) if error and self._painting.shows_errors else misfit_text(reply)
        if state == "final" and trouble:
            data = error_bundle(_line(badge, line), trouble)
        else:
            data = status_bundle(line, badge) if part is None else progress_bundle(part, line, badge)
        self._shown = doing_text(reply)
        self.place.show(data, state, self._column if self._painting.widgets else None)

    def _fields(self) -> dict[str, Any]:
        reply = self._reply
        doing = doing_text(reply)
        text = _line(status_text(reply) if self._over else _line(facts_text(reply), doing), self.note)
        since = 0 if self._over else round(reply.seconds, 1)
        fields = {"text": text, "badge": badge_text(reply), "busy": not reply.done, "since": since, "doing": doing}
        return {**fields, "part": _uploaded(reply)}


def _uploaded(reply: Reply) -> float | None:
    """Return how much of a file is uploaded, while one is."""
    notice = reply.notice
    if reply.done or not isinstance(notice, Uploading) or notice.sent == notice.size:
        return None
    return notice.sent / notice.size


def _line(*words: str) -> str:
    return " · ".join(filter(None, words))


class LaterPlace:
    """One segment's place above the status line."""

    for_good = True

    def __init__(self, painting: Painting, column: Any) -> None:
        self.bundle: dict[str, Any] = {}
        self._painting = painting
        self._column = column
        self._shown = False

    def show(self, data: dict[str, Any], state: Literal["live", "final"], widget: Any = None) -> None:
        """Show the widget; a segment that is whole at once has none, and its sanitised HTML is shown."""
        if state == "final":
            self.bundle = data
        if self._shown or (widget is None and state == "live"):
            return
        self._shown = True
        if widget is None:
            html = data["text/html"]
            widget = self._painting.live_widget("answer", lambda: {"html": html})
        *above, line = self._column.children
        self._painting.change(lambda: setattr(self._column, "children", (*above, widget, line)))
