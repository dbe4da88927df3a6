"""How segments get onto the page: through widgets, as repainted HTML, or only once they are whole.

Rendering Markdown takes milliseconds a block, so it happens in a thread; each finished block is rendered once. Traffic
grows with the answer: widgets get deltas, plain HTML is repainted only after it has grown by half.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Literal, Protocol

from nbgemini.loading import load
from nbgemini.notebook.approval import Approvals
from nbgemini.notebook.deltas import Deltas
from nbgemini.notebook.refresh import Refresh
from nbgemini.notebook.routing import Route
from nbgemini.render.blocks import Block, Blocks
from nbgemini.render.bundle import bundle, live_bundle, thought_title
from nbgemini.render.markdown import to_html
from nbgemini.segments import Segment

_GROWTH = 1.5  # plain HTML: repaint when it has grown by half, so that all repaints together stay below 4 x the answer
_FIRST_REPAINT = 200  # characters
_CALMEST = 2.0  # times the shortest interval, reached after a second: a long answer is read more calmly
_WIDGETS = "nbgemini.notebook.live"  # anywidget and ipywidgets: 70 ms of CPU at the first use


class Place(Protocol):
    """Where a segment stands on the page."""

    for_good: bool  # whether the page keeps the widget, having no record of the static output that would replace it

    def show(self, data: dict[str, Any], state: Literal["live", "final"], widget: Any = None) -> None:
        """Show this bundle, or the widget as long as the segment is live."""
        ...


class Painting:
    """The way one stream is painted, and its tools."""

    def __init__(self, way: str, route: Route, refresh: Refresh, updates_per_second: float, *, shows_errors: bool) -> None:
        """Choose the way: `widgets`, `html` or `at_end`."""
        self.live = way != "at_end"
        self.widgets = False
        self.shows_errors = shows_errors
        self.approvals: Approvals | None = None  # None: nobody can be asked
        self._wants_widgets = way == "widgets"
        self._route = route
        self._refresh = refresh
        self._began = monotonic()
        self._shortest = 1.0 / max(0.1, updates_per_second)
        self._open: list[Any] = []
        self._module: Any = None

    @property
    def pause(self) -> float:
        """Seconds until the next repaint: few at first, more later and when much is going on."""
        return self._refresh.pause(self._shortest * min(_CALMEST, 1.0 + monotonic() - self._began))

    def begin(self) -> None:
        """Count this stream, and use the widgets at once if they were loaded before."""
        self._refresh.join()
        module = sys.modules.get(_WIDGETS)
        if self._wants_widgets and hasattr(module, "view_of"):  # not still being imported by the loading thread
            self._use(module)

    async def prepare(self) -> None:
        """Load what painting needs, in a thread."""
        if self._wants_widgets and not self.widgets:
            with suppress(ImportError):  # no widgets here: plain HTML does
                self._use(await load(_load_widgets))

    def painter(self, segment: Segment) -> Painter:
        """Return who paints this segment."""
        return Painter(segment, self)

    def status_widget(self, snapshot: Callable[[], dict[str, Any]], on_stop: Callable[[], None]) -> Any:
        """Return a new widget for the status line."""
        return self._opened(lambda: self._module.Live("status", snapshot=snapshot, on_stop=on_stop))

    def text_widget(self, kind: str, snapshot: Callable[[], dict[str, Any]]) -> Any:
        """Return a new widget for streamed text."""
        return self._opened(lambda: self._module.Live(kind, snapshot=snapshot))

    def accordion(self, title: str, child: Any) -> Any:
        """Return a closed accordion around `child`."""
        return self._opened(lambda: self._module.accordion(title, child))

    def column(self, *children: Any) -> Any:
        """Return a widget with these below each other."""
        return self._opened(lambda: self._module.column(*children))

    def card(self, snapshot: Callable[[], dict[str, Any]], on_verdict: Callable[[str], None]) -> Any:
        """Return a new widget for a tool call."""
        return self._opened(lambda: self._module.Live("card", snapshot=snapshot, on_verdict=on_verdict))

    def renew(self, widget: Any) -> None:
        """Send all that a widget shows once more, in the place of what it showed."""
        self._route.run(widget.renew)

    def change(self, widget: Any, trait: str, value: Any) -> None:
        """Change what a widget shows."""
        self._route.run(lambda: setattr(widget, trait, value))

    def view_of(self, widget: Any) -> dict[str, Any]:
        """Return the part of a bundle that shows this widget."""
        view: dict[str, Any] = self._module.view_of(widget)
        return view

    def tell(self, widget: Any, next_ops: Callable[[], list[list[Any]]]) -> None:
        """Send deltas to a widget."""
        self._refresh.sent(self._route.run(lambda: widget.tell(next_ops)))

    def end(self) -> None:
        """Note that the stream is over."""
        self._refresh.leave()

    def close_all(self) -> None:
        """Close the widgets: the page shows static outputs in their places."""
        widgets, self._open = self._open, []
        for widget in widgets:
            with suppress(Exception):  # its comm may be dead; it is not needed any more
                self._route.run(widget.close)

    def give_up_widgets(self) -> None:
        """Go on with plain HTML."""
        self.widgets = False

    def _use(self, module: Any) -> None:
        self._module = module
        self.widgets = True

    def _opened(self, make: Callable[[], Any]) -> Any:
        widget = self._route.run(make)
        self._open.append(widget)
        return widget


class Painter:
    """Paints one segment: model and paint are apart, `append` is cheap, `paint` shows what is new."""

    def __init__(self, segment: Segment, painting: Painting) -> None:
        """Begin with nothing painted."""
        self.kind = segment.kind
        self.place: Place | None = None
        self.at_rest = False
        self._segment = segment
        self._painting = painting
        self._blocks = Blocks()
        self._deltas = Deltas()
        self._fresh: list[str] = []
        self._painted = 0  # characters in the last repaint of plain HTML
        self._began = monotonic()
        self._seconds: float | None = None
        self._stream_over = False
        self._widget: Any = None
        self._accordion: Any = None
        self._title = ""

    @property
    def waiting(self) -> bool:
        """Whether there is something to paint."""
        return bool(self._fresh) or (self._seconds is not None and not self._parked and not self.at_rest)

    @property
    def _parked(self) -> bool:
        """Whether a thought is whole, but stays the accordion that a reader may have open until the stream ends."""
        return self._accordion is not None and self._title.startswith("Thought") and not self._stream_over

    @property
    def _needed(self) -> bool:
        """Whether the page may know nothing of the static output that takes the widget's place."""
        return self._widget is not None and (bool(self._widget.rebuilt) or (self.place is not None and self.place.for_good))

    def append(self, text: str) -> None:
        """Take in text."""
        self._fresh.append(text)

    def end(self) -> None:
        """Note that the segment is whole."""
        if self._seconds is None:
            self._seconds = monotonic() - self._began

    def end_of_stream(self) -> None:
        """Note that the whole stream is over: everything becomes static."""
        self.end()
        self._stream_over = True

    def begin(self, place: Place) -> None:
        """Take the place on the page."""
        self.place = place
        if self._seconds is not None or not self._painting.live or self.kind not in ("thought", "answer"):
            return
        if self._painting.widgets:
            self._open_widget()
        place.show(live_bundle(self.kind, ""), "live", self._accordion or self._widget)

    async def paint(self) -> None:
        """Show what is new; put the segment to rest once it is whole."""
        self._take_in()
        if self._widget is not None and self._painting.widgets and (self._seconds is None or self._accordion or self._needed):
            await self._send_deltas()
            self._name_accordion()
        elif self._seconds is None and self._painting.live:
            await self._repaint()
        if self._seconds is not None and not self._parked:
            await self._rest()

    async def _send_deltas(self) -> None:
        blocks = await asyncio.to_thread(self._blocks.advance) if self._blocks.promising else []
        self._tell(blocks)

    def _tell(self, blocks: list[Block]) -> None:
        self._painting.tell(self._widget, lambda: self._deltas.next(blocks, self._blocks.tail()))

    def _name_accordion(self) -> None:
        if self._accordion is None:
            return
        title = f"Thinking… {monotonic() - self._began:.0f} s" if self._seconds is None else thought_title(self._seconds)
        if title != self._title:
            self._title = title
            self._painting.change(self._accordion, "titles", (title,))

    async def _repaint(self) -> None:
        """Show plain HTML again, if it has grown enough."""
        length = len(self._segment.text)
        if self.place and length >= max(_FIRST_REPAINT, self._painted * _GROWTH):
            self._painted = length
            await asyncio.to_thread(self._blocks.advance)
            self.place.show(live_bundle(self.kind, self._blocks.tail(), html=self._blocks.html()), "live")

    def _take_in(self) -> None:
        self._blocks.append("".join(self._fresh))
        self._fresh.clear()

    async def _rest(self) -> None:
        self._take_in()  # the last words may have come while something was painted
        last, data = await asyncio.to_thread(self._at_rest_bundle)
        if self._needed:
            self._tell(last)
        else:
            self._deltas.next(last, "")  # for a page that comes back later
        if self.place:
            self.place.show(data, "final", self._widget)
        self.at_rest = True

    def _at_rest_bundle(self) -> tuple[list[Block], dict[str, Any]]:
        """Return the last blocks and the whole bundle; in a thread, since both may take long."""
        last = self._blocks.close()
        html = self._blocks.html() if self.kind in ("thought", "answer") else None
        opened = self._accordion is not None and self._accordion.selected_index == 0
        return last, bundle(self._segment, html=html, seconds=self._seconds, opened=opened)

    def _open_widget(self) -> None:
        self._widget = self._painting.text_widget(self.kind, self._deltas.snapshot)
        if self.kind == "thought":
            self._title = "Thinking…"
            self._accordion = self._painting.accordion(self._title, self._widget)


def _load_widgets() -> Any:
    from nbgemini.notebook import live  # noqa: PLC0415 - at first use, in a thread

    to_html("`the parser too`")
    return live
