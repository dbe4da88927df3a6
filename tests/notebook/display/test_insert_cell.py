"""Code goes into a new cell as the answer shows it, and nothing in it can become markup or run."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from nbgemini.messages.segments import code_of
from nbgemini.messages.turns import Options
from nbgemini.notebook.display.insert_cell import button_html, has_commands, offered_code, put_code


class Shell:
    def __init__(self):
        self.put = []

    def set_next_input(self, text):
        self.put.append(text)


@pytest.fixture
def shell():
    return Shell()


async def code_reply(client, answer, **how):
    return await client.generate(f"offline: {json.dumps({'parts': [['answer', answer]], **how})}", format="code")


async def test_in_a_terminal_it_is_at_the_next_prompt(client, shell):
    put_code(shell, await code_reply(client, "Here:\n```python\nx = 1\n```\nand\n```\ny = 2\u202e\n```"))
    assert shell.put == ["x = 1\n\ny = 2‹U+202E›"]


async def test_what_was_cut_or_is_no_code_is_put_nowhere(client, shell):
    put_code(shell, await code_reply(client, "```python\nx = ", finish="MAX_TOKENS"))
    put_code(shell, await client.generate("write python code for primes"))
    assert shell.put == []


def test_a_button_carries_the_code_and_nothing_else():
    code = "a = '\"<b>&amp;'\n</button><script>alert(1)</script>"
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Reader().feed(button_html(code))
    [(tag, attributes)] = found
    assert (tag, set(attributes)) == ("button", {"data-commandlinker-command", "data-commandlinker-args"})
    assert json.loads(attributes["data-commandlinker-args"]) == {
        "commands": ["notebook:insert-cell-below", "notebook:replace-selection"],
        "args": {"text": code},
    }


def test_where_there_are_no_commands_there_is_no_button():
    assert has_commands(SimpleNamespace(user_ns={}))
    assert not has_commands(SimpleNamespace(user_ns={"__vsc_ipynb_file__": "a.ipynb"}))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("~~~\nx\n~~~\n", "x"),
        ("a\n```\nx\n```\nb\n````md\n```\ny\n```\n````", "x\n\n```\ny\n```"),
        ("  ```py\n  if x:\n    y\n  ```", "if x:\n  y"),
        ("```python\nnot closed", "not closed"),
        ("no fence", ""),
        ("```python\r\nx\r\n```\r\n", "x"),
    ],
)
def test_the_code_in_an_answer(text, code):
    assert code_of(text) == code
    assert code_of("x = 1\n", bare=True) == "x = 1"


def test_what_is_offered_is_code_that_was_asked_for():
    """A corrected cell stands in a fence between words; an answer that only happens to hold code is offered nowhere."""
    text = "It divides by zero.\n\n```python\nx = 1 / 2\n```\nThat is all."
    reply = SimpleNamespace(options=Options(model="m"), purpose="prompt")
    assert offered_code(reply, text) == ""
    reply.purpose = "fix"
    assert offered_code(reply, text) == "x = 1 / 2"
    assert offered_code(reply, "No code.") == ""
    reply.options = Options(model="m", format="code")
    assert offered_code(reply, "x = 1 / 2") == "x = 1 / 2"
