"""The page of faults names all of them, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z]\d+) \| .+? \| (.+) \|$", PAGE, re.MULTILINE)
FAMILIES = {"W": 20, "H": 13, "T": 7, "C": 13, "L": 10, "F": 19, "X": 18, "S": 12, "U": 11, "D": 13, "B": 7}
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))


def test_every_fault_has_a_row_with_its_test_or_the_reason_why_not():
    assert [fault for fault, _ in ROWS] == [f"{family}{n}" for family, most in FAMILIES.items() for n in range(1, most + 1)]
    for fault, answer in ROWS:
        assert re.search(r"::test_\w+`|^not automated: \w+", answer), fault


def test_nothing_is_left_for_later():
    assert re.findall(r"(?i)\b(?:open|todo|later)\b", PAGE) == []


def test_every_test_is_named_in_full():
    assert PAGE.count("::") == len(re.findall(r"`[\w/]+\.py::test_\w+`", PAGE))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_test_that_the_page_names_exists(file, test):
    source = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"^(?:async )?def {test}\(", source, re.MULTILINE)
