"""What `%gemini demo` answers is worth a try, on each kernel: cells that failed, code, tables, schemas, tools; and says what it is."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import complaints

SETUP = """
import pandas as pd
from pydantic import BaseModel
sales = pd.DataFrame({'city': ['Paris', 'Rome', 'Oslo'], 'visitors': [4200, 3100, 900], 'revenue': [12.6, 8.9, 3.1]})
stock, words, n, zero = {'apples': 3}, ['one', 'two'], 3, 0
def pick(n):
    '''Return the word at twice the place.'''
    where = n * 2
    return words[where]
class Person(BaseModel):
    name: str
    age: int
class City(BaseModel):
    city: str
    visitors: int
def weather(city: str) -> str:
    '''Tell the weather.'''
    return f'sunny in {city}'
"""
FAILING = {
    "NameError": "math.sqrt(16)",
    "KeyError": "stock['aples']",
    "TypeError": "'there are ' + n + ' words'",
    "ValueError": "int('3.5')",
    "IndexError": "pick(3)",
    "AttributeError": "words.push('three')",
    "ZeroDivisionError": "n / zero",
    "ModuleNotFoundError": "import jsonn",
    "ImportError": "from math import sqroot",
    "FileNotFoundError": "rows = open('no-such-file.csv').read()\nrows[:3]",
    "SyntaxError": "for word in words print(word)",
}


@pytest.fixture(scope="module")
def demo(kernel):
    kernel.run(SETUP)
    return kernel


def answer(kernel, code):
    """The text of an answer, which says that it is from the offline service."""
    assert complaints(kernel.run(code, sits=False)) == []
    return kernel.text("print(_gemini.text)")


@pytest.mark.parametrize(("kind", "cell"), FAILING.items())
def test_a_cell_that_failed_is_corrected(demo, kind, cell):
    raised = [message["content"]["ename"] for message in demo.run(cell) if message["msg_type"] == "error"]
    assert raised == [kind]
    assert "offline service, not from Gemini" in answer(demo, "%gemini fix --once --wait")
    code = demo.text("print(_gemini.code)")
    assert code.strip() != cell
    assert complaints(demo.run(code)) == [], code


def test_code_that_was_sent_is_explained(demo):
    said = answer(demo, "%gemini explain --once --wait pick")
    assert "Return the word at twice the place." in said
    assert "sets `where` to `n * 2`" in said
    assert "From outside it takes `words`." in said
    assert "offline service, not from Gemini" in said


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Which city has the most visitors?", "**Paris** has the highest `visitors`: 4200."),
        ("What is the average revenue?", "`revenue` **8.2**"),
        ("How many rows are there?", "**3** rows"),
    ],
)
def test_a_question_about_a_table_is_answered_from_its_rows(demo, question, said):
    told = answer(demo, f"%%gemini --once --wait\n{question}\n\n{{sales}}")
    assert said in told
    assert "offline service, not from Gemini" in told


def test_an_object_is_made_from_what_was_asked(demo):
    demo.run("%%gemini --once --wait --schema Person -o person\nAda Lovelace is 36 years old.", sits=False)
    assert demo.text("print(person.parsed)").strip() == "name='Ada Lovelace' age=36"
    demo.run("%%gemini --once --wait --schema list[City] -o cities\nThe cities of {sales}", sits=False)
    assert (
        demo.text("print(*cities.parsed)").strip()
        == "city='Paris' visitors=4200 city='Rome' visitors=3100 city='Oslo' visitors=900"
    )


def test_a_function_is_called_with_what_was_asked(demo):
    said = answer(demo, "%%gemini --once --wait -t weather --approve auto\nWhat is the weather in New York?")
    assert "sunny in New York" in said
    assert "offline service, not from Gemini" in said


@pytest.mark.parametrize(
    "model", ["anthropic:claude-opus-5-5", "openai:gpt-6-luna", "ollama:llama3.3:70b", "interactions:gemini-3.8-flash"]
)
def test_models_of_other_services_are_played_from_recordings(demo, model):
    assert "offline service, not from Gemini" in answer(
        demo, f"%%gemini --once --wait -m {model}\nWhy is the sky blue, but the sunset red?"
    )
    assert demo.text("print(_gemini.provider, _gemini.model)").split() == model.split(":", 1)


def test_what_has_no_recording_is_one_line_that_names_what_has_one(demo):
    (error,) = complaints(demo.run("%%gemini --once --wait -m anthropic:claude-opus-5-5\nhello", sits=False))
    assert "claude-opus-5-5 has no recording of this prompt; it has: “Why is the sky blue, but the sunset red?”" in error
    assert "%gemini demo off" in error
    assert "\n" not in error
