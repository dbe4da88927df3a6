"""JSON that still comes is JSON at every cut and loses nothing that it had."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgemini.chat.partial_json import closed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


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
def test_every_cut_is_json_and_a_beginning_of_the_whole(value, escaped, indent):
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    for end in range(len(text) + 1):
        prefix = closed(text[:end])
        assert prefix == "" or contains(value, json.loads(prefix)), (text[:end], prefix)
    assert json.loads(closed(text)) == value


@given(VALUES)
def test_a_longer_text_gives_no_less(value):
    text = json.dumps(value)
    counts = [closed(text[:end]).count('"') for end in range(len(text) + 1)]
    assert counts == sorted(counts)


@given(st.text(alphabet='{}[]",:0e-.\\u12dtrue \n'))
def test_whatever_comes_gives_json_or_nothing(text):
    assert closed(text) == "" or json.loads(closed(text)) is not NotImplemented


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Sorry, no.", ""),
        ('{"a": 1, "b": "xy', '{"a": 1, "b": "xy"}'),
        ('{"a": 1, "b', '{"a": 1}'),
        ('{"a": 1, "b":', '{"a": 1}'),
        ('[{"a": [1, tru', '[{"a": [1]}]'),
        ("[1, 2.", "[1, 2]"),
        ('["a\\', '["a"]'),
        ('["a\\u00e', '["a"]'),
        ('["\\ud83d', '[""]'),
        ('["\\ud83d\\ude00', '["\\ud83d\\ude00"]'),
        ('{"a": 1} and more', '{"a": 1}'),
        ("[1 2", "[1]"),
        ("[1}", "[1]"),
        ('{"a" "b"', "{}"),
        ("[1,", "[1]"),
        ("[1,]", "[1]"),
    ],
)
def test_what_is_kept(text, expected):
    assert closed(text) == expected


@pytest.mark.parametrize("unit", ["[", '{"a":', "\\u00e9", "12", '"a",'])
def test_a_million_tokens_are_no_trouble(unit):
    assert closed('["' + unit * 1_000_000)  # a quadratic reader would run into the test's time limit
