"""Values of JSON as tables: every kind of value, nothing lost, nothing but our own markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given

from nbgemini.messages.segments import Segment
from nbgemini.messages.turns import Options
from nbgemini.render.json_html import data_html, is_row
from nbgemini.render.mimebundle import answer_bundle, at_rest, bundle
from tests.support.json_values import VALUES

EVIL = "<script>alert(1)</script>\u202e$x$"


@pytest.mark.parametrize(
    ("value", "html"),
    [
        ([{"a": 1}, {"b": None}], "<tr><td>1</td><td></td></tr><tr><td></td><td>null</td></tr>"),
        ({"a": True, "b": "x\ny"}, "<tr><th>a</th><td>true</td></tr><tr><th>b</th><td>x<br>y</td></tr>"),
        ({"a": [{"b": 1}]}, "<tr><th>a</th><td><table><thead><tr><th>b</th></tr></thead><tbody><tr><td>1</td></tr>"),
        (["x", 2], "<div>x</div><div>2</div>"),
        ("x", "x"),
        (None, "null"),
        ([], "<pre>[]</pre>"),
        ([[1, [2]]], "<code>[[1, [2]]]</code>"),
    ],
)
def test_a_value(value, html):
    assert html in data_html(value)


def test_too_much_for_a_table_is_text():
    assert data_html([{"a": n} for n in range(6_000)]).startswith("<pre>[")
    assert not is_row({str(n): n for n in range(13)}, None)
    assert data_html([{str(n): n for n in range(13)}]).startswith("<code>")


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags = set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        assert not attrs or tag == "span"  # the span keeps a formula from being typeset
        self.tags.add(tag)


@given(VALUES)
def test_any_value_is_nothing_but_our_markup(value):
    ours = {"table", "thead", "tbody", "tr", "th", "td", "div", "pre", "code", "br", "span"}
    assert Tags(data_html(value)).tags <= ours
    assert Tags(data_html([{EVIL: [EVIL, {EVIL: EVIL}], "more": value}])).tags <= ours


@pytest.mark.parametrize("form", ["json", "code", "text"])
@pytest.mark.parametrize("text", [EVIL, json.dumps([{"a": EVIL}]), '[{"a": "' + EVIL, f"```\n{EVIL}\n```"])
def test_no_format_lets_markup_or_hidden_characters_through(form, text):
    shown = answer_bundle(text, form)
    assert "<script" not in shown["text/html"]
    assert "\u202e" not in shown["text/html"] + shown["text/plain"]
    assert set(shown) - {"text/latex"} == {"text/html", "text/plain"}


def test_what_is_cut_is_shown_indented_as_far_as_it_came():
    assert answer_bundle('[{"a": 1, "b', "json")["text/plain"] == '[\n  {\n    "a": 1,\n    "b'
    assert answer_bundle("Sorry, no.", "json")["text/plain"] == "Sorry, no."
    assert answer_bundle("x = 1", "code")["text/html"].count("<pre>") == 1


def test_a_segment_rests_in_the_format_that_was_asked_for():
    answer = Segment(0, "answer")
    answer.append('[{"a": 1}]')
    thought = Segment(0, "thought")
    thought.append("Hm.")
    assert at_rest(answer, None) == at_rest(answer, Options(model="m")) == bundle(answer)
    assert at_rest(answer, Options(model="m", format="json")) == answer_bundle('[{"a": 1}]', "json")
    assert at_rest(answer, Options(model="m", format="text")) == answer_bundle('[{"a": 1}]', "text")
    assert at_rest(thought, Options(model="m", format="json"), seconds=2.0) == bundle(thought, seconds=2.0)
