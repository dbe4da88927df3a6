"""The page of asks answers all of them, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "asks.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| .+? \| .+? \| (.+) \|$", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))


def test_every_ask_has_a_test_or_a_reason():
    assert [int(number) for number, _ in ROWS] == [*range(1, 28)]
    for number, answer in ROWS:
        assert re.search(r"::test_\w+`|^Refused: ", answer), number


def test_every_test_is_named_in_full():
    assert PAGE.count("::") == len(re.findall(r"`[\w/]+\.py::test_\w+`", PAGE))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_test_that_the_page_names_exists(file, test):
    source = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"^(?:async )?def {test}\(", source, re.MULTILINE)
