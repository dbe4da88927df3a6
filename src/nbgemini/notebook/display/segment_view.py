"""Who paints one segment: what changed is taken in as it comes, which is cheap, and painted a few times a second.

Invariant: what is large travels once. Of a segment that is whole at once (a picture, code, sources; raw sound comes in pieces,
a line says so until then) nothing is shown before its static output.
"""

from __future__ import annotations

import asyncio
from typing import Any

from nbgemini.messages.segments import Change, Segment, SegmentEnd
from nbgemini.notebook.display.canvas import Painting, Place
from nbgemini.render.mimebundle import bundle, live_bundle

_GROWTH = 1.5  # plain HTML is repainted when it has grown by half, so that all repaints together stay below 4 x the answer


class SegmentPainter:
    """Paints a segment that is whole at once; others do all of this in their own way.

    Attributes:
        place: where the segment stands on the page, once it has a place.
        at_rest: whether its static output is shown, for good.
    """

    def __init__(self, segment: Segment, painting: Painting) -> None:
        self.kind = segment.kind
        self.place: Place | None = None
        self.at_rest = False
        self._segment = segment
        self._painting = painting
        self._widget: Any = None
        self._whole = False
        self._painted = 0  # characters in the last repaint of plain HTML

    @property
    def waiting(self) -> bool:
        """Whether there is something to paint."""
        return self._whole and not self.at_rest

    def take(self, change: Change) -> None:
        """Take in what changed in the segment."""
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
        """Show what is new; put the segment to rest once nothing more will come of it."""
        if self._whole and self.place:
            self.place.show(await asyncio.to_thread(bundle, self._segment), "final")
            self.at_rest = True

    def _has_grown(self, length: int, least: int = 0) -> bool:
        """Whether it is time to repaint plain HTML, which is then taken as done."""
        grown = length >= max(least, self._painted * _GROWTH)
        self._painted = length if grown else self._painted
        return grown

    @property
    def _needed(self) -> bool:
        """Whether the page may know nothing of the static output that takes the widget's place."""
        stays = self.place is not None and self.place.for_good
        return self._widget is not None and (bool(self._widget.rebuilt) or self._painting.moved or stays)
