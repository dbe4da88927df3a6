"""Writing from right to left stands on its side; its marks are no alarm, what hides still is."""

from __future__ import annotations

import pytest

from nbgemini.messages.segments import Segment
from nbgemini.render.mimebundle import bundle
from nbgemini.render.streaming_markdown import to_html
from tests.render.checker import faults, text_of

HEBREW, ARABIC = "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627"


@pytest.mark.parametrize("word", [HEBREW, ARABIC])
@pytest.mark.parametrize(
    ("source", "tag"),
    [
        ("{}", "p"),
        ("# {}", "h1"),
        ("- a\n- {}", "ul"),
        ("1. {}", "ol"),
        ("> {}", "blockquote"),
        ("| {} |\n|-|", "table"),
        ("b **{}**", "p"),
    ],
)
def test_the_outermost_element_takes_its_direction_from_what_it_holds(word, source, tag):
    html = to_html(f"left\n\n{source.format(word)}\n\nleft")
    assert html.count('dir="auto"') == 1
    assert f'<{tag} dir="auto">' in html
    assert html.startswith("<p>left</p>")
    assert faults(html) == []


def test_code_goes_from_left_to_right_everywhere():
    html = to_html(f"- {HEBREW} `a b`\n\n  ```python\n  x = 1\n  ```\n\n      code\n")
    assert html.count('dir="ltr"') == 3
    assert faults(html) == []


@pytest.mark.parametrize(
    "text",
    [f"{HEBREW}\u200f! C++\u200e", f"\u200f1. {HEBREW}", f"\u061c{ARABIC} (a)\u061c", f"| {HEBREW} | \u200eabc |\n|-|-|"],
)
def test_ordinary_marks_are_no_alarm(text):
    segment = Segment(0, "answer")
    segment.append(text)
    shown = bundle(segment)
    assert "U+" not in shown["text/html"]
    assert "U+" not in shown["text/plain"]
    assert (
        "\u200f" in text_of(shown["text/html"])
        or "\u200e" in text_of(shown["text/html"])
        or "\u061c" in text_of(shown["text/html"])
    )


@pytest.mark.parametrize(
    ("text", "alarm"),
    [
        (f"{HEBREW} \u202eabc\u202c", "U+202E"),
        (f"{HEBREW} \u2066abc\u2069", "U+2066"),
        (f"{HEBREW} &#x202e;", "U+202E"),
        (f"{HEBREW} `a\u200fb`", "U+200F"),
        (f"{HEBREW}\n\n```\na\u200eb\n```", "U+200E"),
        (f"{HEBREW} $a\u200fb$", "U+200F"),
        ("user\u200f (admin)", "U+200F"),
        ("a &rlm; b", "U+200F"),
        (f"{HEBREW}\u200f\u200e\u200f", "U+200E"),
    ],
)
def test_what_hides_is_shown(text, alarm):
    assert alarm in to_html(text)
