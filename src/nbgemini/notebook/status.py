"""The one line below an answer: model, tokens, cost, time, how it ended, and Stop while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import Any, Literal

from nbgemini.events import Queued, Retrying, Uploading
from nbgemini.figures import money_text, tokens_text
from nbgemini.notebook.home import Home
from nbgemini.notebook.painting import Painting, Place
from nbgemini.notebook.windows import percent
from nbgemini.render.bundle import error_bundle, status_bundle
from nbgemini.reply import Reply

_ENDINGS = {"interrupted": "stopped", "truncated": "cut off", "blocked": "withheld", "failed": "failed"}
_TELLING, _WARNING = 0.5, 0.8  # of a window


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
        error = reply.so_far.error
        trouble = str(error) if error and self._painting.shows_errors else misfit_text(reply)
        if state == "final" and trouble:
            return error_bundle(" · ".join(filter(None, (badge_text(reply), status_text(reply)))), trouble)
        return status_bundle(status_text(reply), badge_text(reply))

    def _fields(self) -> dict[str, Any]:
        reply = self._reply
        doing = doing_text(reply)
        text = " · ".join(word for word in (_facts(reply), doing) if word)
        since = round(reply.seconds, 1)
        return {"text": text, "badge": badge_text(reply), "busy": not reply.done, "since": since, "doing": doing}


def status_text(reply: Reply) -> str:
    """Return the whole line as text."""
    if not reply.done:
        return f"{_facts(reply)} · {doing_text(reply) or 'streaming'}"
    words = reply.exchange.note if reply.state == "truncated" and not reply.so_far.error else ""
    ending = words or _ENDINGS.get(reply.state, "")
    return " · ".join(word for word in (_facts(reply), f"{reply.seconds:.1f} s", ending, context_text(reply)) if word)


def misfit_text(reply: Reply) -> str:
    """Return where an answer is not what was asked for, or nothing; a reader who stopped it knows."""
    return "" if reply.state == "interrupted" else reply.so_far.misfit


def doing_text(reply: Reply) -> str:
    """Return what an answer waits for before it goes on, or nothing."""
    match reply.notice:
        case Retrying(why, _, attempt, attempts):
            return f"{why}, again in {ceil(reply.wait_left)} s, {attempt}/{attempts}"
        case Uploading(name, sent, size):
            return f"uploading {name} {100 * sent // size} %" if sent < size else f"the service looks at {name}"
        case Queued(ahead):
            return f"waiting for a place, {ahead} ahead" if ahead else "waiting for a place"
    if reply.state != "waiting":
        return ""
    return "waiting for your leave" if reply.so_far.segments else "waiting for its turn"


def badge_text(reply: Reply) -> str:
    """Return what marks an answer that is not Gemini's own, now, or nothing."""
    return reply.so_far.badge


def context_text(reply: Reply) -> str:
    """Return how full the chat's window is once that is more than half, with the way out before it is full."""
    if reply.chat is None or not reply.window or reply.incoming.context <= reply.window * _TELLING:
        return ""
    filled = f"context {percent(reply.incoming.context, reply.window)} full"
    warns = reply.incoming.context >= reply.window * _WARNING
    return f"⚠ {filled} → %gemini drop, reset or fork before it is" if warns else filled


def _facts(reply: Reply) -> str:
    came = reply.so_far
    money = "nothing spent" if came.played else "" if came.offline else money_text(came.cost)
    return " · ".join(word for word in (reply.model, tokens_text(came.usage), money) if word)
