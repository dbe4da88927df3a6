"""What a page is told, however the text was cut, ends in the same page; no character travels twice without need."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nbgemini.notebook.display.deltas import Deltas, units
from nbgemini.notebook.display.throttle import Refresh
from nbgemini.render.escape import harmless
from nbgemini.render.streaming_markdown import Blocks

markdown = st.lists(
    st.sampled_from(["word ", "😀 ", "*em* ", "\n", "\n\n", "# head\n", "- item\n", "```\n", "|a|b|\n|-|-|\n", "<b> ", "$x$ "]),
    max_size=30,
).map("".join)


class Page:
    """What the module in the page does with operations, in Python."""

    def __init__(self):
        self.html, self.tail = "", ""

    def apply(self, ops):
        for op, first, *rest in ops:
            if op == "t":
                self.tail += first
            elif op == "p":
                text, self.tail = split(self.tail, first)
                self.html += f"<p>{text.rstrip()}</p>"
            else:
                self.tail = split(self.tail, rest[0])[1]
                self.html += first


def split(text, count):
    whole = text.encode("utf-16-le")
    assert count * 2 <= len(whole)
    return whole[: count * 2].decode("utf-16-le"), whole[count * 2 :].decode("utf-16-le")


@settings(max_examples=300, deadline=None)
@given(markdown, st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=12))
def test_the_page_is_the_same_however_the_text_came(text, steps):
    blocks, deltas, page, start = Blocks(), Deltas(), Page(), 0
    for length, advances in [*steps, (len(text) + 1, True)]:
        blocks.append(text[start : start + length])
        start += length
        found = blocks.advance() if advances else []
        page.apply(deltas.next(found, blocks.tail()))
        assert page.tail == deltas.snapshot()["tail"] == blocks.tail()
    page.apply(deltas.next(blocks.close(), blocks.tail()))
    assert page.tail == ""
    plain = deltas.snapshot()["html"].replace("</p>\n", "</p>")
    assert page.html.replace("</p>\n", "</p>").replace("&lt;", "<").replace("&gt;", ">") == plain.replace("&lt;", "<").replace(
        "&gt;", ">"
    )
    assert deltas.snapshot()["html"] == blocks.html()


def test_a_page_that_was_told_otherwise_needs_a_snapshot():
    blocks, deltas = Blocks(), Deltas()
    blocks.append("see [r]\n\nand\n\n[r]: https://a.example\n")
    deltas.next(blocks.advance(), blocks.tail())
    deltas.next(blocks.close(), "")
    assert deltas.correct(blocks.html())
    assert deltas.snapshot() == {"html": blocks.html(), "tail": ""}
    assert 'href="https://a.example"' in deltas.snapshot()["html"]
    assert not deltas.correct(blocks.html())


@given(st.text())
def test_units_are_what_a_browser_counts(text):
    assert units(harmless(text)) == len(harmless(text).encode("utf-16-le")) // 2


def test_text_that_comes_all_at_once_travels_once():
    text = ("Some *words* here and `there`, as a usual paragraph has them, and no more than that. " * 3 + "\n\n") * 200
    blocks, deltas = Blocks(), Deltas()
    blocks.append(text)
    ops = deltas.next(blocks.advance(), blocks.tail())
    assert sum(len(word) for op in ops for word in op if isinstance(word, str)) <= 1.25 * len(text)


def test_many_streams_repaint_less_often_and_much_text_slows_all_of_them():
    refresh = Refresh()
    refresh.join()
    assert refresh.pause(0.1) == 0.1
    for _ in range(49):
        refresh.join()
    assert refresh.pause(0.1) == 0.5
    refresh.sent(600_000)
    assert 1.5 < refresh.pause(0.1) <= 2.0
    for _ in range(49):
        refresh.leave()
    assert Refresh().pause(0.2) == 0.2
