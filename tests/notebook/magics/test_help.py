"""The manual: every option has an example, and every example runs."""

from __future__ import annotations

import pytest

from nbgemini.notebook.commands import COMMANDS
from nbgemini.notebook.magics.help import EXAMPLES, commands_help, example, prompt_help
from nbgemini.notebook.options import build_parser
from tests.fakes.shell import Shell

MADE = """
import os
from dataclasses import dataclass

@dataclass
class Planet:
    name: str
    moons: int

def weather(place: str) -> str:
    "The weather at a place."
    return "rain"

fig = "a drawing"
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("ipython"))
    directory = tmp_path_factory.mktemp("files")
    (directory / "notes.txt").write_text("notes")
    shell.run(f"import os\nhere = os.getcwd()\nos.chdir({str(directory)!r})")
    shell.run("%load_ext nbgemini\n%gemini demo fast")
    assert shell.run(MADE) is None, shell.printed
    shell.run(example("--record")[0])  # what --replay plays
    shell.run("await _gemini")
    yield shell
    shell.run("os.chdir(here)")
    shell.close()


def test_every_option_has_an_example():
    assert [*EXAMPLES] == [action.option_strings[-1] for action in build_parser().actions if action.dest != "help"]


@pytest.mark.parametrize("option", EXAMPLES)
def test_every_example_runs(shell, option):
    cell, meaning = example(option)
    shell.run("_gemini = None")
    assert shell.run(cell) is None, shell.printed
    assert shell.run("await _gemini") is None, shell.printed
    assert shell.reply.state == "complete"
    assert meaning


def test_the_manual_holds_all_of_it():
    text = prompt_help()
    assert all(example(option)[0].splitlines()[0] in text for option in EXAMPLES)
    assert all(f"%gemini {name}" in text and f"%gemini {name}" in commands_help() for name in COMMANDS if name)


def test_the_question_mark_shows_it(shell):
    shell.run("%%gemini?")
    shell.run("get_ipython().run_line_magic('pinfo', '%gemini')")
