"""A Markdown table is exact in what it shows, and says what it does not."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from nbgemini.prompts.object_text import markdown_table, number_text


@given(st.floats(allow_nan=False))
def test_a_number_reads_as_itself(number):
    assert float(number_text(number)) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (20240115001234.0, "20240115001234.0"),
        (1e16, "10000000000000000.0"),
        (12345678901234567890.0, "12345678901234567168.0"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (1e300, "1e+300"),
        (-0.0, "-0.0"),
        (math.inf, "inf"),
        (math.nan, "NaN"),
    ],
)
def test_whole_numbers_are_written_without_an_exponent(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("frame", "note"),
    [
        (pd.DataFrame({"a": ["x" * 500]}), "(cells end with … after 200 characters)"),
        (pd.DataFrame({"a": range(60)}), "(first 50 of 60 rows)"),
        (pd.DataFrame({f"c{n}": [1] for n in range(40)}), "(first 30 of 40 columns)"),
        (pd.DataFrame({"a": []}), "(no rows)"),
        (pd.DataFrame(index=range(3)), "(a table of 3 rows and no columns)"),
        (pd.DataFrame({"x" * 500: [1]}), "(cells end with … after 200 characters)"),
    ],
)
def test_what_is_left_out_is_said(frame, note):
    assert markdown_table(frame).splitlines()[-1] == note


def test_text_in_a_cell_stays_in_it_and_stays_whole():
    frame = pd.DataFrame({"a|b": ["x\ny  z", "1|2", "\r\n"]})
    assert markdown_table(frame).splitlines() == ["| a\\|b |", "| --- |", "| x<br>y  z |", "| 1\\|2 |", "| <br> |"]


def test_columns_of_one_name_are_both_there():
    assert markdown_table(pd.DataFrame([[1, 2]], columns=["a", "a"])).splitlines()[2] == "| 1 | 2 |"
