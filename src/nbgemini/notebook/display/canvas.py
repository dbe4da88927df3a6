"""How segments get onto the page: through widgets, as repainted HTML, or only once they are whole.

Rendering Markdown takes milliseconds a block, so it happens in a thread; each finished block is rendered once. Traffic
grows with the answer: widgets get deltas, plain HTML is repainted only after it has grown by half. One stream is repainted a
few times a second, and all together within what a server and a page can bear: a Jupyter server drops output over 1,000
messages a second, and a page that is given 300 kB a second stays smooth.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Literal, Protocol

from nbgemini._async.threads import run_in_import_thread
from nbgemini.notebook.approvals import Approvals
from nbgemini.notebook.kernel.output_routing import Route
from nbgemini.render.streaming_markdown import to_html

_CALMEST = 2.0  # times the shortest interval, reached after a second: a long answer is read more calmly
_PATIENCE = 6.0  # seconds that a page has to start the first widget
_REPAINTS = 100  # a second, over all streams
_CHARACTERS = 300_000  # a second, over all streams
_WIDGETS = "nbgemini.notebook.display.widget"  # anywidget and ipywidgets: 70 ms of CPU at the first use


class Place(Protocol):
    """Where a segment stands on the page."""

    for_good: bool  # whether the page keeps the widget, having no record of the static output that would replace it

    def show(self, data: dict[str, Any], state: Literal["live", "final"], widget: Any = None) -> None:
        """Show this bundle, or the widget as long as the segment is live."""


class Painting:
    """How one stream is painted: by `widgets`, as `html`, `kept` for who may cut the cell off, `at_end`; and its tools."""

    def __init__(self, way: str, route: Route, refresh: Refresh, updates_per_second: float, *, shows_errors: bool) -> None:
        self.live = way != "at_end"
        self.kept = way == "kept"
        self.widgets = False
        self.moved = False  # whether a page has made our outputs anew, and so knows nothing of displays any more
        self.inside = False  # whether all stands inside a widget that takes in outputs, and so in one of ours until the end
        self.shows_errors = shows_errors
        self.approvals: Approvals | None = None  # None: nobody can be asked
        self.offered: Callable[[str], str] = lambda _: ""  # the code of an answer that a button puts into a new cell
        self._wants_widgets = way == "widgets" and not refresh.no_widgets
        self._route = route
        self._refresh = refresh
        self._began = monotonic()
        self._shortest = 1.0 / max(0.1, updates_per_second)
        self._silence = 0.0  # seconds in which no page was heard
        self._looked = self._began
        self._open: list[Any] = []
        self.widget_ids: list[str] = []  # by which the outputs of a page name our widgets
        self._module: Any = None

    @property
    def pause(self) -> float:
        """Seconds until the next repaint: few at first, more later and when much is going on."""
        return self._refresh.pause(self._shortest * min(_CALMEST, 1.0 + monotonic() - self._began))

    def begin(self) -> None:
        """Count this stream, and use the widgets at once if they were loaded before."""
        self._refresh.streams += 1
        module = sys.modules.get(_WIDGETS)
        if self._wants_widgets and hasattr(module, "column"):  # its last: not still being imported by the loading thread
            self._use(module)

    async def prepare(self) -> None:
        """Load what painting needs, in a thread."""
        if self._wants_widgets and not self.widgets:
            with suppress(ImportError):  # no widgets here: plain HTML does
                self._use(await run_in_import_thread(_load_widgets))

    def live_widget(self, role: str, snapshot: Callable[[], dict[str, Any]], **calls: Callable[..., object]) -> Any:
        """Return a new widget in this role; `calls` are what `Live` takes."""
        return self.widget(lambda module: module.Live(role, snapshot=snapshot, on_moved=self._note_moved, **calls))

    def widget(self, make: Callable[[Any], Any]) -> Any:
        """Return a new widget, which `make` makes by the module `widget`; it is closed with all others."""
        widget = self._route.run(lambda: make(self._module))
        self._open.append(widget)
        self.widget_ids.append(widget.model_id)
        return widget

    def change(self, call: Callable[[], None]) -> None:
        """Change a widget by `call`, whose messages belong to the cell."""
        self._route.run(call)

    def tell(self, widget: Any, next_ops: Callable[[], list[list[Any]]]) -> None:
        """Send deltas to a widget."""
        self._refresh.sent(self._route.run(lambda: widget.tell(next_ops)))

    def end(self) -> None:
        """Note that the stream is over."""
        self._refresh.streams -= 1

    def close_all(self, but: Any = None) -> None:
        """Close the widgets, `but` one that is kept for a while: the page shows static outputs in their places."""
        widgets, self._open = self._open, []
        if but is not None:
            self._module.keep(but)
        if self._module is not None:
            self._module.retire([widget for widget in widgets if widget is not but], self._close)

    def _close(self, widget: Any) -> None:
        with suppress(Exception):  # its comm may be dead; it is not needed any more
            self._route.run(widget.close)

    def note_page(self, widget: Any) -> None:
        """Note whether a page has started this widget: where anywidget can't be loaded, none does, and HTML streams.

        A front end may have to fetch anywidget first, so it has some seconds; the next streams have learnt from this one. While
        a cell holds the loop nothing is heard, so only time counts in which the loop has turned.
        """
        now = monotonic()
        self._silence += min(now - self._looked, _PATIENCE / 4)
        self._looked = now
        if widget.greeted or not self.widgets or self._silence <= _PATIENCE:
            return
        self._refresh.silent = widget
        self._module.keep(widget)  # it may be heard yet
        self._open.remove(widget)
        self.widgets = False
        if self.approvals is not None:
            self.approvals.close()

    def _note_moved(self) -> None:
        self.moved = True

    def _use(self, module: Any) -> None:
        self._module, self.widgets = module, True


def _load_widgets() -> Any:
    from nbgemini.notebook.display import widget as live  # noqa: PLC0415 - at first use, in a thread

    to_html("`the parser too`")
    return live


def on_this_loop(call: Callable[[], None]) -> Callable[[], object]:
    """Return what calls on the running loop, as long as it runs, from whatever thread."""
    loop = asyncio.get_running_loop()
    return lambda: None if loop.is_closed() else loop.call_soon_threadsafe(call)


class Refresh:
    """The repaints of one kernel."""

    def __init__(self) -> None:
        self.streams = 0
        self._free_at = 0.0
        self.silent: Any = None  # the last widget that no page has started in good time

    @property
    def no_widgets(self) -> bool:
        """Whether pages turned out to start no widget of ours; one that comes late after all is heard."""
        return self.silent is not None and not self.silent.greeted

    def sent(self, characters: int) -> None:
        """Take note of what was sent."""
        self._free_at = max(monotonic(), self._free_at) + characters / _CHARACTERS

    def pause(self, shortest: float) -> float:
        """Return the seconds a stream waits before its next repaint, at least `shortest`."""
        return max(shortest, self.streams / _REPAINTS, self._free_at - monotonic())
