"""JSON grows readably: nothing is lost at any cut, rows come once, and all of it is escaped."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from nbgemini.notebook.display.text_view import Deltas, update_of
from nbgemini.render.json_html import Indented, JsonBlocks
from tests.support.json_values import VALUES

ROWS = [
    {"name": "Mars", "moons": 2, "of": ["Phobos", "Deimos"]},
    {"name": "<b>&", "moons": None},
    {"name": 'a "b, [c', "moons": 1},
]


def shown(text, cuts=()):
    indented, bounds = Indented(), [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return "".join(piece for start, end in pairwise(bounds) for _, piece in indented.feed(text[start:end]))


@given(VALUES, st.booleans(), st.lists(st.integers(0, 1000), max_size=5))
def test_indented_json_is_the_same_value_however_it_is_cut(value, spaced, cuts):
    text = json.dumps(value, indent=1 if spaced else None)
    assert json.loads(shown(text, cuts)) == value
    assert shown(text, cuts) == shown(text)


def test_it_reads_like_indented_json():
    value = {"a": [1, {"b": []}], "c": {}, "d": "x\\"}
    assert shown(json.dumps(value)) == json.dumps(value, indent=2)


def test_what_is_no_json_stays_as_it_is():
    assert shown("Sorry,  no.\n{1}", [3]) == "Sorry,  no.\n{1}"


def grown(text, size):
    """What a page shows in the end, and the texts that a reader saw on the way."""
    blocks, deltas, page, tails = JsonBlocks(), Deltas(), [], []
    for start in range(0, len(text), size):
        blocks.append(text[start : start + size])
        page += deltas.next(update_of(blocks.advance(), blocks.patch()))
        tails.append(blocks.tail())
    page += deltas.next(update_of(blocks.close(), blocks.patch()))
    return deltas.snapshot(), page, tails


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_objects_is_a_table_that_gains_rows(size, indent):
    snapshot, ops, tails = grown(json.dumps(ROWS, indent=indent), size)
    assert snapshot["open"] == ""
    assert snapshot["html"] == (
        "<table><thead><tr><th>name</th><th>moons</th><th>of</th></tr></thead><tbody>"
        "<tr><td>Mars</td><td>2</td><td>Phobos, Deimos</td></tr>"
        "<tr><td>&lt;b&gt;&amp;</td><td>null</td><td></td></tr>"
        '<tr><td>a "b, [c</td><td>1</td><td></td></tr>'
    )
    assert sum(op[3].count("<tr><td>") for op in ops if op[0] == "h") == 3
    if size < 10:
        assert any(tail.startswith("[\n  {\n") for tail in tails)


@pytest.mark.parametrize("value", [{"a": [{"b": 1}, {"b": 2}]}, [1, 2], [[{"a": 1}]], [{"a": 1}, {"b": 2}], [{}], "text", 5])
def test_what_is_no_table_is_text_and_whole(value):
    snapshot, _, _ = grown(json.dumps(value), 3)
    rest = snapshot["html"].rpartition("<pre>")[2].removesuffix("</pre>\n")
    if value == [{"a": 1}, {"b": 2}]:
        assert snapshot["html"].startswith("<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr>")
        assert '"b": 2' in rest
    else:
        assert json.loads(rest) == value


@given(st.text(alphabet='{}[]",:a1\\ \n<é\r'), st.integers(1, 9))
def test_any_text_grows_whole_and_escaped(text, size):
    snapshot, _, tails = grown(text, size)
    assert "<é" not in snapshot["html"]
    assert all("\r" not in tail for tail in tails)


@pytest.mark.parametrize(
    ("text", "rows", "rest"),
    [
        ("", 0, ""),
        ('[{"a": 1}, nonsense, {"a": 2}]', 1, "nonsense"),  # what is no JSON ends the table
        ('[{"a": 1}, {"a":', 1, '"a":'),  # cut off in a row
        ('[{"a": 1}, {"a": 2}', 2, ""),
    ],
)
def test_what_is_broken_stands_below_the_rows_before_it(text, rows, rest):
    blocks = JsonBlocks()
    blocks.append(text)
    assert blocks.promising == (text.count("},") > 0)
    advanced = blocks.advance()
    assert blocks.html().count("<td>") == len(advanced)
    assert blocks.html().endswith("</table>") == bool(advanced)
    blocks.close()
    assert blocks.html().count("<td>") == rows
    assert rest in blocks.html()
    assert blocks.tail() == ""


def test_a_million_rows_of_nothing_are_no_trouble():
    blocks = JsonBlocks()
    for _ in range(20_000):
        blocks.append("[" * 10)
        blocks.advance()
    blocks.append('"' + "x" * 1_000_000)
    assert len(blocks.tail()) > 1_000_000
