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
        ("2 * -3", "**-6**"),
    ],
)
def test_the_answer_fits_the_question(prompt, words):
    assert words in said(prompt)


def test_the_written_code_runs():
    for subject, first in (("prime numbers", [2, 3, 5, 7, 11]), ("Fibonacci numbers", [0, 1, 1, 2, 3])):
        names = {}
        exec(re.search(r"```python\n(.*?)```", said(f"Write a Python generator of {subject}."), re.DOTALL)[1], names)
        numbers = next(value for name, value in names.items() if name in ("primes", "fibonacci"))()
        assert [next(numbers) for _ in range(5)] == first


def test_an_earlier_prompt_may_be_blank():
    assert "Before that you asked: “”" in said("  \n", "hello")
