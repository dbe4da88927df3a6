"""A map goes through rows, whatever holds them; what was made of them is said."""

from __future__ import annotations

import pandas as pd
import pytest

from nbgemini.bulk.rows import RowSource
from nbgemini.errors import PromptError


async def rows_of(value):
    source, rows = RowSource(value), []
    while some := await source.some():
        rows += some
    return rows, source


async def test_columns_of_one_name_are_numbered_and_it_is_said():
    rows, source = await rows_of(pd.DataFrame([[1, 2, 3]], columns=["a", "a", "a_2"]))
    assert rows == [{"a": 1, "a_3": 2, "a_2": 3}]
    assert source.doubled == {"a"}
    assert source.remarks == {"a": "several columns are called 'a': they were numbered"}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ([101.0, float("nan"), 103.0], [101, None, 103]),
        (pd.array([101, None, 103], "Int64"), [101, None, 103]),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.5, float("nan"), 2.0], [1.5, None, 2.0]),
        ([float("nan")] * 3, [None] * 3),
        ([1e300, float("nan"), 2.0], [1e300, None, 2.0]),
    ],
)
async def test_whole_numbers_with_gaps_stay_whole(column, values):
    rows, source = await rows_of(pd.DataFrame({"id": column}))
    found = [None if pd.isna(row["id"]) else row["id"] for row in rows]
    assert [(value, type(value) is float) for value in found] == [(value, type(value) is float) for value in values]
    made = type(column) is list and any(type(value) is int for value in values)
    assert source.remarks == ({"id": "id: whole numbers with gaps, asked about without .0"} if made else {})


async def test_a_column_is_its_name_and_one_without_is_values():
    assert (await rows_of(pd.Series([1], name="n")))[0] == [{"n": 1}]
    assert (await rows_of(pd.Series([1])))[0] == [1]
    assert (await rows_of(pd.Index(["a"])))[0] == ["a"]


async def test_the_rows_of_an_iterator_come_as_they_are():
    assert (await rows_of(iter([1, "a", None])))[0] == [1, "a", None]
    for value in ("text", b"bytes", {"a": 1}, 5, None, object()):
        with pytest.raises(PromptError, match="rows are a list, a table or one of its columns, or an iterator"):
            RowSource(value)
