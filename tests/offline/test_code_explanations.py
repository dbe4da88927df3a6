"""Code is explained statement by statement, by what was sent and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from nbgemini.offline.code_explanations import explain

FUNCTION = '''Explain `pick` of my notebook, briefly: what it is, and how it is used.

pick(n): function of __main__
Documentation:
```
Pick a word.
```
Source:
```python
def pick(n):
    """Pick a word."""
    where = n * 2
    for word in words:
        if word:
            print(word)
        else:
            continue
    try:
        where += 1
    except (KeyError, ValueError):
        raise
    finally:
        del where
    return words[where]
```
'''
CELL = (
    "Explain what this cell does and what its output means, briefly.\n\nContext: the last cell.\n\n"
    "Cell [33]:\n```python\n%matplotlib inline\nimport math as m\nx: int = 3\nprint(x)\nx + y\n```\nOutput of [33]:\n```\n3\n```\n"
)


DOCUMENTED = """Explain `pd.DataFrame.groupby` of my notebook, briefly: what it is, and how it is used.

pd.DataFrame.groupby(self, by=None) -> 'DataFrameGroupBy': function of pandas.core.frame
Documentation:
```
Group by a mapper.

More of it.
```
Source:
```python
def groupby(self, by=None):
    \"\"\"Group by … (cut
```
"""


def said(prompt):
    (_, thought), (_, answer) = explain(prompt)
    assert thought
    assert "offline service, not from Gemini" in answer
    return answer


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (
            FUNCTION,
            [
                "**In its own words:** Pick a word.",
                "1. defines the function `pick(n)` (“Pick a word.”):",
                "- sets `where` to `n * 2`",
                "- goes through `words`, each time as `word`:",
                "- if `word`:",
                "- otherwise:",
                "- goes on with the next round",
                "- and if that raises `(KeyError, ValueError)`:",
                "- and in the end, whatever happened:",
                "- deletes `where`",
                "- returns `words[where]`",
                "From outside it takes `words`.",
            ],
        ),
        (
            CELL,
            [
                "imports `math as m`",
                "sets `x`, of type `int`, to `3`",
                "prints `x`",
                "shows the value of `x + y`",
                "takes `y`",
                "3\n```",
            ],
        ),
        ("Explain this code:\nasync def f(a, *, b=2):\n    yield await a", ["defines the coroutine `f(a, *, b=2)`"]),
        (
            "explain\n```python\nclass A(B):\n    n: int\nwhile n:\n    break\nassert n\n```",
            ["the class `A`, a `B`", "leaves the loop"],
        ),
        (
            (
                "Explain `Dog.bark` of my notebook\n\nDog.bark(self): function of __main__\nDocumentation:\n```\nBark once.\n\nLoudly.\n```\n"
                "Source:\n```python\n    def bark(self):\n        return 1\n```\n"
            ),
            ["**In its own words:** Bark once.\n\nStep by step", "defines the function `bark(self)`", "- returns `1`"],
        ),
        (
            "Explain `len` of my notebook\n\nlen(obj, /): builtin_function_or_method of builtins\nDocumentation:\n```\nReturn the size.\n```\n",
            ["**In its own words:** Return the size.", "It is called as `len(obj, /)`; how it is made was not sent."],
        ),
        (
            "Explain `f` of my notebook\n\nf(a): function of m\nDocumentation:\n```\nf(a)\n\nMeasure a.\n=====\n```\n",
            ["**In its own words:** Measure a.\n\nIt is called as `f(a)`"],
        ),
        ("Explain this: [n**2 for n in range(9)]", ["shows the value of `[n ** 2 for n in range(9)]`"]),
        ("Explain this code:\nimport a\n" + "print(1)\n" * 50, ["… and 11 more lines."]),
        ("Can you explain this code?\nbest = lambda a, b: a if a > b else b", ["sets `best` to the function `lambda a, b:"]),
        ("What does this code do?\nprint(x[::-1])", ["prints `x[::-1]`", "takes `x`"]),
        (
            "Explain this:\n@cache\ndef f(n):\n    global total\n    total -= n\n    for _ in n:\n        pass\n    else:\n        return 1",
            [
                "the function `f(n)`, decorated with `cache`",
                "takes `total` from the notebook",
                "sets `total` to `total - n`",
                "and at its end, unless a `break` ended it:",
            ],
        ),
        (
            "Explain `d` of my notebook\n\nd is of type __main__.Dog.\nd: type of __main__\nDocumentation:\n```\nA dog.\n```\n",
            ["`d` is a `__main__.Dog`; of its class its documentation says: A dog."],
        ),
        (
            "Explain `df` of my notebook\n\ndf is of type pandas.DataFrame.\n| a | b |\n| --- | --- |\n| x | 2 |\n| y | 4 |\n",
            ["`df` is a `pandas.DataFrame`", "a **table** of 2 columns (a, b) and 2 rows", "`b`: 2 to 4, 3 on average"],
        ),
        ("Explain `w` of my notebook\n\nw is of type list.\n```\n[1, 2]\n```\n", ["`w` is a `list`", "[1, 2]"]),
    ],
)
def test_what_was_sent_is_explained(prompt, words):
    answer = said(prompt)
    assert [word for word in words if word not in answer] == []


@pytest.mark.parametrize(
    "prompt", ["Explain, briefly: what is a closure?", "Explain: recursion", "Why?", "Explain\n```python\n(((\n```"]
)
def test_words_are_no_code(prompt):
    assert explain(prompt) is None


@given(st.text(), st.text())
def test_any_prompt_is_safe(text, code):
    explain(f"Explain {text}\n```python\n{code}\n```\n")
    explain(f"Explain\n{code}")


def test_what_has_no_whole_source_is_explained_by_its_documentation():
    answer = said(DOCUMENTED)
    assert answer.startswith("**In its own words:** Group by a mapper.")
    assert "It is called as `pd.DataFrame.groupby(self, by=None) -> 'DataFrameGroupBy'`" in answer
    assert "called" not in said(DOCUMENTED.replace("(self, by=None) -> 'DataFrameGroupBy'", ""))
    assert explain(DOCUMENTED.replace("Group by a mapper.\n\nMore of it.", "none")) is None
