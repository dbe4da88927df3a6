"""A map on the page: one display with a bar and Stop while it runs, its last line and a bounded table at rest."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, Protocol
from uuid import uuid4

from nbgemini.bulk.progress import Progress
from nbgemini.bulk.table import MapResult
from nbgemini.notebook.display.canvas import Painting
from nbgemini.notebook.kernel.environment import is_watched, kernel_of
from nbgemini.notebook.kernel.output_routing import Route, Routes
from nbgemini.render.escape import harmless
from nbgemini.render.mimebundle import (
    as_live,
    error_bundle,
    map_bundle,
    metadata_of,
    progress_bundle,
    status_bundle,
    table_bundle,
)


def fails(table: MapResult | None) -> bool:
    """Whether a fault of all rows left no answer."""
    return table is not None and table.so_far.error is not None and not any(row.answered for row in table.so_far)


class MapView(Protocol):
    """Who shows a map.

    Attributes:
        table: the map, once there is one.
        note: what its last line says besides.
    """

    table: MapResult | None
    note: str

    def open(self) -> None:
        """Show a first sign of life."""
        ...

    def tell(self, progress: Progress) -> None:
        """Show how far it is."""
        ...

    async def finish(self) -> None:
        """Show what came of it."""
        ...


class PageView:
    """Shows one map below its cell."""

    def __init__(self, shell: Any, route: Route, painting: Painting, badge: str, cell_fails: bool) -> None:
        """Show nothing yet; `cell_fails`: an error that left nothing to show is the cell's own."""
        self.table: MapResult | None = None
        self.note = ""
        self._shell = shell
        self._route = route
        self._painting = painting
        self._badge = badge
        self._cell_fails = cell_fails
        self._progress = Progress()
        self._widget: Any = None
        self._id = uuid4().hex
        self._shown = False
        self._preparing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Show a first sign of life."""
        self._painting.begin()
        if self._painting.live:
            self._open_widget()
            self._show(progress_bundle(None, "…", self._badge), "live")
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())

    def tell(self, progress: Progress) -> None:
        """Show how far it is."""
        self._progress = progress
        if not self._painting.live or progress.over or self.table is None:
            return
        if self._widget is not None:
            self._painting.tell(self._widget, lambda: [["s", self._fields(busy=True)]])
        else:
            self._show(progress_bundle(progress.part, progress.line(), self._badge), "live")

    async def finish(self) -> None:
        """Show what came of it, for good: no widget, no kernel."""
        if self._preparing is not None:
            await asyncio.wait([self._preparing])
        if self._shown or not self._fails_alone:
            self._show(self._at_rest(), "final")
        self._close_widget()
        self._painting.end()

    async def _prepare(self) -> None:
        """Load the widgets, and go on with one of them."""
        await self._painting.prepare()
        if self._widget is None and self._painting.widgets and self.table is not None and not self.table.done:
            self._open_widget()
            self._show(progress_bundle(self._progress.part, self._progress.line(), self._badge), "live")

    def _open_widget(self) -> None:
        if self._painting.widgets and self.table is not None:
            self._widget = self._painting.status_widget(lambda: {"status": self._fields(busy=True)}, self.table.stop)

    def _close_widget(self) -> None:
        """Close the widget once the page shows the static output; a page that was loaded again keeps it for good."""
        if self._widget is None:
            return
        if self._widget.greeted and self._widget.rebuilt:
            self._painting.tell(self._widget, lambda: [["s", self._fields(busy=False)]])
        elif self._widget.greeted:
            loop = asyncio.get_running_loop()
            close = self._painting.close_all
            self._widget.when_gone(lambda: None if loop.is_closed() else loop.call_soon_threadsafe(close))
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

    def _show(self, data: dict[str, Any], state: Literal["live", "final"]) -> None:
        if state == "live":
            data = as_live(map_bundle(data))
        if self._widget is not None and state == "live":
            data = {**self._painting.view_of(self._widget), **data}
        self._route.run(lambda: self._publish(data))
        self._shown = True

    def _publish(self, data: dict[str, Any]) -> None:
        transient = {"display_id": self._id}
        self._shell.display_pub.publish(data=data, metadata=metadata_of(), transient=transient, update=self._shown)


class PrintedView:
    """Shows one map in a terminal."""

    def __init__(self, bar: Any) -> None:
        """Show how far it is by `bar`, if there is one."""
        self.table: MapResult | None = None
        self.note = ""
        self._bar = bar

    def open(self) -> None:
        """Show nothing: the bar comes with the first rows."""

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


class CellBar:
    """One display, which nobody needs a kernel or a widget to read."""

    def __init__(self, shell: Any) -> None:
        """Show nothing yet; where nobody sits, nothing but the last line."""
        self._shell = shell
        self._route = Routes(shell).capture()
        self._live = is_watched(shell)
        self._id = uuid4().hex
        self._shown = False

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if progress.over:
            self._show(map_bundle(status_bundle(progress.line())))
        elif self._live:
            self._show(as_live(map_bundle(progress_bundle(progress.part, progress.line()))))

    def _show(self, data: dict[str, Any]) -> None:
        said, transient = metadata_of(), {"display_id": self._id}
        publish, update = self._shell.display_pub.publish, self._shown
        self._route.run(lambda: publish(data=data, metadata=said, transient=transient, update=update))
        self._shown = True


def bar_of(shell: Any) -> CellBar | None:
    """Return a bar for the cell that runs now; None without a kernel, where a terminal has its own."""
    return CellBar(shell) if kernel_of(shell) is not None else None
