"""Schemas and arguments are filled with what the prompt says, in its order; what it does not say is not there."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from nbgemini.offline.schema_answers import BEFORE, PromptValues, answer_in

FIELDS = [("name", "string"), ("age", "integer"), ("city", "string"), ("mail", "string", "email"), ("height", "number")]


@pytest.mark.parametrize(
    ("prompt", "values"),
    [
        ("Ada Lovelace is 36 years old and lives in London.", ["Ada Lovelace", 36, "London", None, None]),
        ("What is the weather in New York tomorrow?", ["New York", None, None, None, None]),
        ("name: Bob, age = 41, city is Rome; mail bob@example.org, height 1.8", ["Bob", 41, "Rome", "bob@example.org", 41]),
        ("Who is 'the boss' of “Rome”?", ["the boss", None, "Rome", None, None]),
        ("please add 3 and 4.5", [None, 3, None, None, 4.5]),
        ("“Dune” was written by Frank Herbert.", ["Dune", None, "Frank Herbert", None, None]),
        ("Convert 3 euros to USD", ["USD", 3, None, None, None]),
        ("Bank of England", ["Bank of England", None, None, None, None]),
        ("", [None] * 5),
    ],
)
def test_values_are_taken_in_their_order(prompt, values):
    prompt_values = PromptValues(prompt)
    assert [prompt_values.take(*field) for field in FIELDS] == values


def test_the_rows_of_a_table_fill_records_of_its_columns():
    values = PromptValues("| City | Sold |\n| --- | --- |\n| Paris | 3 |\n| Rome | 5 |\n")
    assert values.rows_with(["city", "sold", "x"]) == [{"city": "Paris", "sold": "3"}, {"city": "Rome", "sold": "5"}]
    assert values.rows_with(["x"]) == []


def test_a_choice_that_is_named_is_chosen():
    assert PromptValues("Is it Rocky or not?").chosen(["gas", "rocky", 3]) == "rocky"
    assert PromptValues("Is it a gas giant?").chosen(["gas", "gas giant"]) == "gas giant"
    assert PromptValues("What is it?").chosen(["gas", "rocky"]) is None


def test_choices_that_are_listed_to_ask_which_are_not_chosen():
    assert PromptValues("Is it rocky or gas?").chosen(["gas", "rocky"]) is None


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "null"),
        ({"anyOf": [{"type": "string", "enum": ["good", "bad"]}, {"type": "null"}]}, "null"),
        ({"type": "string", "enum": ["good", "bad", "unknown"]}, '"unknown"'),
        ({"type": "string", "enum": ["good", "bad", "Other"]}, '"Other"'),
        ({"type": "string", "enum": ["good", "bad"]}, '"good"'),
    ],
)
def test_what_may_stay_open_is_not_made_up(schema, made):
    assert answer_in(schema, "how is it? good or bad?") == made


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("what's the weather like in new york today?", ["new york"]),
        ("from london to the moon, please", ["london", "moon"]),
        ("between paris and rome", ["paris", "rome"]),
        ("How far is Rome from berlin", ["Rome", "berlin"]),
        ("why is it so bad?", []),
        ("read the file data/sales.csv.", ["data/sales.csv"]),
        ("in the file ~/notes.txt", ["~/notes.txt"]),
        ("mail to bob@example.org", ["bob@example.org"]),
        ("translate 'good morning' into french", ["good morning", "french"]),
        ("in 3 days in münchen", ["münchen"]),
        ("", []),
    ],
)
def test_texts_in_lower_case_stand_behind_prepositions(prompt, texts):
    assert list(PromptValues(prompt, BEFORE, ["file"]).texts) == texts


@pytest.mark.parametrize(
    ("prompt", "field", "value"),
    [
        ("1.75 m tall, weighing 70 kg", ("weight_kg", "number"), 70),
        ("it is not done yet", ("done", "boolean"), False),
        ("it is done", ("done", "boolean"), True),
        ("lunch on 2024-03-05 at 12:30", ("start", "string", "date-time"), "2024-03-05T12:30"),
        ("lunch on 2024-03-05 at 12:30, costs 40", ("cost", "integer"), 40),
        ("il fait beau à Paris", ("city", "string"), "Paris"),
    ],
)
def test_a_value_is_what_its_field_says(prompt, field, value):
    assert PromptValues(prompt).take(*field) == value


@pytest.mark.parametrize(("prompt", "value"), [("How much is 3 + 4?", "7"), ("15% of 80", "12"), ("1,000 + 2,500", "3500")])
def test_a_number_that_is_asked_for_is_calculated(prompt, value):
    assert answer_in({"type": "number"}, prompt) == value


def test_what_is_left_stays():
    values = PromptValues("Ada is 36, Bob is 41")
    assert (list(values.texts), list(values.numbers)) == (["Ada", "Bob"], ["36", "41"])
    assert values.take("name", "string") == "Ada"
    assert list(values.texts) == ["Bob"]


@given(st.text())
def test_any_prompt_is_safe(text):
    for values in (PromptValues(text), PromptValues(text, BEFORE)):
        for field in FIELDS:
            values.take(*field)
