"""What is open at the end of a line is closed as it will be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.render.block_rules import new_environment
from nbgemini.render.open_markdown import close_inline


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a **bo", "a **bo**"),
        ("a **bold*", "a **bold**"),
        ("a **bold**", "a **bold**"),
        ("a **", "a"),
        ("a *", "a"),
        ("a **bold *both", "a **bold *both***"),
        ("a ~~gone", "a ~~gone~~"),
        ("snake_case and __strong", "snake_case and __strong__"),
        ("2 * 3 and a", "2 * 3 and a"),
        ("a `co", "a `co`"),
        ("a `", "a"),
        ("a ``x`y`", "a ``x`y``"),
        ("a `x` b", "a `x` b"),
        ("**use `pip ins", "**use `pip ins`**"),
        (f"a `{'b' * 400}", f"a `{'b' * 400}"),
        ("a [te", "a te"),
        ("a [text]", "a text"),
        ("a [text](htt", "a text"),
        ("a [text](https://a.example/b_c", "a text"),
        ("a [**text", "a **text**"),
        ("a [text](https://a.example) b", "a [text](https://a.example) b"),
        ("a [text] b", "a [text] b"),
        ("a [text](see there", "a [text](see there"),
        ("a ] b", "a ] b"),
        ("a ![alt", "a"),
        ("a ![alt](htt", "a"),
        ("a [^1", "a"),
        (f"a [{'b' * 400}", f"a [{'b' * 400}"),
        ("a \\*b", "a \\*b"),
        ("a \\(x_1 *", "a \\\\\\(x\\_1 \\*"),
        ("a \\(x\\) *b", "a \\(x\\) *b*"),
        ("a $x_1 + *", "a \\$x\\_1 \\+ \\*"),
        ("costs $5 and **b", "costs $5 and **b**"),
        ("a `$x_1", "a `$x_1`"),
        ("`a` $x_1", "`a` \\$x\\_1"),
        ("a \\[ (4-6) [b]", "a \\\\\\[ \\(4\\-6) \\[b]"),
        ("(2*n", "(2*n"),
        ("x[i]*(y", "x[i]*(y"),
        ("mod 10**9", "mod 10**9"),
        ("re**mark", "re**mark**"),
        ("**a\nb\nc", "**a\nb\nc**"),
        ("f(**kwargs)\na\nb\nc\nd", "f(**kwargs)\na\nb\nc\nd"),
        ("/* x\n */ f", "/* x\n */ f"),
        ("= [1, 2", "= [1, 2"),
        ("[-0.5, 2", "[-0.5, 2"),
        ("x[in", "x[in"),
        ("x = [na", "x = [na"),
        ("f([na", "f([na"),
        ("[10 ti", "10 ti"),
        ("(see [do", "(see do"),
        ("请看[这", "请看这"),
        ("so \\", "so"),
        ("so \\*", "so"),
        ("so [1", "so"),
        ("so[^1", "so"),
        ("so![al", "so"),
        ("so [1]", "so"),
        ("so [1] is", "so [1] is"),
        ("[see x[0] and mo", "see x[0] and mo"),
        ("[`co", "`co`"),
        ("[![al", ""),
        ("R&", "R"),
        ("R&D", "R"),
        ("R&D is", "R&D is"),
        ("a &nbs", "a"),
        ("a &#x2", "a"),
        ("a <htt", "a"),
        ("a <https://b.exa", "a https://b.exa"),
        ("a <https://b.example> c", "a <https://b.example> c"),
        ("a <su", "a"),
        ("a<sub>1</su", "a<sub>1"),
        ("", ""),
    ],
)
def test_what_is_open_is_closed(text, shown):
    assert close_inline(text, new_environment()) == shown


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*"*_`~[]()!$\\ ab\n", "**", "](http://a", "\\(", "$$"]), max_size=20).map("".join))
def test_what_is_closed_stays_as_it_is(text):
    """No text is lost but signs, and closing ends."""
    once = close_inline(text, new_environment())
    assert (
        [char for char in once if char.isalpha()] == [char for char in text if char.isalpha()] or "![" in text or "](" in text
    )


@pytest.mark.timeout(90)
@pytest.mark.parametrize("text", ["<" * 40_000, "a" + " <s" * 20_000, "$" + "a_" * 20_000 + "\nb", "*" * 40_000 + "<b"])
def test_no_end_of_a_line_takes_long(text):
    assert isinstance(close_inline(text, new_environment()), str)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a <su", "a"),
        ("a ** <", "a"),
        ("a <b*", "a"),
        ("$5 and $x_1", "$5 and \\$x\\_1"),
        ("a \\$x_1", "a \\$x_1"),
        ("$x_1\nb", "$x_1\nb"),
    ],
)
def test_what_has_begun_is_left_out_and_a_formula_is_text(text, shown):
    assert close_inline(text, new_environment()) == shown
