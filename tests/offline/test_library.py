"""A prepared answer is given to its own question only."""

from __future__ import annotations

import re

import pytest

from nbgemini.offline.canned_answers import written_answer


def said(*prompts):
    return "".join(text for kind, text in written_answer(list(prompts)) if kind == "answer")


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Write a Python generator of prime numbers.", "generator of prime numbers"),
        ("write a function for primes", "generator of prime numbers"),
        ("Write Python code for the Fibonacci numbers", "generator of the Fibonacci numbers"),
        ("Write a Python function that sorts a list", "answers are prepared"),
        ("Write to the prime minister", "answers are prepared"),
        ("What is the name of the capital?", "answers are prepared"),
        ("Tell me about 12345678901234567890 + 1", "answers are prepared"),
        ("What is my name?", "not told me your name"),
        ("2 * -3", "2 * -3 = **-6**"),
        ("what is 3+4*2?", "3 + 4 * 2 = **11**"),
        ("(1 + 2) × 3 please", "(1 + 2) × 3 = **9**"),
        ("12 / 4", "**3**"),
        ("2 plus 2 times 3", "2 + 2 * 3 = **8**"),
        ("2^10", "2 ** 10 = **1024**"),
        ("What is 15% of 80?", "15% of 80 = **12**"),
        ("0.1 + 0.2", "= **0.3**"),
        ("9**9**9", "answers are prepared"),
        ("1 / 0", "answers are prepared"),
        ("007 + 1", "answers are prepared"),
        ("What happened on 24/12/2025?", "answers are prepared"),
        ("Who lived 1914-1918?", "answers are prepared"),
    ],
)
def test_the_answer_fits_the_question(prompt, words):
    assert words in said(prompt)


def test_tools_that_could_have_been_called_are_named():
    ((_, _), (_, answer)) = written_answer(["How warm is it?"], ["weather", "convert"])
    assert "A tool is called once your prompt names it, with its values: `weather`, `convert`." in answer


def test_the_written_code_runs():
    for subject, first in (("prime numbers", [2, 3, 5, 7, 11]), ("Fibonacci numbers", [0, 1, 1, 2, 3])):
        names = {}
        exec(re.search(r"```python\n(.*?)```", said(f"Write a Python generator of {subject}."), re.DOTALL)[1], names)
        numbers = next(value for name, value in names.items() if name in ("primes", "fibonacci"))()
        assert [next(numbers) for _ in range(5)] == first


def test_an_earlier_prompt_may_be_blank():
    assert "Before that you asked: “”" in said("  \n", "hello")
