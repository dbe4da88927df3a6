"""A spreadsheet or a columnar file is its tables where a package can read it, else one line with the way out."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from nbgemini.errors import PromptError
from nbgemini.messages.turns import NOTE
from nbgemini.prompts.values import parts_of


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods", "a.parquet", "a.feather", "a.XLSX"])
def test_what_no_package_reads_is_refused_with_the_way_out(tmp_path, monkeypatch, name):
    for package in ("openpyxl", "odf", "pyarrow", "pyarrow.parquet", "pyarrow.feather", "polars"):
        monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04\0\0")
    reader = {"parquet": "read_parquet", "feather": "read_feather"}.get(name.rpartition(".")[2], "read_excel")
    with pytest.raises(
        PromptError, match=rf"can't be read as a table here .* → df = pandas.{reader}\('{name}'\) in a cell"
    ) as raised:
        parts_of(path, "path")
    assert "\n" not in str(raised.value)


def test_text_that_is_called_a_spreadsheet_is_text(tmp_path):
    path = tmp_path / "a.xls"
    path.write_text("<table><tr><td>1</td></tr></table>")
    assert "<td>1</td>" in parts_of(path, "path")[0]["text"]


def test_a_spreadsheet_is_a_table_for_each_sheet(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"id": [20240115001234, None], "name": ["x", "y"]}).to_excel(book, sheet_name="First", index=False)
        pd.DataFrame({"n": range(60)}).to_excel(book, sheet_name="Second", index=False)
    [part] = parts_of(path, "path")
    assert part["text"].startswith("a.xlsx:\nFirst:\n| id | name |\n| --- | --- |\n| 20240115001234 | x |\n| NaN | y |\n")
    assert part["text"].endswith("(first 50 of 60 rows)\n")
    assert part[NOTE]["kind"] == "table"


@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_a_columnar_file_is_its_first_rows(tmp_path, name):
    pytest.importorskip("pyarrow")
    path = tmp_path / name
    frame = pd.DataFrame({"n": range(1000), "id": [20240115001234.0] * 1000})
    (frame.to_parquet if name == "a.parquet" else frame.to_feather)(path)
    text = parts_of(path, "path")[0]["text"]
    assert "| 0 | 20240115001234.0 |" in text
    assert "(first 50 of 1,000 rows)" in text
    frame[:0].to_parquet(tmp_path / "empty.parquet")
    assert "(no rows)" in parts_of(tmp_path / "empty.parquet", "path")[0]["text"]
