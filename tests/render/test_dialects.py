"""What models write in many scripts and dialects of Markdown comes out the same however it comes, and nothing of it is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.render.streaming_markdown import Blocks, to_html
from tests.corpus.dialects import TEXTS
from tests.render.checker import faults, text_of


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_an_answer_in_pieces_is_the_whole_one(name, data):
    text = TEXTS[name]
    cuts = data.draw(st.lists(st.integers(1, len(text) - 1), min_size=3, max_size=3).map(sorted))
    blocks = Blocks()
    for start, end in pairwise([0, *cuts, len(text)]):
        blocks.append(text[start:end])
        blocks.advance()
        blocks.patch()
    blocks.close()
    assert blocks.html() == to_html(text)
    assert faults(blocks.html()) == []


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| `a | b` | c |", ["<code>a | b</code>", "c"]),
        ("| ``a | b`` | `c || d` |", ["<code>a | b</code>", "<code>c || d</code>"]),
        ("| `a \\| b | c` | d |", ["<code>a | b | c</code>", "d"]),
        ("`a | b` | c", ["<code>a | b</code>", "c"]),
        ("| a | b | c \\| d | e |", ["a", "b | c | d | e"]),
        ("| ` | b | c |", ["`", "b | c"]),
        ("| `a | b` |", ["`a", "b`"]),  # as many cells as there are columns: so says the dialect of GitHub
    ],
)
def test_a_row_with_too_many_cells_loses_none(row, cells):
    html = to_html(f"| x | y |\n|---|---|\n{row}\n")
    assert html.count("<td>") == 2
    assert [f'<div align="left">{cell}</div>' in html for cell in cells] == [True, True]


def test_formulas_with_bars_stand_in_a_cell():
    html = to_html("| x | y |\n|---|---|\n| $|x|$ | $P(A|B)$ |\n")
    assert ">$|x|$<" in html
    assert ">$P(A|B)$<" in html


def test_a_head_with_code_that_has_pipes_is_a_head():
    assert '<th><div align="left"><code>a|b</code></div></th>' in to_html("| `a|b` | c |\n|---|---|\n| 1 | 2 |\n")
    assert "<table>" not in to_html("| a | b | c |\n|---|---|\n")


@pytest.mark.parametrize(
    "item", ["• a", "– a", "✅ a", "①a", "1️⃣ a", "[1] a", "[2]: a", "١. a", "（1）a", "(2) a", "(b) a", "二、a"]
)
def test_items_of_lists_that_markdown_does_not_know_have_lines_of_their_own(item):
    html = to_html(f"Before\n{item}\n{item}")
    assert html.count("<br>") == 2
    assert text_of(html).split("\n")[0].strip() == "Before"


@pytest.mark.parametrize("line", ["word", "(as said)", "12 of them", "-a", "`code`", "[link]", "–a"])
def test_other_lines_go_on(line):
    assert "<br>" not in to_html(f"Before\n{line}")
