"""The matrix of what is tested has a test, or a reason, in each row; and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MATRIX = (TESTS / "matrix.md").read_text(encoding="utf-8")
FAULTS, REQUESTS, FRONT_ENDS = re.split(r"^## (?:Requests|Front ends and kernels)$", MATRIX, flags=re.MULTILINE)
FAMILIES = {"W": 20, "H": 13, "T": 7, "C": 13, "L": 10, "F": 19, "X": 18, "S": 12, "U": 11, "D": 13, "B": 7}
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", MATRIX)))


def test_every_fault_has_a_test_or_the_reason_why_not():
    rows = re.findall(r"^\| ([A-Z]\d+) \| .+? \| (.+) \|$", FAULTS, re.MULTILINE)
    faults = [(fault, answer) for fault, answer in rows if fault[0] in FAMILIES]
    assert [fault for fault, _ in faults] == [f"{family}{n}" for family, most in FAMILIES.items() for n in range(1, most + 1)]
    for fault, answer in faults:
        assert re.search(r"::test_\w+`|^not automated: \w+", answer), fault


def test_every_request_has_a_test_or_the_reason_why_not():
    rows = re.findall(r"^\| (\d+) \| .+? \| .+? \| (.+) \|$", REQUESTS, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [*range(1, 28)]
    for number, answer in rows:
        assert re.search(r"::test_\w+`|^Refused: ", answer), number


def test_claims_about_front_ends_name_their_tests():
    assert FRONT_ENDS.count("::") > 50


def test_every_test_is_named_in_full():
    assert MATRIX.count("::") == len(re.findall(r"`[\w/]+\.py::test_\w+`", MATRIX))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_test_that_the_matrix_names_exists(file, test):
    source = (TESTS / file).read_text(encoding="utf-8")
    assert re.search(rf"^(?:async )?def {test}\(", source, re.MULTILINE)
