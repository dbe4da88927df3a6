"""A segment on the page that is whole at once: a picture, code, sources; raw sound comes in pieces, a line says so until then.

Invariant: its static output is sent once, and live nothing of its content before that: what is large travels once.
"""

from __future__ import annotations

import asyncio

from nbgemini.messages.segments import Change, Segment, SegmentEnd
from nbgemini.notebook.display.canvas import Painting, Place
from nbgemini.notebook.display.segment_view import SegmentPainter
from nbgemini.render.mimebundle import bundle, live_bundle


class WholePainter(SegmentPainter):
    """Paints one segment."""

    def __init__(self, segment: Segment, painting: Painting) -> None:
        """Begin with nothing painted."""
        super().__init__(segment, painting)
        self._whole = False

    @property
    def waiting(self) -> bool:
        """Whether there is something to paint."""
        return self._whole and not self.at_rest

    def take(self, change: Change) -> None:
        """Take in that the segment is whole."""
        self._whole = self._whole or isinstance(change, SegmentEnd)

    def end_of_stream(self) -> None:
        """Note that the whole stream is over: everything becomes static."""
        self._whole = True

    def begin(self, place: Place) -> None:
        """Take the place on the page."""
        self.place = place
        if not self._whole and self._painting.live:
            place.show(live_bundle(self.kind), "live")

    async def paint(self) -> None:
        """Show the segment once it is whole."""
        if self._whole and self.place:
            self.place.show(await asyncio.to_thread(bundle, self._segment), "final")
            self.at_rest = True
