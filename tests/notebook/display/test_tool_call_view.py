"""A card without widgets: shown as its arguments come, but not all of it again at each of them."""

from __future__ import annotations

import pytest

from nbgemini.messages.events import ToolArgsPiece, ToolCallEnd, ToolCallStart, ToolProgress, ToolRun
from nbgemini.messages.segments import SegmentStart
from nbgemini.notebook.display.canvas import Painting, Refresh
from nbgemini.notebook.display.tool_call_view import CardPainter
from nbgemini.notebook.kernel.output_routing import Straight
from tests.support.outputs import Place
from tests.support.terminal import new_reply

PIECES = 500


@pytest.mark.parametrize("way", ["html", "at_end"])
async def test_a_card_costs_no_more_than_a_few_times_its_arguments(way):
    reply, place = new_reply(), Place()
    painting = Painting(way, Straight(), Refresh(), 1000, shows_errors=False)
    painter = None
    text = [ToolArgsPiece("", "$.a", "word ", more=True) for _ in range(PIECES)]
    for event in (ToolCallStart("", "f"), *text, ToolArgsPiece("", "$.a", "END"), ToolCallEnd("")):
        for change in reply.feed([event]):
            if isinstance(change, SegmentStart):
                painter = CardPainter(reply.so_far.segments[change.index], painting, reply)
                painter.begin(place)
            else:
                painter.take(change)
            await painter.paint()
    (call,) = reply.so_far.tool_calls
    for change in reply.feed([ToolProgress(0, ToolRun(call, "done", {"output": 1}))]):
        painter.take(change)
    assert painter.waiting
    await painter.paint()
    assert [painter.at_rest, painter.waiting] == [True, False]
    state, last = place.shown[-1]
    assert state == "final"
    assert "END" in last["text/plain"]
    if way == "at_end":
        assert len(place.shown) == 1
    else:
        assert 5 < len(place.shown) < 40
        assert "its arguments are coming" in place.shown[0][1]["text/plain"]
        assert sum(len(data["text/html"]) for _, data in place.shown) < 10 * len("word ") * PIECES
