"""Messages fit where they are read: without the magics, nothing that a script is told is a magic's option or command."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import nbgemini
from nbgemini._environment import HOST
from nbgemini.errors import ConfigurationError, PromptError, adapt
from nbgemini.messages.events import describe_stop_reason

SOURCE = Path(nbgemini.__file__).parent
NOTEBOOK = ("notebook", "offline", "cli.py", "extension.py", "errors.py")
NO_MESSAGES = (  # parts of messages, of cells, and of the log
    *(
        "run openai, or try",
        "%gemini key",
        "the display of an answer failed",
        "%config Gemini.journal",
        "%%gemini -c",
        " -s openai",
        "var(--jp-",
    ),
)
MAGIC = re.compile(r"%gemini|%config|(?<![\w-])--[a-z]|(?<![\w-])-[a-zA-Z] (?!\d)")


@pytest.fixture
def _script(monkeypatch):
    monkeypatch.setattr(HOST, "magics", False)


def texts_of(path):
    """Texts in the code of a module that a message may be made of; what is filled in stands as `openai`."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "openai" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docs | inside):
            yield node.value


MESSAGES = [
    text
    for path in SOURCE.rglob("*.py")
    if not path.relative_to(SOURCE).parts[0].startswith(NOTEBOOK)
    for text in texts_of(path)
    if " " in text and MAGIC.search(text) and not any(part in text for part in NO_MESSAGES)
]


@pytest.mark.usefixtures("_script")
@pytest.mark.parametrize("message", MESSAGES)
def test_a_script_is_told_of_no_magic(message):
    assert not MAGIC.search(adapt(message)), adapt(message)


def test_a_notebook_is_told_of_its_own_words():
    assert MESSAGES
    assert all(adapt(message) == message for message in MESSAGES)


@pytest.mark.usefixtures("_script")
@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("no API key: set GEMINI_API_KEY, run %gemini key, or try %gemini demo, which needs none",
         "no API key: set GEMINI_API_KEY, or say Client(api_key=…)"),
        ("x does not think; leave out --think", "x does not think; leave out think"),
        ("cut at the token limit → --max-tokens", "cut at the token limit → max_tokens"),
        ("leave a tool out, or use --approve unguarded", 'leave a tool out, or use approve="unguarded"'),
        ("ask by -m openai-chat:MODEL", 'ask by model="openai-chat:MODEL"'),
        ("no model after openai: → %gemini models openai: lists them",
         'no model after openai: → client.list_models("openai") returns them'),
        ("the prompt is empty; write it below the %%gemini line, or behind %gemini ask", "the prompt is empty"),
        ("take it out, or %config Gemini.allow_secrets = True", "take it out, or Settings(allow_secrets=True)"),
        ("a well-known 2-3 step -> x", "a well-known 2-3 step -> x"),
    ],
)  # fmt: skip
def test_options_are_arguments_there(said, read):
    assert str(PromptError(said)) == read


@pytest.mark.usefixtures("_script")
def test_why_an_answer_ended_too():
    assert describe_stop_reason("MAX_TOKENS") == "cut at the token limit → max_tokens"


@pytest.mark.usefixtures("_script")
async def test_a_script_without_a_key_is_told_what_it_can_do():
    async with nbgemini.Client(nbgemini.Settings(key="")) as client:
        with pytest.raises(ConfigurationError, match=r"set GEMINI_API_KEY .*Client\(api_key=…\)$"):
            await client.generate("hello")
