"""A misspelled name or key is corrected in the whole cell; anything else is left to a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgemini.offline.typo_fix import mended

CELL = "Code in my notebook failed with {error}\nSay why.\n\nCell [3], which failed:\n```python\n{code}\n```\nTraceback:\n```\n…\n```\n"
VALUES = "Values when it failed:\n```\nsales: DataFrame of shape (2, 2), columns city str, sold int64\n```\n"


@pytest.mark.parametrize(
    ("error", "code", "corrected"),
    [
        ("KeyError: 'sould'", "total = sum(sales['sould'])\ntotal", "total = sum(sales['sold'])\ntotal"),
        ("NameError: name 'slaes' is not defined", "slaes.head()", "sales.head()"),
        ("AttributeError: 'DataFrame' object has no attribute 'ctiy'", "sales.ctiy", "sales.city"),
    ],
)
def test_a_misspelled_word_is_corrected(error, code, corrected):
    (thought, _), (answer, text) = mended(CELL.format(error=error, code=code) + VALUES)
    assert (thought, answer) == ("thought", "answer")
    assert f"```python\n{corrected}\n```" in text
    assert "offline service" in text


@pytest.mark.parametrize(
    "prompt",
    [
        CELL.format(error="IndexError: list index out of range", code="a[9]") + VALUES,
        CELL.format(error="KeyError: 'zzz'", code="d['zzz']") + VALUES,
        "Code in my notebook failed with KeyError: 'sould'",
        "Why is the sky blue?",
    ],
)
def test_what_is_no_misspelling_is_not_mended(prompt):
    assert mended(prompt) is None


@given(st.text())
def test_any_prompt_is_safe(text):
    mended(CELL.format(error=f"KeyError: '{text}'", code=text) + text)
