"""One display a segment, and the view that keeps them in the order of the wire.

Text is taken in as it comes (cheap) and painted apart, a few times a second. The newest display is always the status line:
when a segment begins, the status line's place becomes the segment's and a new status line appears below it, so the reader
finds it last and the saved file holds everything in order. At the end every display is a static bundle.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import Any

from nbgemini._async.scheduler import FairScheduler
from nbgemini.chat.reply import Reply
from nbgemini.messages.segments import Change, Segment, SegmentStart
from nbgemini.notebook.display.canvas import Painting
from nbgemini.notebook.display.output_area import CellArea, Display, OutputArea, area_of, settled
from nbgemini.notebook.display.segment_view import SegmentPainter
from nbgemini.notebook.display.status_line import StatusLine
from nbgemini.notebook.display.text_view import TextPainter
from nbgemini.notebook.display.tool_call_view import CardPainter
from nbgemini.notebook.kernel.environment import cell_id, is_unattended, outside_cells
from nbgemini.notebook.kernel.output_routing import Route
from nbgemini.render.mimebundle import metadata_of, status_bundle

_log = logging.getLogger("nbgemini")
_DROPPED = (
    "asked without waiting: in unattended runs, what arrives after the cell has ended is lost → leave out --no-wait (or %config"
    " Gemini.wait = False); a later cell can show the reply"
)


class StreamView:
    """Shows one reply: a display a segment, the status line last, and all of it after an `earlier` prompt of the same cell."""

    def __init__(self, shell: Any, route: Route, reply: Reply, painting: Painting, earlier: StreamView | None = None) -> None:
        self._area = area_of(shell, route)
        self._make_display = partial(Display, self._area, metadata_of(reply.chat, reply.turn))
        self._displays: list[Display] = []
        self._cell = cell_id(shell) if isinstance(self._area, CellArea) else None
        painting.inside = isinstance(self._area, OutputArea)
        self._reply = reply
        self._painting = painting
        self._painters: list[SegmentPainter] = []
        self._first_unfinished = 0
        self._dirty = asyncio.Event()
        self._over = asyncio.Event()
        self._status = StatusLine(reply, painting, self._new_display(), self.document)
        if outside_cells(shell) and not painting.inside:
            self._status.note = "asked outside a cell, shown below the cell that ran last"
        self._unattended = is_unattended(shell)
        self._task: asyncio.Task[None] | None = None
        self._earlier = earlier

    def open(self) -> None:
        """Show the status line at once and begin to paint."""
        self._painting.begin()
        if self._before() is None:
            self._appear()
        self._task = asyncio.get_running_loop().create_task(self._paint_to_the_end())

    def apply(self, changes: list[Change]) -> None:
        """Take in what changed."""
        for change in changes:
            if isinstance(change, SegmentStart):
                self._painters.append(self._painter(self._reply.so_far.segments[change.index]))
            else:
                self._painters[change.index].take(change)
                self._first_unfinished = min(self._first_unfinished, change.index)  # it may have been at rest
        if changes or self._reply.notice:
            self._dirty.set()

    def _painter(self, segment: Segment) -> SegmentPainter:
        if segment.kind == "tool_call":
            return CardPainter(segment, self._painting, self._reply)
        if segment.kind in ("thought", "answer"):
            return TextPainter(segment, self._painting, self._reply.options)
        return SegmentPainter(segment, self._painting)

    async def finish(self) -> None:
        """Paint what is left and put everything to rest."""
        for painter in self._painters:
            painter.end_of_stream()
        self._over.set()
        self._dirty.set()
        if self._task:
            await asyncio.wait([self._task])

    def document(self) -> dict[str, Any]:
        """Return what a page should hold of this reply: its cell, whether that has held all of it, its outputs."""
        outputs = [display.output for display in list(self._displays) if display.output is not None]
        return {"cell": self._cell, "filled": self._status.taken_in, "ids": self._painting.widget_ids, "outputs": outputs}

    def _new_display(self) -> Display:
        self._displays.append(self._make_display())
        return self._displays[-1]

    def _before(self) -> asyncio.Task[None] | None:
        """Return what must be over first, since the outputs of two prompts in one cell would get mixed up.

        In an Output each has a place of its own, which has to be taken before the block is left.
        """
        earlier = None if isinstance(self._area, OutputArea) else self._earlier
        task = earlier._task if earlier is not None else None  # noqa: SLF001 - one of our own
        waits = task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
        return task if waits else None

    def _appear(self) -> None:
        self._status.open()
        if self._painting.live:
            self._status.show("live")
        elif self._unattended and self._painting.shows_errors:  # the cell does not wait
            self._status.place.show(status_bundle(_DROPPED), "final")

    async def _paint_to_the_end(self) -> None:
        await self._painting.prepare()
        before = self._before()
        if before is not None:
            await asyncio.wait([before])
            self._appear()
        self._earlier = None
        while True:
            over = self._over.is_set()
            await self._guarded_paint()
            if over:
                break
            await self._pause()
        for data in self._status.segments:
            self._status.place.show(data, "final")
            self._status.place = self._new_display()
        self._status.show("final")
        await settled(self._area)
        self._status.end()
        self._painting.end()

    async def _guarded_paint(self) -> None:
        for _ in range(2):
            try:
                await self._paint()
            except Exception:  # noqa: BLE001 - a broken front end must never break the stream: the rest is painted without it
                _log.debug("painting failed; going on without widgets", exc_info=True)
                self._painting.widgets = False
            else:
                return

    async def _paint(self) -> None:
        scheduler = FairScheduler.here()
        if self._painting.live:
            self._status.refresh()
        for index in range(self._first_unfinished, len(self._painters)):
            painter = self._painters[index]
            if painter.at_rest:
                continue
            await scheduler.turn()  # there may be thousands
            if painter.place is None:
                self._give_place(painter)
            await painter.paint()
            if not self._painting.live and not painter.at_rest:
                break  # nothing can be put in between later: a call that ends first waits for those before it
        self._area.refresh()
        while self._first_unfinished < len(self._painters) and self._painters[self._first_unfinished].at_rest:
            self._first_unfinished += 1

    def _give_place(self, painter: SegmentPainter) -> None:
        room = self._status.room()
        if room is not None:
            painter.begin(room)
            return
        painter.begin(self._status.place)
        self._status.place = self._new_display()
        if self._painting.live:
            self._status.show("live")

    async def _pause(self) -> None:
        """Wait for the next repaint: not before the interval is over, and then for news or the next second."""
        await _within(self._painting.pause, self._over)
        if self._over.is_set() or any(painter.waiting for painter in self._painters[self._first_unfinished :]):
            return
        self._dirty.clear()
        await _within(1.0, self._dirty)


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but no longer than this."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
