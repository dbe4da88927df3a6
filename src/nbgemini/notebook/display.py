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
from typing import Any, Literal
from uuid import uuid4

from nbgemini.notebook.painting import Painter, Painting
from nbgemini.notebook.routing import Route
from nbgemini.notebook.status import StatusLine
from nbgemini.reply import Reply
from nbgemini.segments import Change, SegmentDelta, SegmentEnd, SegmentStart

_log = logging.getLogger("nbgemini")


class Display:
    """One output area below one cell."""

    def __init__(self, shell: Any, route: Route, reply: Reply) -> None:
        """Reserve it; nothing is shown yet."""
        self._shell = shell
        self._route = route
        self._reply = reply
        self._id = uuid4().hex
        self._shown = False

    def put(self, data: dict[str, Any], kind: str, segment: int, state: Literal["live", "final"]) -> None:
        """Show `data` here, in the place of what was shown before."""
        said = {"kind": kind, "chat": self._reply.chat, "turn": self._reply.turn, "segment": segment, "state": state}
        publish = partial(
            self._shell.display_pub.publish,
            data=data,
            metadata={"nbgemini": said},
            transient={"display_id": self._id},
            update=self._shown,
        )
        self._route.run(publish)
        self._shown = True


class StreamView:
    """Shows one reply: a display a segment, and the status line last."""

    def __init__(self, shell: Any, route: Route, reply: Reply, painting: Painting) -> None:
        """Prepare; `open` shows the first sign of life."""
        self._new_display = partial(Display, shell, route, reply)
        self._reply = reply
        self._painting = painting
        self._painters: list[Painter] = []
        self._first_unfinished = 0
        self._dirty = asyncio.Event()
        self._over = False
        self._place = self._new_display()
        self._status = StatusLine(reply, painting)
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Show the status line at once and begin to paint."""
        if self._painting.live:
            self._put_status("live")
        self._task = asyncio.get_running_loop().create_task(self._paint_to_the_end())

    def apply(self, changes: list[Change]) -> None:
        """Take in what changed."""
        for change in changes:
            match change:
                case SegmentStart(index):
                    self._painters.append(self._painting.painter(self._reply.segments[index]))
                case SegmentDelta(index, text):
                    self._painters[index].append(text)
                case SegmentEnd(index):
                    self._painters[index].end()
        if changes:
            self._dirty.set()

    async def finish(self) -> None:
        """Paint what is left and put everything to rest."""
        for painter in self._painters:
            painter.end_of_stream()
        self._over = True
        self._dirty.set()
        if self._task:
            await asyncio.wait([self._task])

    async def _paint_to_the_end(self) -> None:
        await self._painting.prepare()
        while True:
            over = self._over
            await self._guarded_paint()
            if over:
                break
            await self._pause()
        self._put_status("final")
        self._status.end()
        self._painting.close_all()

    async def _guarded_paint(self) -> None:
        for _ in range(2):
            try:
                await self._paint()
            except Exception:  # noqa: BLE001 - a broken front end must never break the stream: the rest is painted without it
                _log.debug("painting failed; going on without widgets", exc_info=True)
                self._painting.give_up_widgets()
            else:
                return

    async def _paint(self) -> None:
        if self._painting.live:
            self._status.refresh(partial(self._put_status, "live"))
        for index in range(self._first_unfinished, len(self._painters)):
            painter = self._painters[index]
            if painter.at_rest:
                continue
            if painter.place is None:
                self._give_place(painter, index)
            await painter.paint()
        while self._first_unfinished < len(self._painters) and self._painters[self._first_unfinished].at_rest:
            self._first_unfinished += 1

    def _give_place(self, painter: Painter, index: int) -> None:
        painter.begin(partial(self._place.put, kind=painter.kind, segment=index))
        self._place = self._new_display()
        if self._painting.live:
            self._put_status("live")

    def _put_status(self, state: Literal["live", "final"]) -> None:
        self._place.put(self._status.bundle(state), "status", len(self._painters), state)

    async def _pause(self) -> None:
        """Wait for the next repaint: not before the interval is over, and then for news or the next second."""
        await asyncio.sleep(self._painting.interval)
        if self._over or any(painter.waiting for painter in self._painters[self._first_unfinished :]):
            return
        self._dirty.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._dirty.wait()
