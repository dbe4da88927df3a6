"""Any value comes back as valid, small JSON."""

from __future__ import annotations

import enum
import functools
import itertools
import json
import typing
from collections import ChainMap, Counter, deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field

from nbgemini.messages.events import ToolCall
from nbgemini.prompts.images import MEDIA_BYTES
from nbgemini.prompts.jsonable import RESPONSE_BYTES, converted
from nbgemini.tools.decorator import declare
from nbgemini.tools.tool import text_result
from tests.fakes.functions import (
    PNG,
    Extra,
    Spot,
    Unit,
    called,
    output,
    raising,
)

# --- what goes back


class Pair(typing.NamedTuple):
    x: int
    y: int


class Evil:
    def __repr__(self):
        raise ValueError

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = object.__hash__


class Broken(list):
    def __len__(self):
        raise RuntimeError

    def __iter__(self):
        raise RuntimeError


class Model(BaseModel):
    a: int
    inner: Spot
    hidden: str = Field("secret", exclude=True)


class Value(msgspec.Struct):
    a: int


class Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), (True, True), (1, 1), (0.5, 0.5), ("a", "a"), (2**53, 2**53), (2**53 + 1, "9007199254740993"),
        (float("inf"), "Infinity"), (float("-inf"), "-Infinity"),
        ((1, [2]), [1, [2]]), ({3, 1, 2}, [1, 2, 3]), (frozenset("a"), ["a"]), (deque([1]), [1]), (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]), ({"a": 1}.values(), [1]), ({"a": 1}.items(), [["a", 1]]), (Counter("aab"), {"a": 2, "b": 1}),
        (ChainMap({"a": 1}), {"a": 1}), ({1: 1, "1": 2, None: 3, (1,): 4}, {"1": 1, "1 #1": 2, "None": 3, "(1,)": 4}),
        ({Unit.METRIC: 1}, {"metric": 1}), (iter([1, 2]), [1, 2]), (map(str, [1]), ["1"]),
        (b"text \xc3\xa9", "text é"), (b"\0\1", {"bytes": 2, "base64": "AAE="}), (bytearray(b"a"), "a"), (memoryview(b"abcd")[::2], "ac"),
        (date(2026, 1, 2), "2026-01-02"), (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (timedelta(days=1), "1 day, 0:00:00"), (Decimal("1.10"), "1.10"), (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("a/b"), "a/b"), (Unit.METRIC, "metric"), (Number.ONE, 1), (Spot(1.0), {"lat": 1.0, "lon": 0.0}), (Spot, repr(Spot)),
        (Pair(1, 2), {"x": 1, "y": 2}), (Model(a=1, inner=Spot(2.0)), {"a": 1, "inner": {"lat": 2.0, "lon": 0.0}}),
        (Value(1), {"a": 1}), (Extra(deep=True), {"deep": True}), (1j, "1j"), (len, "<built-in function len>"),
        ("a\ud800", "a?"), (Evil(), "a value of type Evil, which can't be shown"), ([Broken()], ["[]"]),
        ([Evil(), 1], ["a value of type Evil, which can't be shown", 1]),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_every_kind_of_value_has_its_form(value, expected):
    got = output(value)
    assert (got, type(got)) == (expected, type(expected))


def test_an_integer_that_python_does_not_print_is_described():
    assert output(-(10**5000)) == "an integer of 16,610 bits"


def test_nan_is_null_and_says_so():
    assert converted([1.0, float("nan")]) == ({"output": [1.0, None], "note": "null stands for NaN"}, ())


def test_cycles_and_depth_end():
    circle = {"a": []}
    circle["a"].append(circle)
    assert output(circle) == {"a": ["… cycle"]}
    shared = [1]
    assert output([shared, shared]) == [[1], [1]]
    deep = functools.reduce(lambda inner, _: [inner], range(10_000), [])
    assert "… nested deeper" in json.dumps(output(deep), ensure_ascii=False)


@pytest.mark.parametrize(
    ("value", "head", "tail"),
    [
        ("a" + "x" * 10**8 + "z", '"axx', 'xxz"'),
        (b"a" + b"x" * 10**8 + b"z", '"axx', 'xxz"'),
        ("é".encode() * 10**6, '"ééé', 'ééé"'),
        (list(range(10**7)), "[0, 1, ", ", 9999999]"),
        (range(10**12), "[0, 1, ", ", 999999999999]"),
        ({i: i for i in range(10**6)}, '{"0": 0, "1": 1', 'more left out"}'),
        (set(range(10**6)), "[0, 1, ", 'more left out …"]'),
        ([["a" * 1000] * 1000] * 1000, '[["aaa', 'aaa"]]'),
        ({"text": "é" * 10**6, "n": 1}, '{"text": "éé', '"n": 1}'),
        (b"\0" * 10**8, '{"bytes": 100000000, "base64": "AAA', 'AAA"}'),
        ({"k" * 10**6: 1}, '{"kkk', 'kkk": 1}'),
    ],
    ids=range(11),
)  # fmt: skip
def test_large_results_keep_head_and_tail_and_count_the_rest(value, head, tail):
    response, _ = converted(value)
    said = json.dumps(response["output"], ensure_ascii=False)
    assert (said[: len(head)], said[-len(tail) :]) == (head, tail)
    assert 10_000 < len(json.dumps(response)) <= RESPONSE_BYTES or "base64" in said
    assert response["note"]


def test_what_fits_is_whole():
    text = "x" * 48_000
    assert converted({"text": text, "rest": list(range(1000))})[0] == {"output": {"text": text, "rest": list(range(1000))}}


def test_iterators_that_never_end_are_cut():
    response, _ = converted(itertools.count())
    assert response == {"output": list(range(1000)), "note": "at most the first 1,000 items were taken"}


ANYTHING = st.text(st.characters(exclude_categories=()))
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | ANYTHING | st.binary() | st.decimals() | st.uuids() | st.datetimes()
    | st.timedeltas() | st.fractions() | st.complex_numbers() | st.builds(Evil) | st.builds(Broken) | st.sampled_from([Unit.METRIC, Spot, PNG])
    | ANYTHING.map(lambda text: text * 5_000) | st.integers().map(lambda number: number**999) | st.binary().map(lambda data: data * 5_000)
)  # fmt: skip
KEYS = st.none() | st.booleans() | st.integers() | st.floats() | ANYTHING | st.binary() | st.tuples(ANYTHING, st.integers())
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner) | st.sets(KEYS) | st.lists(inner).map(deque)
        | inner.map(Spot) | inner.map(lambda value: Pair(value, 1)) | st.lists(inner).map(lambda few: few * 300)
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of a value that is large on purpose
@given(VALUES)
def test_any_value_becomes_valid_json_of_bounded_size(value):
    response, media = converted(value)
    assert len(json.dumps(response, allow_nan=False)) <= RESPONSE_BYTES
    assert msgspec.json.decode(msgspec.json.encode(response)) == response
    assert response.keys() <= {"output", "note"}
    assert sum(len(one.data) for one in media) <= MEDIA_BYTES * 4 / 3 + 4


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_VALUES)
def test_json_stays_as_it_is(value):
    assert converted(value) == ({"output": value}, ())


async def test_any_error_text_is_bounded_and_valid():
    result = await called(declare(raising(ValueError("\ud800" + "x" * 10**6 + "end"))[0]))
    assert len(result.response["error"]) < 5000
    assert result.response["error"].startswith("ValueError: ?xxx")
    assert result.response["error"].endswith("xxxend")


def test_an_answer_in_words():
    call = ToolCall("f", {}, "c1")
    assert text_result(call, "the user refused", "refused").response == {"error": "the user refused"}
    assert text_result(call, "fine", "done").response == {"output": "fine"}
