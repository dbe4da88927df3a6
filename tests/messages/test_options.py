"""Options are changed by name; what is none, or has a value that no option has, is said in one line."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Turn, user_turn

GIVEN = Options(model="m")


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 1, "max_tokens": 5, "think": 100, "stop_at": ("a", "b"), "schema": dict},
        {"temperature": 0.5, "think": "low", "system": Name("be kind"), "format": "json", "search": True},
        {"temperature": None, "system": None, "think": None, "timeout": None, "seed": None},
    ],
)
def test_what_fits_is_changed(changes):
    changed = GIVEN.changed(changes)
    assert {name: getattr(changed, name) for name in changes} == changes
    assert changed.model == "m"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"modle": "x"}, "no option 'modle' (did you mean model?); the options are model, system, think, "),
        ({"attach": "x"}, "no option 'attach'; the options are model, system"),
        ({"tools": []}, "only %%gemini -t and client.chat offer tools"),
        ({"temperature": "hot"}, "temperature='hot' can't be used: expected float, got str"),
        ({"think": 0.5}, "think=0.5 can't be used: expected int | str, got float"),
        ({"search": "yes"}, "search='yes' can't be used: expected bool, got str"),
        ({"seed": True}, "seed=True can't be used: expected int, got bool"),
        ({"format": "html"}, "format='html' can't be used: expected one of markdown, code, json, text"),
        ({"system": ["x" * 1000]}, "system=['xxx"),
    ],
)
def test_what_does_not_fit_is_one_line(changes, line):
    with pytest.raises(PromptError) as caught:
        GIVEN.changed(changes)
    assert str(caught.value).startswith(line)
    assert len(str(caught.value)) < 200


@given(st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.text()), st.dictionaries(st.text(), st.text())))
def test_a_prompt_is_text_or_a_turn(prompt):
    with pytest.raises(PromptError, match="a prompt is text, or a Turn with parts, not "):
        user_turn(prompt)
    turn = Turn("user", ({"text": "x"},))
    assert user_turn(turn) is turn
