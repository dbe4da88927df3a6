"""%gemini map: its line, what is told about it, and that every example of its manual runs."""

from __future__ import annotations

import pytest

from nbgemini.notebook.magics.help import MAP_EXAMPLES, map_help
from nbgemini.notebook.options import build_map_parser
from tests.fakes.shell import Shell

MADE = """
import pandas as pd
from dataclasses import dataclass

@dataclass
class Planet:
    name: str
    moons: int

df = pd.DataFrame({"text": ["apple", "pear", "plum"], "n": [1, 2, 3]}, index=["a", "b", "c"])
rows = [4, 5]
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("ipython"))
    shell.run("%load_ext nbgemini\n%gemini demo fast")
    assert shell.run(MADE) is None, shell.printed
    yield shell
    shell.close()


def value(shell, expression):
    return eval(expression, shell.ip.user_ns)


def test_every_option_has_an_example_and_all_stand_in_the_manual(shell):
    assert [*MAP_EXAMPLES] == [action.option_strings[-1] for action in build_map_parser().actions if action.dest != "help"]
    shell.run("%gemini map")
    assert shell.printed.strip() == map_help().strip()
    assert all(line in map_help() for line, _ in MAP_EXAMPLES.values())


@pytest.mark.parametrize("option", MAP_EXAMPLES)
def test_every_example_runs(shell, option):
    line, meaning = MAP_EXAMPLES[option]
    shell.run("_gemini_map = None")
    assert shell.run(f"%gemini map {line}") is None, shell.printed
    table = value(shell, "_gemini_map")
    assert {row.state for row in table} == {"complete"}
    assert len(table) == (2 if option == "--first" else 3)
    assert meaning


def test_answers_become_a_column_in_their_rows(shell):
    shell.run("%gemini map --into sum --first 2 df What is {n} + 1?")
    assert "in the column 'sum'" in shell.printed
    column = value(shell, "df['sum']")
    assert ["2" in column["a"], "3" in column["b"]] == [True, True]
    assert value(shell, "df['sum'].isna().tolist()") == [False, False, True]


def test_a_column_of_answers_is_neither_sent_nor_shown_again(shell):
    shell.run("again = df[['text', 'n']].copy()")
    for options in ("", "--first 2"):
        assert shell.run(f"%gemini map {options} --into sum again What is {{n}} + 1? {{row}}") is None, shell.printed
        assert all(row.stored for row in value(shell, "_gemini_map")) == bool(options), "the second prompt is the same"
        assert value(shell, "_gemini_map.so_far.table()[0]") == ["", "text", "n", "answer"]
        assert [*value(shell, "_gemini_map.to_frame()").columns][:3] == ["text", "n", "answer"]
        assert value(shell, "again['sum'].isna().sum()") == 0, "rows that are not asked keep their answers"


@pytest.mark.parametrize("template", ["Say {text}", "Say {text!r}", "Say {text.title} and {row}"])
def test_answers_never_overwrite_the_column_that_is_asked_about(shell, template):
    before = value(shell, "df['text'].tolist()")
    assert "--into text would overwrite the column that the template reads" in shell.line(
        f"%gemini map --into text df {template}"
    )
    assert value(shell, "df['text'].tolist()") == before


def test_a_template_of_several_lines_is_a_cell(shell):
    assert shell.run("%%gemini map -o sums rows\nNow then.\n\nWhat is {row} + 1?") is None, shell.printed
    assert [str(n + 1) in text for n, text in zip([4, 5], value(shell, "sums.texts"), strict=True)] == [True, True]
    assert shell.run("%%time\n%gemini map rows Say {row}") is None, shell.printed
    assert "no name 'rowz' in this notebook (did you mean rows?)" in shell.line("%%gemini map rowz\nSay")


def test_a_question_mark_at_the_end_is_the_question_s(shell):
    assert shell.run("%gemini map rows What is {row} + 1?") is None
    assert ["5" in text for text in value(shell, "_gemini_map.texts[:1]")] == [True]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("dff Say {text}", "no name 'dff' in this notebook (did you mean df?)"),
        ("df.texd Say it", "there is no 'texd' (did you mean text?)"),
        ("df Say {texd}", "no column 'texd' (did you mean text?)"),
        ("df", "[OPTIONS] NAME TEMPLATE"),
        ("--int x df Say {text}", "unknown option --int (did you mean --into?)"),
        ("-t f df Say {text}", "a map can't use tools"),
        ("--into x rows Say", "--into adds a column to a pandas DataFrame, and rows is a list"),
        ("-n 0 df Say {text}", "0 is not a positive number"),
        ("MADE Say", "no name 'MADE'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(shell, line, why):
    assert why in shell.line(f"%gemini map {line}")


def test_what_a_map_spends_is_counted(shell):
    before = value(shell, "get_ipython()._nbgemini[1].runner.session.usage.tokens.total")
    shell.run("%gemini map --fresh rows Say {row}")
    after = value(shell, "get_ipython()._nbgemini[1].runner.session.usage.tokens.total")
    assert after - before == value(shell, "_gemini_map.usage.total") > 0
    shell.run("%gemini map rows Say {row}")
    assert value(shell, "get_ipython()._nbgemini[1].runner.session.usage.tokens.total") == after
