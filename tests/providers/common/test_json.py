"""Whatever a service sends where an object, a list or a count should stand, there is one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import WireError
from nbgemini.providers.common.json import as_count, as_dict, as_list, dicts, load_frame


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((3, 3), ("3", 3), (3.0, 3), (0, 0), (-1, 0), (3.5, 0), (math.nan, 0), (math.inf, 0), (2**70, 0), ("9" * 30, 0)),
        *(("\u0663", 0), (None, 0), (True, 0), ([], 0), ("x", 0)),
    ],
)
def test_a_count_is_a_number_in_any_spelling(value, number):
    assert as_count(value) == number


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_an_object_or_a_list_is_there_or_empty(value):
    assert as_dict(value) == (value if isinstance(value, dict) else {})
    assert as_list(value) == (value if isinstance(value, list) else [])
    assert all(isinstance(item, dict) for item in dicts(value))


@pytest.mark.parametrize(
    ("frame", "data"), [(b'{"a": NaN}', {"a": None}), (b'"\\ud800"', "?"), (b'"\xff"', "\ufffd"), (b"[DONE]", b"[DONE]")]
)
def test_what_is_nearly_json_is_read(frame, data):
    read = load_frame(frame)
    assert read == data or (isinstance(read, dict) and math.isnan(read["a"]))


@pytest.mark.parametrize("frame", [b"{", b"<html>", b"9" * 10_000, b"[" * 100_000])
def test_what_is_not_json_is_one_error(frame):
    with pytest.raises(WireError, match="not JSON"):
        load_frame(frame)
