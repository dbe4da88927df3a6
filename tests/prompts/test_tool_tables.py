"""Arrays and tables are told, or their beginning."""

from __future__ import annotations

import json

import pytest

from nbgemini.prompts.jsonable import RESPONSE_BYTES, converted
from tests.fakes.functions import (
    output,
)


def test_arrays_are_lists_or_their_beginning():
    numpy = pytest.importorskip("numpy")
    assert [output(value) for value in (numpy.float32(0.5), numpy.int64(3), numpy.bool_(True), numpy.str_("a"))] == [
        0.5,
        3,
        True,
        "a",
    ]
    assert output(numpy.array([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert output(numpy.array(["2026-01-02T00:00:00.5"], "M8[ns]")) == ["2026-01-02T00:00:00.500000000"]
    assert output({"x": numpy.arange(2), "y": numpy.float64("nan")}) == {"x": [0, 1], "y": None}
    assert output(numpy.random.default_rng(1)).startswith("Generator")
    response, _ = converted(numpy.zeros((5000, 5000)))
    assert (response["output"]["shape"], response["output"]["dtype"]) == ([5000, 5000], "float64")
    assert response["note"] == "the first 1,024 of 25,000,000 values are shown"


def test_tables_are_columns_and_rows():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"], "t": pandas.to_datetime(["2026-01-02", None])})
    rows = [[1, "x", "2026-01-02T00:00:00"], [2, "y", None]]
    assert output(frame) == {"columns": ["a", "b", "t"], "rows": rows}
    assert output(frame[["a", "b"]].set_index("b")) == {"columns": ["a"], "index": ["x", "y"], "rows": [[1], [2]]}
    assert output(frame.a) == {"values": [1, 2]}
    assert output(frame.set_index("b").a) == {"index": ["x", "y"], "values": [1, 2]}
    assert output([pandas.NA, pandas.NaT, pandas.Timedelta("1s"), pandas.Period("2026")]) == [
        None,
        None,
        "0 days 00:00:01",
        "2026",
    ]
    assert output(frame.columns) == ["a", "b", "t"]


def test_large_tables_are_cut():
    pandas = pytest.importorskip("pandas")
    response, _ = converted(pandas.DataFrame({f"c{i}": range(300) for i in range(150)}))
    assert response["note"].startswith("the first 200 of 300 rows are shown; the first 100 of 150 columns are shown")
    assert len(json.dumps(response)) <= RESPONSE_BYTES
    response, _ = converted(pandas.DataFrame({"a": range(10**6)}))
    assert response == {
        "output": {"columns": ["a"], "rows": [[i] for i in range(200)]},
        "note": "the first 200 of 1,000,000 rows are shown",
    }
    response, _ = converted(pandas.Series(range(300)))
    assert response == {"output": {"values": list(range(200))}, "note": "the first 200 of 300 values are shown"}
