"""A text rendered while it grows gives what the whole text gives, at a cost that grows with its length only."""

from __future__ import annotations

import re
import threading
from itertools import pairwise

import pytest
from hypothesis import assume, example, given, settings, strategies as st

from nbgemini.render import streaming_markdown as module
from nbgemini.render.block_html import render
from nbgemini.render.block_rules import new_environment
from nbgemini.render.escape import harmless
from nbgemini.render.streaming_markdown import Blocks, to_html
from tests.corpus.answers import ANSWERS
from tests.corpus.pieces import markdown
from tests.render.checker import text_of


def fed(text, cuts, *, eager=False):
    """All blocks and what was shown of `text` cut at `cuts`; `eager` looks for blocks after every piece."""
    blocks, found, shown = Blocks(), [], ""
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    for start, end in pairwise(edges):
        shown += blocks.append(text[start:end])
        if eager:
            blocks._parse_at = 1.0
        found += blocks.advance()
    found += blocks.close()
    assert blocks.tail() == ""
    return found, shown, blocks.html()


def html_of(found):
    return "".join(block.html for block in found)


def loosely(html):
    """Without the white space between blocks."""
    return re.sub(r">\s+<", "><", html).strip()


@settings(max_examples=400, deadline=None)
@given(text=markdown, cuts=st.lists(st.integers(0, 120), max_size=12), eager=st.booleans())
@example(text="a\r\nb\r\n\r\nc", cuts=[2, 3, 6], eager=True)
@example(text="- a\n\n- b\n\nc", cuts=[3, 4, 5, 9], eager=True)
@example(text="x\n| a | b |\n|---|--x\n", cuts=[18], eager=True)
@example(text="- b\n| c\n    ---*e*\n\nf", cuts=[12], eager=True)
@example(text="-   $$-\n1.\n***\n$$\n", cuts=[12], eager=True)
@example(text="x\n$$\ny\n$$ z\n", cuts=[9], eager=True)
@example(text="[r]\n\n[r]:-", cuts=[9], eager=True)
@example(text='[r]\n\n[r]: x\n"a\n[r]: y\nb" c\n\n[r]', cuts=[13, 15, 17], eager=True)
def test_the_cuts_do_not_show(text, cuts, eager):
    assert fed(text, cuts, eager=eager)[2] == to_html(text)


@settings(max_examples=400, deadline=None)
@given(text=markdown, cuts=st.lists(st.integers(0, 120), max_size=12))
def test_the_cuts_do_not_show_where_a_long_block_is_cut(text, cuts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LARGEST", 24)
        assert fed(text, cuts, eager=True)[2] == fed(text, [])[2]


@settings(max_examples=400, deadline=None)
@given(markdown, st.lists(st.integers(0, 120), max_size=12))
@example("$$\na\n\nb\n$$\n\nc", [3, 7, 12])
@example("> a\nb\n\n> c", [2, 4, 6])
def test_the_blocks_are_the_whole(text, cuts):
    assume("\u05d0" not in text)  # each block has a direction of its own
    assert loosely(fed(text, cuts, eager=True)[2]) == loosely(render(harmless(text), new_environment()))


@settings(max_examples=400, deadline=None)
@given(markdown | st.text(max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_the_sources_are_the_shown_text(text, cuts):
    found, shown, _ = fed(text, cuts, eager=True)
    assert harmless(text).startswith(shown)  # what waits for the end of its line comes with the last blocks
    assert "".join(block.source for block in found) == harmless(text)


@settings(max_examples=200, deadline=None)
@given(text=markdown, cuts=st.lists(st.integers(0, 120), max_size=12))
def test_the_sources_alone_are_cut_at_the_same_places(text, cuts):
    cutting, sources = Blocks(), []
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    for start, end in pairwise(edges):
        cutting.append(text[start:end])
        sources += cutting.cut()
    sources += cutting.cut_all()
    assert "".join(sources) == harmless(text)
    assert sources == [block.source for block in fed(text, cuts)[0]]
    assert cutting.tail() == cutting.html() == ""


def test_a_definition_serves_the_blocks_that_follow_it():
    _, _, html = fed("[r]: https://a.example\n\nsee [r]\n\nand [r]\n", [25, 35], eager=True)
    assert html.count('href="https://a.example"') == 2


def test_a_finished_block_does_not_wait_for_the_end():
    blocks = Blocks()
    blocks.append("one\n\ntwo\n\nthree")
    assert [block.html for block in blocks.advance()] == ["<p>one</p>\n", "<p>two</p>\n"]
    assert blocks.tail() == "three"


def test_a_paragraph_is_finished_as_soon_as_the_next_block_begins():
    blocks = Blocks()
    for piece in ("one", "\n", " \n"):
        blocks.append(piece)
        assert blocks.advance() == []
    blocks.append("t")
    assert [block.html for block in blocks.advance()] == ["<p>one</p>\n"]
    assert blocks.tail() == "t"


def test_text_may_come_while_blocks_are_rendered():
    text = "A paragraph with *some* text.\n\n- an item\n- another\n\n```python\nx = 1\n```\n\n" * 60
    blocks, found, over = Blocks(), [], threading.Event()

    def advance():
        while not over.is_set():
            found.extend(blocks.advance())

    thread = threading.Thread(target=advance)
    thread.start()
    try:
        for start in range(0, len(text), 7):
            blocks.append(text[start : start + 7])
    finally:
        over.set()
        thread.join(30)
    found += blocks.close()
    assert html_of(found) == blocks.html() == html_of(fed(text, [])[0])
    assert sum(len(block.source) for block in found) == len(text)


@pytest.mark.parametrize("opening", ["$$", "$$ x", "- $$", "> $$\n> x", "\\[", "a $$ b", "1. a\n\n   $$"])
def test_a_formula_that_stays_open_holds_up_its_own_block_only(opening):
    blocks = Blocks()
    blocks.append(f"one\n\n{opening}\n\nthree\n\nfour\n\n")
    blocks.append("f")
    assert html_of(blocks.advance()).endswith("<p>three</p>\n<p>four</p>\n")
    assert blocks.tail() == "f"


def test_a_formula_may_hold_blank_lines_but_no_prose():
    assert text_of(to_html("$$\na\n\n= b\n$$\n\nc")) == "$$\na\n\n= b\n$$\nc\n"
    assert to_html("$$\na\n\nThat is how it is.\n$$").count("<p>") == 2


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("see [r]\n\nand\n\n[r]: https://a.example", '<a href="https://a.example"'),
        ("- see [the page][r]\n\n> [r]: https://a.example\n", '<a href="https://a.example"'),
        ("see ![p][r]\n\n[r]: data:image/png;base64,AAAA", '<img src="data:image/png;base64,AAAA"'),
        ("[so[^n]](https://a.example)\n\n[^n]: it is", "so<sup>[n]</sup>"),
        ("so it is[^n]\n\n[^n]: says *who*", "is<sup>[n]</sup>"),
        ("| a[^n] |\n|---|\n\n[^n]: who", "a<sup>[n]</sup>"),
    ],
)
def test_what_is_defined_later_serves_what_came_before(text, later):
    blocks = Blocks()
    for char in text:
        blocks.append(char)
        blocks.advance()
    assert later not in blocks.html()
    blocks.close()
    assert later in blocks.html()
    assert blocks.html() == to_html(text)


def test_only_what_asked_is_rendered_once_more(monkeypatch):
    rendered = []
    monkeypatch.setattr(module, "render", lambda source, env: (rendered.append(source), render(source, env))[1])
    text = "".join(f"paragraph {number}\n\n" for number in range(50)) + "[r]\n\n[other]\n\n[r]: https://a.example\n"
    assert fed(text, range(0, len(text), 7), eager=True)[2] == to_html(text)
    assert sorted(rendered).count("[r]\n\n") == 4  # streamed and whole, twice each
    assert sorted(rendered).count("[other]\n\n") == 2


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_streams_to_what_it_is_as_a_whole(answer):
    """At 7, 40 and 200 characters a frame."""
    whole = to_html(answer)
    for size in (7, 40, 200):
        assert fed(answer, range(0, len(answer), size), eager=True)[2] == whole
    assert not lost(answer, text_of(whole))


def lost(answer, shown):
    """Words of an answer that no reader sees; the languages of code and the numbers of lists are not among them."""
    words = set(
        re.findall(
            r"(?<![\w/.])[^\W\d_]{4,}",
            re.sub(r"^\[[^^\]]+\]:.*$|^ *(`{3,}|~{3,}).*$|\]\([^)]*\)|<br>", " ", answer, flags=re.MULTILINE),
        )
    )
    return {word for word in words if word not in shown}


@pytest.mark.parametrize("fence", ["```", "~~~~", "  ```"])
def test_open_code_is_not_parsed_again_until_its_end(fence):
    blocks = Blocks()
    blocks.append(f"{fence}py\n")
    blocks.advance()
    parsed = blocks.parsed
    for piece in ("x = 1\n\n", "y", "\n", f"    {fence}\n", "~~~\n" if "`" in fence else "```\n"):
        blocks.append(piece * 1000)
        assert blocks.advance() == []
    assert blocks.parsed == parsed
    for piece in (fence[:3], fence[3:] + "``" * ("`" in fence), " ", " \n", "\nn", "ext"):
        blocks.append(piece)
        blocks.advance()
    assert blocks.tail() == "next"


def test_without_a_new_line_nothing_is_parsed():
    blocks = Blocks()
    blocks.append("a" * 1000)
    assert not blocks.promising
    assert blocks.advance() == []
    assert blocks.parsed == 0


STEPS = ("- step\n\n  ```\n" + "  x = 1\n" * 99 + "  ```\n\n") * 90
QUOTED = "> a\n" * 9990 + "> ```\n" + "> x = 1\n" * 99 + "> ```\n> b\n"
IN_ITEM = "- ```\n" + "  x = 1\n" * 9000 + "  ```\n- b\n"


@pytest.mark.parametrize(("text", "codes", "words"), [(STEPS, 90, "step"), (QUOTED, 1, "<p>b</p>"), (IN_ITEM, 1, "<li>b</li>")])
def test_no_code_is_cut_where_a_long_block_is(text, codes, words):
    for cuts in ([], range(0, len(text), 999)):
        html = html_of(fed(text + "\nthe end\n", cuts)[0])
        assert html.count("<pre>") == codes
        assert words in re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL)
        assert "x = 1" not in re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL)
        assert html.endswith("<p>the end</p>\n")


def filled(unit, head="", tail=""):
    return head + unit * (200_000 // len(unit)) + tail


LONG = {
    "prose": filled("Rayleigh scattering makes the sky blue, **and** more.\nAnother line.\n\n"),
    "one code block": filled("value = compute(value, 1)\n", "```python\n", "```\n"),
    "one indented code block": filled("    value = compute(value, 1)\n"),
    "one list": filled("- an item of a list that goes on\n"),
    "one loose list": filled("- an item of a list that goes on\n\n"),
    "one quote": filled("> a line of a quote that goes on\n"),
    "one table": filled("| a cell | another | 3 |\n", "| a | b | c |\n|---|---|---|\n"),
    "one formula": filled("x &= y + 1 \\\\\n", "$$\n", "$$\n"),
    "a stray formula": filled("three words here\n\n", "$$ two\n\n"),
    "stray formulas": filled("$$ x\n\n"),
    "formulas in one paragraph": filled("$$ x\n"),
    "code blocks in a list": filled("- ```python\n  value = compute(value, 1)\n  ```\n"),
    "one paragraph": filled("a line of a paragraph that goes on\n"),
    "one line": filled("a word after a word "),
}


@pytest.mark.parametrize("name", LONG)
def test_the_work_is_linear(name):
    """No look at the text is longer the more text there is, but for the one that finds the end of the code."""
    text, blocks, found, looks = LONG[name], Blocks(), [], []
    for start in range(0, len(text), 20):
        blocks.append(text[start : start + 20])
        before = blocks.parsed
        found += blocks.advance()
        looks.append(blocks.parsed - before)
    found += blocks.close()
    assert len(text) <= sum(len(block.source) for block in found) <= 1.01 * len(text)  # a table has its head again
    assert max(looks[:-2]) <= 1.3 * module._LARGEST
    assert blocks.parsed <= 12 * len(text)


def test_blocks_can_be_cut_without_being_rendered():
    blocks = Blocks()
    blocks.append("One.\n\nTwo.\n\n- th")
    cut = blocks.cut()
    blocks.append("ree")
    assert "".join(cut + blocks.cut_all()) == "One.\n\nTwo.\n\n- three"


def test_a_table_that_is_cut_has_its_head_again():
    rows = [f"| {number} | $x$ |\n" for number in range(3_000)]
    html = to_html("".join(["| a | b |\n|--:|---|\n", *rows, "\nend\n"]))
    assert html.count("<table>") == html.count('<th><div align="right">a</div></th>') > 1
    assert html.count("<td>") == 2 * len(rows)
    assert html.endswith("<p>end</p>\n")
    assert html.count("<p>") == 1


@pytest.mark.timeout(90)
def test_a_long_paragraph_is_parsed_piece_by_piece():
    text = "**a** `b` " * 1_500
    html = to_html(text)
    assert (html.count("<strong>a</strong>"), html.count("<code>b</code>"), html.count("<p>")) == (1_500, 1_500, 1)
    assert to_html("x" * 15_000) == f"<p>{'x' * 15_000}</p>\n"


@pytest.mark.parametrize(
    "text",
    [
        "```\na\n\n```py\nb\n```\n\nc\n   d\n```\n",
        "```\n2. a\n   ```sh\n   b\n   ```\n\n3. c\n   ```\nd\n```\n",
        "1. a\n   ```\nb\n```\n2. c\n",
    ],
)
def test_blanks_at_the_end_of_what_came_end_nothing(text):
    for at in range(1, len(text)):
        blocks = Blocks()
        for piece in (text[:at], text[at:]):
            blocks.append(piece)
            blocks.advance()
        blocks.close()
        assert blocks.html() == to_html(text)
