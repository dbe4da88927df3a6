"""The one line below an answer: model, tokens, cost, time, how it ended, and Stop while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Literal

from nbgemini.notebook.home import Home
from nbgemini.notebook.painting import Painting, Place
from nbgemini.render.bundle import error_bundle, status_bundle
from nbgemini.reply import Reply
from nbgemini.status_words import badge_text, doing_text, facts_text, misfit_text, status_text


class StatusLine:
    """The status of one reply, as a widget while it runs and as a line of text at rest."""

    def __init__(self, reply: Reply, painting: Painting) -> None:
        """Begin with the model's name alone."""
        self._reply = reply
        self._painting = painting
        self._widget: Any = None
        self._home: Home | None = None
        self._sent: dict[str, Any] = {}
        self._sent_at = 0.0
        self._shown = ""

    def refresh(self, replace: Callable[[], None]) -> None:
        """Tell the widget what is new; `replace` shows the line again once there is a widget for it."""
        if self._widget is None and self._painting.widgets:
            self.open()
            replace()
        if self._widget is not None and self._painting.widgets:
            self._tell()
        elif doing_text(self._reply) != self._shown:
            replace()

    def open(self) -> None:
        """Make the widget, if there are any."""
        if self._painting.widgets:
            self._widget = self._painting.status_widget(lambda: {"status": self._fields()}, self._reply.stop)
            self._home = Home(self._painting, self._widget)

    def room(self) -> Place | None:
        """Return a place beside the line for the next segment, if the page was loaded again and would miss a new output."""
        return self._home.room() if self._home is not None and self._rebuilt else None

    @property
    def _rebuilt(self) -> bool:
        return self._widget is not None and self._painting.widgets and bool(self._widget.rebuilt)

    def _tell(self) -> None:
        """Send what is new: who answers and what it waits for at once, counts once a second; the browser's own clock ticks."""
        fields, now = self._fields(), monotonic()
        news = any(fields[name] != self._sent.get(name) for name in ("badge", "busy", "doing"))
        if news or (now - self._sent_at >= 1.0 and fields["text"] != self._sent.get("text")):
            self._painting.tell(self._widget, lambda: [["s", fields]])
            self._sent, self._sent_at = fields, now

    def end(self) -> None:
        """Close the widgets once the page shows the static outputs in their places.

        A page that was loaded again shows the widgets for good, and so will one that is closed now and comes back: JupyterLab
        applies no update to outputs that it has read from a file.
        """
        if self._widget is None or not self._widget.greeted:
            self._painting.close_all()  # no page listens
        elif not self._rebuilt:
            self._widget.on_gone = self._loop_call(self._painting.close_all)
        else:
            fields = {"text": status_text(self._reply), "badge": badge_text(self._reply), "busy": False, "since": 0}
            self._painting.tell(self._widget, lambda: [["s", fields]])

    @staticmethod
    def _loop_call(deed: Callable[[], None]) -> Callable[[], object]:
        """Return what does it on this loop, from whatever thread it is called."""
        loop = asyncio.get_running_loop()
        return lambda: None if loop.is_closed() else loop.call_soon_threadsafe(deed)

    def show(self, place: Place, state: Literal["live", "final"]) -> None:
        """Show the line as it is now, at rest with the segments that found their home in it."""
        data, self._shown = self._bundle(state), doing_text(self._reply)
        if state == "final" and self._home is not None:
            data = self._home.with_segments(data)
        place.show(data, state, self._home.widget if self._home is not None and self._painting.widgets else None)

    def _bundle(self, state: Literal["live", "final"]) -> dict[str, Any]:
        reply = self._reply
        trouble = str(reply.error) if reply.error and self._painting.shows_errors else misfit_text(reply)
        if state == "final" and trouble:
            return error_bundle(" · ".join(filter(None, (badge_text(reply), status_text(reply)))), trouble)
        return status_bundle(status_text(reply), badge_text(reply))

    def _fields(self) -> dict[str, Any]:
        reply = self._reply
        doing = doing_text(reply)
        text = " · ".join(word for word in (facts_text(reply), doing) if word)
        since = round(reply.seconds, 1)
        return {"text": text, "badge": badge_text(reply), "busy": not reply.done, "since": since, "doing": doing}
