"""What a page is told ends in the same page, however the text was cut; what is at rest is the whole segment."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.messages.segments import Segment, SegmentDelta, SegmentEnd
from nbgemini.notebook.display.canvas import Painting, Refresh
from nbgemini.notebook.display.text_view import Deltas, TextPainter, update_of
from nbgemini.notebook.kernel.output_routing import Straight
from nbgemini.render.html_tree import Patch, parse_html
from nbgemini.render.streaming_markdown import Blocks
from tests.support.live_page import Page, nodes_of
from tests.support.outputs import Place


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


markdown = st.lists(
    st.sampled_from(["word ", "😀 ", "*em* ", "\n", "\n\n", "# head\n", "- item\n", "```\n", "|a|b|\n|-|-|\n", "<b> ", "$x$ "]),
    max_size=30,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(markdown, st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=12))
def test_the_page_is_the_same_however_the_text_came(text, steps):
    blocks, deltas, page, start = Blocks(), Deltas(), Page(), 0
    for length, advances in [*steps, (len(text) + 1, True)]:
        blocks.append(text[start : start + length])
        start += length
        page.apply(deltas.next(update_of(blocks.advance() if advances else [], blocks.patch())))
        snapshot = deltas.snapshot()
        assert parse_html(snapshot["html"]) + nodes_of(snapshot["open"]) == page.root.children
    page.apply(deltas.next(update_of(blocks.close(), Patch([]))))
    assert page.root.children == parse_html("".join(deltas.snapshot()["html"]))
    assert deltas.snapshot() == {"html": blocks.html(), "open": ""} or deltas.correct(blocks.html())


def test_a_page_that_was_told_otherwise_needs_a_snapshot():
    blocks, deltas = Blocks(), Deltas()
    blocks.append("see [r]\n\nand\n\n[r]: https://a.example\n")
    deltas.next(update_of(blocks.advance(), blocks.patch()))
    deltas.next(update_of(blocks.close(), Patch([])))
    assert deltas.correct(blocks.html())
    assert deltas.snapshot() == {"html": blocks.html(), "open": ""}
    assert 'href="https://a.example"' in deltas.snapshot()["html"]
    assert not deltas.correct(blocks.html())


def test_text_that_comes_all_at_once_travels_once():
    text = ("Some *words* here and `there`, as a usual paragraph has them, and no more than that. " * 3 + "\n\n") * 200
    blocks, deltas = Blocks(), Deltas()
    blocks.append(text)
    ops = deltas.next(update_of(blocks.advance(), blocks.patch()))
    assert sum(len(word) for op in ops for word in op if isinstance(word, str)) <= 1.25 * len(text)


def test_many_streams_repaint_less_often_and_much_text_slows_all_of_them():
    refresh = Refresh()
    refresh.streams = 1
    assert refresh.pause(0.1) == 0.1
    refresh.streams = 50
    assert refresh.pause(0.1) == 0.5
    refresh.sent(600_000)
    assert 1.5 < refresh.pause(0.1) <= 2.0
    assert Refresh().pause(0.2) == 0.2
