"""The magic's line, word by word."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import PromptError
from nbgemini.notebook.magics.help import prompt_help
from nbgemini.notebook.options import PromptArgs, build_parser, parse_ask, parse_cell


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("", PromptArgs()),
        ("-m gemini-2.5-pro", PromptArgs(model="gemini-2.5-pro")),
        ("--model=x --chat c", PromptArgs(model="x", chat="c")),
        ("--once -w", PromptArgs(once=True, wait=True)),
        ("--no-wait", PromptArgs(wait=False)),
        ("-o answer", PromptArgs(out="answer")),
        ("-k off", PromptArgs(changes={"think": "off"})),
        ("-k 512", PromptArgs(changes={"think": 512})),
        ("-k max", PromptArgs(changes={"think": "max"})),
        ("--temperature 0.5 --max-tokens 9 --seed -3", PromptArgs(changes={"temperature": 0.5, "max_tokens": 9, "seed": -3})),
        ("--stop-at END --stop-at 'two words'", PromptArgs(changes={"stop_at": ("END", "two words")})),
        ('-s "be brief" --timeout 2', PromptArgs(changes={"system": "be brief", "timeout": 2.0})),
    ],
)
def test_what_a_line_means(line, meant):
    assert parse_cell(line) == meant


@pytest.mark.parametrize(
    "line",
    [
        "--nope",
        "-x",
        "hello",
        "-m",
        "--seed x",
        "--max-tokens 0",
        "--temperature 3",
        "--timeout 0",
        "-o 1a",
        "-w --no-wait",
        "-s 'open",
        "-k deep",
    ],
)
def test_what_a_line_cannot_mean_is_one_line(line):
    with pytest.raises(PromptError) as caught:
        parse_cell(line)
    assert "\n" not in str(caught.value)


def test_the_prompt_of_ask_is_everything_after_the_options_as_typed():
    ask, prompt = parse_ask('-m x --once what\'s "this" -- and {that}?')
    assert (ask.model, ask.once, prompt) == ("x", True, 'what\'s "this" -- and {that}?')


@given(
    prompt=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)
    .map(str.strip)
    .filter(lambda text: text and text[0] != "-")
)
def test_any_prompt_survives(prompt):
    assert parse_ask(f"--once {prompt}")[1] == prompt


def test_the_manual_names_every_option():
    assert all(name in prompt_help() for name in build_parser().options)
