"""What is at rest is the whole segment, whenever its last words came."""

from __future__ import annotations

import asyncio

import pytest

from nbgemini.messages.segments import Segment, SegmentDelta, SegmentEnd
from nbgemini.notebook.display.canvas import Painting, Refresh
from nbgemini.notebook.display.text_view import TextPainter
from nbgemini.notebook.kernel.output_routing import Straight


class Place:
    """Keeps what is shown."""

    for_good = False

    def __init__(self):
        self.shown = []

    def show(self, data, state, widget=None):  # noqa: ARG002 - a place of plain HTML
        self.shown.append((state, data))


@pytest.mark.parametrize("way", ["html", "at_end"])
@pytest.mark.parametrize("turns", range(6))
async def test_words_that_come_while_something_is_painted_are_not_lost(way, turns):
    """The last text and the end of the segment arrive while a thread renders what came before."""
    painting, segment, place = Painting(way, Straight(), Refresh(), 1000, shows_errors=False), Segment(0, "answer"), Place()
    painter = TextPainter(segment, painting)

    def arrive(text):
        segment.append(text)
        painter.take(SegmentDelta(0, text))

    arrive("First paragraph, long enough to be painted. " * 20 + "\n\nSecond ")
    painter.begin(place)
    painting_it = asyncio.create_task(painter.paint())
    for _ in range(turns):
        await asyncio.sleep(0)
    arrive("one, with its very last words.")
    painter.take(SegmentEnd(0))
    await painting_it
    while not painter.at_rest:
        await painter.paint()
    state, data = place.shown[-1]
    assert state == "final"
    assert "very last words." in data["text/html"]
    assert data["text/plain"] == segment.text
