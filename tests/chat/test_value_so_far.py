"""The value of JSON that is still coming: at every cut a beginning of the whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from nbgemini.chat.structured_output import value_so_far
from tests.support.json_values import VALUES


def contains(larger, smaller):
    """Whether one is the other or a beginning of it."""
    if isinstance(larger, dict):
        return isinstance(smaller, dict) and all(key in larger and contains(larger[key], smaller[key]) for key in smaller)
    if isinstance(larger, list):
        return isinstance(smaller, list) and len(smaller) <= len(larger) and all(map(contains, larger, smaller))
    if isinstance(larger, str):
        return isinstance(smaller, str) and larger.startswith(smaller)
    if isinstance(larger, bool) or larger is None:
        return smaller is larger
    return isinstance(smaller, int | float)  # a number may still be short of digits


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_every_cut_gives_a_beginning_of_the_whole(value, escaped, indent):
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    for end in range(len(text) + 1):
        found = value_so_far(text[:end])
        assert found is None or contains(value, found), text[:end]
    assert value_so_far(text) == value


@given(st.text(alphabet='{}[]",:0e-.\\u12dtrue \n'))
def test_whatever_comes_gives_a_value_or_none(text):
    json.dumps(value_so_far(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("-", None),
        ("Sorry, no.", None),
        ('{"a": 1, "b": "xy', {"a": 1, "b": "xy"}),
        ('{"a": 1, "b', {"a": 1}),
        ('{"a": 1, "b":', {"a": 1}),
        ('[{"a": [1, tru', [{"a": [1]}]),
        ('["a\\', ["a"]),
        ('["a\\u00e', ["a"]),
        ('["\\ud83d', [""]),
        ('["\\ud83d\\ude00', ["😀"]),
        ('{"a": 1} and more', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("[1,", [1]),
    ],
)
def test_what_is_kept(text, expected):
    assert value_so_far(text) == expected


@pytest.mark.parametrize("unit", ["[", '{"a":', "\\u00e9", "12", '"a",'])
def test_a_million_tokens_are_no_trouble(unit):
    assert value_so_far('["' + unit * 1_000_000) is not None  # a quadratic reader would run into the test's time limit
