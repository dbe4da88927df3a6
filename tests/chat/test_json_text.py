"""The JSON of an answer is found behind words, in fences and behind thoughts, in time linear in the answer."""

from __future__ import annotations

import json
import typing

import pytest
from hypothesis import given, strategies as st

from nbgemini.chat.structured_output import answer_schema, json_begun, json_text, json_texts

VALUE = '{"a": [1, "}"]}'


@pytest.mark.parametrize(
    "answer",
    [
        VALUE,
        f"\n{VALUE}\n",
        f"```json\n{VALUE}\n```",
        f"Here it is:\n\n```json\n{VALUE}\n```\n\nTell me if you need more.",
        f"Here it is:\n```\n{VALUE}\n```",
        f"Sure! {VALUE} That is all.",
        f"Use it so:\n```json\n{VALUE}\n```\nand then\n```python\nprint(x)\n```",
        f"I think {{so}}.</think>{VALUE}",
        f"{VALUE}\n\n{VALUE}",
        f"As [1] says: {VALUE} [2]",
        f"Of {{1, 2}} it is {VALUE}}}",
        f"First a draft:\n```json\n[1, 2\n```\nNow it is right:\n  ```json\n{VALUE}\n  ```",
    ],
)
def test_the_json_of_an_answer_is_found(answer):
    assert json.loads(json_text(answer)) == json.loads(VALUE)


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": [1, "}"],}',
        '{"a": [1, "}",],\n}',
        '{\n  // the list\n  "a": [1, "}"]  // as asked\n}',
        '{"a": /* two */ [1, "}"]}',
        '{"a": [1, "}"],  # the last\n}',
        "{'a': [1, '}']}",
        "Here it is:\n```json\n{'a': [1, \"}\",]}\n```\nAs [1] says.",
        "Sure: {'a': [1, '}'],} That is all.",
    ],
)
def test_json_that_is_written_freely_is_read(answer):
    assert json.loads(json_text(answer)) == json.loads(VALUE)


def test_what_stands_in_its_texts_is_no_comment_and_no_comma():
    value = {"url": "https://a/b", "a": "x,]", "b": "/* # */", "c": "it's", "d": 'say "so"', "e": [True, None], "f": "None, }"}
    assert json.loads(json_text(f"{value!r},")) == value
    assert json.loads(json_text(json.dumps(value)[:-1] + ",}")) == value


@pytest.mark.parametrize("answer", ["", "No.", "{so}", "```json\n[1", "[1] is a source", "}{"])
def test_an_answer_without_json_is_itself(answer):
    assert json_text(answer) in (answer, "[1]")


@pytest.mark.parametrize("before", ["", "Here it is:\n\n```json\n", "```json\n", "```\n", "Sure! ", "a</think>"])
def test_what_has_come_of_it_begins_with_the_json(before):
    assert json_begun(f'{before}{{"a": 1, "b') == '{"a": 1, "b'
    assert json_begun("No") == "No"


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_is_itself(value):
    text = json.dumps(value, ensure_ascii=False)
    assert json_text(text) == text


def test_looking_for_it_is_linear():
    """All that is looked at is never more than a few times the answer."""
    for answer in (
        "```a\n" * 20_000,
        "```\n" * 20_000,
        "{" * 20_000,
        "[}" * 20_000,
        "</think>" * 20_000,
        "[]" * 20_000,
        "[[]," * 20_000,
        "{" + "/*" * 20_000 + "}",
        "{" + "'\"" * 20_000 + "}",
        "{" + ", " * 20_000 + "}",
    ):
        assert sum(map(len, json_texts(answer))) <= 4 * len(answer)


def test_of_several_values_the_first_that_fits_counts_and_long_ones_come_first():
    text = 'A draft: {"name": "B"}, then [1] {"name": "Bo", "age": 3} and {"age": 4}'
    assert list(json_texts(text))[-4:] == ['{"name": "Bo", "age": 3}', '{"name": "B"}', '{"age": 4}', "[1]"]


def test_a_choice_may_stand_among_signs():
    kind = answer_schema(typing.Literal["yes", "no"])
    assert [kind.read(text) for text in ("yes", '"no"', "**yes**", "No. ".lower(), "`no`")] == ["yes", "no", "yes", "no", "no"]
