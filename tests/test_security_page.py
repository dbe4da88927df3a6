"""SECURITY.md promises nothing that no test is named for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [line for line in (ROOT / "SECURITY.md").read_text(encoding="utf-8").split("\n") if "`tests/" in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:40])
def test_each_promise_names_tests_that_exist(row):
    named = re.findall(r"`(tests/[\w/]+\.py)`", row)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_all_promises_are_looked_at():
    assert len(ROWS) >= 15
