"""References show as numbers in text, never break what is around them, vanish in code, and can't be forged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.render.citations import _OURS, with_references
from nbgemini.render.streaming_markdown import to_html
from tests.render.checker import faults, text_of

PIECES = [
    "word ",
    "**bold.** ",
    "`code` ",
    "[a](https://a.example/x) ",
    "$x_1$ ",
    "\n\n",
    "- item\n",
    "```\ncode\n```\n",
    "| a | b |\n",
]


@pytest.mark.parametrize(
    ("text", "passage", "html"),
    [
        ("Paris. Yes", "Paris.", "<p>Paris.<sup>[1]</sup> Yes</p>"),
        ("**Paris.** Yes", "**Paris.**", "<p><strong>Paris.</strong><sup>[1]</sup> Yes</p>"),
        ("**Paris.** Yes", "**Paris.", "<p><strong>Paris.<sup>[1]</sup></strong> Yes</p>"),
        ("Paris (France)", "Paris", "<p>Paris<sup>[1]</sup> (France)</p>"),
        ("Paris\n\nYes", "Paris\n\n", "<p>Paris<sup>[1]</sup></p>\n<p>Yes</p>"),
        ("- a\n- b", "- a\n", "<ul>\n<li>a<sup>[1]</sup></li>\n<li>b</li>\n</ul>"),
        ("# Head\ntext", "# Head", "<h1>Head<sup>[1]</sup></h1>\n<p>text</p>"),
        ("so `a b` it", "so `a", "<p>so <code>a b</code><sup>[1]</sup> it</p>"),
        ("[1]: https://evil.example\n\nParis", "Paris", "<p>Paris<sup>[1]</sup></p>"),
    ],
)
def test_where_a_reference_stands(text, passage, html):
    at = text.rindex(passage) + len(passage)
    assert to_html(with_references(text, ((at, (0,)),))).strip() == html


def test_several_sources_at_one_place():
    assert "<sup>[1][12]</sup>" in to_html(with_references("so", ((2, (0, 11)),)))


@pytest.mark.parametrize("text", ["```\na\n```", "$$\nx\n$$", "    code"])
def test_none_stands_where_it_would_break_something(text):
    for at in range(1, len(text) + 1):
        assert to_html(with_references(text, ((at, (0,)),))) == to_html(text)


@given(
    text=st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join),
    at=st.lists(st.integers(1, 150), max_size=5, unique=True).map(sorted),
)
@settings(max_examples=500)
def test_whatever_stands_around_it_nothing_of_one_is_left_over(text, at):
    html = to_html(with_references(text, tuple((place, (0,)) for place in at if place <= len(text))))
    assert not any(chr(code) in html for code in _OURS)
    assert faults(html) == []


def test_a_model_cannot_forge_one():
    forged = "\ue00a\ue001\ue002\ue003\ue004\ue005\ue006\ue007\ue008\ue009\ue00a\ue001\ue00c"
    assert "<sup>" not in to_html(forged)
    real = with_references("x", ((1, (0,)),))
    again = with_references(real + " so", ((len(real) + 3, (1,)),))
    assert text_of(to_html(again)).count("[") == 1
