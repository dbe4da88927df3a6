"""A map on the page: one display with a bar and Stop while it runs, its last line and a bounded table at rest."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from nbgemini.bulk.progress import Progress
from nbgemini.bulk.table import MapResult
from nbgemini.notebook.display.canvas import Painting, on_this_loop
from nbgemini.notebook.display.output_area import CellArea, Display
from nbgemini.notebook.kernel.environment import is_watched, kernel_of
from nbgemini.notebook.kernel.output_routing import Route, Routes
from nbgemini.render.escape import harmless
from nbgemini.render.mimebundle import error_bundle, map_bundle, metadata_of, progress_bundle, status_bundle, table_bundle


def fails(table: MapResult | None) -> bool:
    """Whether a fault of all rows left no answer."""
    return table is not None and table.so_far.error is not None and not any(row.answered for row in table.so_far)


class MapView(ABC):
    """Who shows a map.

    Attributes:
        table: the map, once there is one.
        note: what its last line says besides.
    """

    table: MapResult | None = None
    note = ""

    def open(self) -> None:  # noqa: B027 - not everywhere is one
        """Show a first sign of life."""

    @abstractmethod
    def tell(self, progress: Progress) -> None:
        """Show how far it is."""

    @abstractmethod
    async def finish(self) -> None:
        """Show what came of it, for good: no widget, no kernel."""


class PageView(MapView):
    """Shows one map below its cell; where `cell_fails`, an error that left nothing to show is the cell's own."""

    def __init__(self, shell: Any, route: Route, painting: Painting, badge: str, *, cell_fails: bool) -> None:
        self._display = Display(CellArea(shell, route), metadata_of())
        self._painting = painting
        self._badge = badge
        self._cell_fails = cell_fails
        self._progress = Progress()
        self._widget: Any = None
        self._preparing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Show a first sign of life."""
        self._painting.begin()
        if self._painting.live:
            self._open_widget()
            self._show_live(progress_bundle(None, "…", self._badge))
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())

    def tell(self, progress: Progress) -> None:
        """Show how far it is."""
        self._progress = progress
        if not self._painting.live or progress.over or self.table is None:
            return
        if self._widget is not None:
            self._painting.tell(self._widget, lambda: [["s", self._fields(busy=True)]])
        else:
            self._show_progress()

    async def finish(self) -> None:
        """Show what came of it, for good: no widget, no kernel."""
        if self._preparing is not None:
            await asyncio.wait([self._preparing])
        if self._display.output is not None or not self._fails_alone:
            self._display.show(self._at_rest(), "final")
        self._close_widget()
        self._painting.end()

    async def _prepare(self) -> None:
        """Load the widgets, and go on with one of them."""
        await self._painting.prepare()
        if self._widget is None and self.table is not None and not self.table.done:
            self._open_widget()
            if self._widget is not None:
                self._show_progress()

    def _open_widget(self) -> None:
        if self._painting.widgets and self.table is not None:
            stop = self.table.stop
            self._widget = self._painting.live_widget("status", lambda: {"status": self._fields(busy=True)}, on_stop=stop)

    def _close_widget(self) -> None:
        """Close the widget once the page shows the static output; a page that was loaded again keeps it for good."""
        if self._widget is None:
            return
        if self._widget.greeted and self._widget.rebuilt:
            self._painting.tell(self._widget, lambda: [["s", self._fields(busy=False)]])
        elif self._widget.greeted:
            self._widget.when_gone(on_this_loop(self._painting.close_all))
        else:
            self._painting.close_all()

    def _fields(self, *, busy: bool) -> dict[str, Any]:
        progress, since = self._progress, round(self._progress.seconds, 1)
        return {"text": progress.line(), "badge": self._badge, "busy": busy, "part": progress.part, "since": since, "doing": ""}

    @property
    def _fails_alone(self) -> bool:
        """Whether the cell's own error says it all."""
        return self._cell_fails and fails(self.table)

    def _at_rest(self) -> dict[str, Any]:
        """Return the last line, what concerned all rows, and the table."""
        assert self.table is not None  # it was bound before it began
        table = self.table.so_far
        line = " · ".join(filter(None, (self._progress.line(), self.note))) + table.left_out
        trouble = table.error is not None and not self._fails_alone
        badge = table.badge or self._badge
        head = error_bundle(f"{badge} · {line}" if badge else line, str(table.error)) if trouble else status_bundle(line, badge)
        return map_bundle(head, *([table_bundle(*table.table())] if any(row.answered or row.error for row in table) else []))

    def _show_progress(self) -> None:
        self._show_live(progress_bundle(self._progress.part, self._progress.line(), self._badge))

    def _show_live(self, data: dict[str, Any]) -> None:
        self._display.show(map_bundle(data), "live", self._widget)


class PrintedView(MapView):
    """Shows one map in a terminal: how far it is by `bar`, if there is one, which comes with the first rows."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def tell(self, progress: Progress) -> None:
        """Show how far it is."""
        if self._bar is not None:
            self._bar(progress)

    async def finish(self) -> None:
        """Print the table and the last line."""
        if self.table is None or fails(self.table):
            return  # the cell says why
        rows = self.table.so_far
        table = table_bundle(*rows.table())["text/plain"] if rows else ""
        line = " · ".join(filter(None, (rows.badge, self.table.progress.line(), self.note)))
        trouble = f"⚠ {rows.error}\n" if rows.error else ""
        print(harmless(f"{table}\n— {line}{rows.left_out}\n{trouble}"), end="")  # noqa: T201 - a terminal


def cell_bar(shell: Any) -> Callable[[Progress], None] | None:
    """Return a bar below the cell that runs now, which needs no widget; None without a kernel: a terminal has its own."""
    if kernel_of(shell) is None:
        return None
    display, live = Display(CellArea(shell, Routes(shell).capture()), metadata_of()), is_watched(shell)

    def show(progress: Progress) -> None:
        if progress.over:
            display.show(map_bundle(status_bundle(progress.line())), "final")
        elif live:
            display.show(map_bundle(progress_bundle(progress.part, progress.line())), "live")

    return show
