"""The one line below an answer: model, tokens, cost, time, how it ended, and Stop while it runs.

A page that was loaded again, or whose cell was moved, has no record of outputs that are new since then, but the line's widget
is still there. So later segments go inside that widget, above the line; at rest each has an output of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Literal

from nbgemini.chat.reply import Reply
from nbgemini.chat.status_text import badge_text, doing_text, facts_text, misfit_text, status_text
from nbgemini.messages.events import Uploading
from nbgemini.notebook.display.canvas import Painting, Place
from nbgemini.render.mimebundle import error_bundle, progress_bundle, status_bundle

_INTERVAL = 0.2  # seconds between two messages, unless it waits for something
_COUNT_INTERVAL = 2.0  # seconds between two that hold only counts


class StatusLine:
    """The status of one reply, as a widget while it runs and as a line of text at rest."""

    def __init__(self, reply: Reply, painting: Painting, document: Callable[[], dict[str, Any]]) -> None:
        """Begin with the model's name alone; `document` returns the outputs that a page should hold."""
        self._reply = reply
        self._painting = painting
        self._document = document
        self._over = False
        self.note = ""  # what it says besides
        self.taken_in = False  # whether every page holds the outputs at rest
        self._widget: Any = None
        self._later: LaterSegments | None = None
        self._sent: dict[str, Any] = {}
        self._sent_at = 0.0
        self._shown = ""

    def refresh(self, replace: Callable[[], None]) -> None:
        """Tell the widget what is new; `replace` shows the line again once there is a widget for it."""
        if self._widget is None and self._painting.widgets:
            self.open()
            replace()
        had_widgets = self._painting.widgets
        if self._widget is not None:
            self._painting.note_page(self._widget)
        if self._widget is not None and self._painting.widgets:
            self._tell()
        elif had_widgets or doing_text(self._reply) != self._shown:
            replace()

    def open(self) -> None:
        """Make the widget, if there are any."""
        if self._painting.widgets:
            self._widget = self._painting.status_widget(self._snapshot, self._reply.stop, self._document)
            self._later = LaterSegments(self._painting, self._widget)
            self._sent, self._sent_at = self._fields(), monotonic()  # a page that starts it asks for a snapshot

    def room(self) -> Place | None:
        """Return a place beside the line for the next segment, if the page would miss a new output."""
        inside = self._painting.inside and self._painting.widgets
        return self._later.new_place() if self._later is not None and (self._rebuilt or inside) else None

    @property
    def _rebuilt(self) -> bool:
        return self._widget is not None and self._painting.widgets and bool(self._widget.rebuilt or self._painting.moved)

    @property
    def segments(self) -> list[dict[str, Any]]:
        """The bundles of the segments that stand beside the line, once they are at rest."""
        return self._later.bundles if self._later is not None else []

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
        self._widget.when_gone(self._loop_call(self._release))
        self._painting.tell(self._widget, lambda: [["s", self._fields()], ["o", self._painting.widget_ids]])

    def _release(self) -> None:
        """Close what no page shows any more."""
        self.taken_in = True
        self._painting.close_all(but=self._widget)

    @staticmethod
    def _loop_call(deed: Callable[[], None]) -> Callable[[], object]:
        """Return what does it on this loop, from whatever thread it is called."""
        loop = asyncio.get_running_loop()
        return lambda: None if loop.is_closed() else loop.call_soon_threadsafe(deed)

    def show(self, place: Place, state: Literal["live", "final"]) -> None:
        """Show the line as it is now."""
        data, self._shown = self._bundle(state), doing_text(self._reply)
        place.show(data, state, self._later.widget if self._later is not None and self._painting.widgets else None)

    def _bundle(self, state: Literal["live", "final"]) -> dict[str, Any]:
        reply = self._reply
        error = reply.so_far.error
        trouble = str(error) if error and self._painting.shows_errors else misfit_text(reply)
        if state == "final" and trouble:
            return error_bundle(_line(badge_text(reply), status_text(reply), self.note), trouble)
        line, badge, part = _line(status_text(reply), self.note), badge_text(reply), _uploaded(reply)
        return status_bundle(line, badge) if part is None else progress_bundle(part, line, badge)

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


class LaterSegments:
    """A column of widgets with the status line at its end."""

    def __init__(self, painting: Painting, line: Any) -> None:
        """Hold only the line so far."""
        self.widget = painting.column(line)
        self._painting = painting
        self._shown = [line]
        self._places: list[LaterPlace] = []

    def new_place(self) -> LaterPlace:
        """Return a place for the next segment."""
        self._places.append(LaterPlace(self._painting, self._add))
        return self._places[-1]

    def _add(self, widget: Any) -> None:
        self._shown.insert(-1, widget)
        self._painting.change(self.widget, "children", tuple(self._shown))

    @property
    def bundles(self) -> list[dict[str, Any]]:
        """The segments at rest, in order."""
        return [place.bundle for place in self._places if place.bundle]


class LaterPlace:
    """One segment's place above the status line."""

    for_good = True

    def __init__(self, painting: Painting, add: Callable[[Any], None]) -> None:
        """Show by `add`, which takes a widget."""
        self.bundle: dict[str, Any] = {}
        self._painting = painting
        self._add = add
        self._shown = False

    def show(self, data: dict[str, Any], state: Literal["live", "final"], widget: Any = None) -> None:
        """Show the widget; a segment that is whole at once has none, and its sanitised HTML is shown."""
        if state == "final":
            self.bundle = data
        if not self._shown and (widget is not None or state == "final"):
            self._shown = True
            html = data["text/html"]
            self._add(self._painting.text_widget("answer", lambda: {"html": html}) if widget is None else widget)
