"""%gemini fix and %gemini explain: what the model is told, bounded, without secrets, as typed."""

from __future__ import annotations

import json

import pytest

from tests.fakes.shell import Shell

SECRET = "AIzaSyD4" + "-q9XzW1bR7tYkP0mN3vC6hJ2lG8fE5s"  # has the form of a key
FIXED = {"parts": [["answer", "A letter is missing.\n\n```python\nx = 1\nprint(x)\n```\n"]], "gap": 0}


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("ipython"))
    shell.run("%load_ext nbgemini\n%gemini demo fast")
    yield shell
    shell.close()


def test_nothing_has_failed_yet(shell):
    shell.hang_up()
    shell.run("%reload_ext nbgemini\n%gemini demo fast")
    assert "nothing has failed yet" in shell.line("%gemini fix")


def test_the_cell_the_traceback_and_the_values_are_told(shell):
    shell.run("import json\nwords = ['a', 'b']\ndef pick(n):\n    where = n * 2\n    return words[where]")
    shell.run("pick(3)  # third")
    shell.run("%gemini fix --once")
    told = shell.asked
    assert shell.reply.purpose == "fix"
    assert "IndexError: list index out of range" in told.splitlines()[0]
    assert "pick(3)  # third" in told
    assert "def pick(n):" in told
    assert "words: list of length 2 = ['a', 'b']" in told
    assert "in pick: where: int = 6" in told
    assert "Python 3." in told
    assert "interactiveshell" not in told
    assert "run_code" not in told


def test_a_syntax_error_has_its_cell_too(shell):
    shell.run("y = (1,\nz = 2")
    shell.run("%gemini fix --once")
    assert "y = (1,\nz = 2" in shell.asked
    assert "was never closed" in shell.asked


def test_an_error_of_several_lines_is_told_in_one(shell):
    shell.run("error = ValueError('first\\n  second: third')\nerror.add_note('noted')\nraise error")
    shell.run("%gemini fix --once")
    assert shell.asked.splitlines()[0] == "Code in my notebook failed with ValueError: first second: third"


def test_a_function_that_waits_becomes_a_coroutine(shell):
    shell.run("def f():\n    await g()")
    shell.run("%gemini fix --once")
    assert "async def f():\n    await g()" in shell.reply.text


def test_a_mistyped_command_does_not_hide_the_error(shell):
    shell.run("1 / 0")
    shell.run("%gemini fxi")
    shell.run("%gemini fix --once")
    assert "ZeroDivisionError" in shell.asked


def test_what_a_magic_showed_is_found_by_its_traceback(shell):
    shell.run("%%time\nfloat('x')")
    shell.run("%gemini fix --once")
    assert "float('x')" in shell.asked
    assert "could not convert" in shell.asked


def test_a_hint_keeps_its_braces_and_question_mark(shell):
    shell.run("limit = 7\nlimit.x")
    shell.run("%gemini fix --once -k low may it be {limit}, or {that}?")
    assert shell.asked.endswith("may it be 7, or {that}?")
    assert shell.reply.options.think == "low"


def test_secrets_are_not_told(shell):
    shell.run(f"password = 'hunter2'\nheader = {SECRET[:9]!r} + {SECRET[9:]!r}\nimport hashlib")
    shell.run("hashlib.md5(password + header)")
    shell.run("%gemini fix --once")
    assert "hunter2" not in shell.asked
    assert SECRET not in shell.asked
    assert "password: str, which may be a secret" in shell.asked
    assert "header: str, which holds a key" in shell.asked


def test_a_key_in_the_cell_itself_stops_the_prompt(shell):
    shell.run(f"open({SECRET!r} + 1)")
    assert "Google API key" in shell.line("%gemini fix --once")


def test_all_of_it_is_bounded(shell):
    shell.run(
        "big = list(range(10**6))\nlong = 'x' * 10**7\nclass Bad:\n    def __repr__(self): raise RuntimeError('no')\nbad = Bad()"
    )
    # Few frames: IPython looks through all modules that were ever imported for each of them. Long lines that alternate, so that
    # none is folded into "repeated".
    note = "#" * 300
    shell.run(f"def one(n): return two(n) {note}\ndef two(n): return one(n - 1) if n else [][n] {note}\nbig, long, bad\n")
    shell.run("try:\n    one(20)\nexcept IndexError as error:\n    raise ValueError(long, big, bad if 0 else 1) from error")
    shell.run("%gemini fix --once")
    assert "bad: Bad = <Bad instance at" in shell.asked
    assert len(shell.asked) < 10_000


def test_a_table_is_told_by_its_columns(shell):
    shell.run("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})")
    shell.run("df['c']")
    shell.run("%gemini fix --once")
    assert "df: DataFrame of shape (2, 2), columns a int64, b " in shell.asked
    assert "pandas " in shell.asked


def test_the_chat_shows_it_in_few_lines(shell):
    shell.run("undefined_name")
    shell.run("%gemini fix -c mending")
    shell.run("%gemini show mending")
    prompt = shell.printed.split("Thoughts")[0]
    assert "NameError: name 'undefined_name' is not defined" in prompt
    assert "📎" in prompt
    assert len(prompt.splitlines()) < 10


def test_the_corrected_cell_is_offered(shell):
    shell.run("prnt(1)")
    shell.run(f"%gemini fix --once offline: {json.dumps(FIXED)}")
    assert shell.ip.rl_next_input == "x = 1\nprint(x)"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pick", ["pick(n): function", "def pick(n):"]),
        ("words", ["words is of type list", '["a", "b"]']),
        ("json", ["json: module", "It holds:", "dumps"]),
        ("json.dumps", ["json.dumps(obj, *", "Serialize"]),
        ("len", ["len(obj, /)", "number of items"]),
        ("silent", ["silent is of type __main__.Silent", "It says nothing."]),
        ("-- what is a monad?", ["Explain, briefly: what is a monad?"]),
        ("--once -- {words}", ["Explain, briefly: ", '["a", "b"]']),
        ("", ["Explain what this cell does", "words = ['a', 'b']"]),
    ],
)
def test_an_object_some_words_or_the_last_cell(shell, line, told):
    shell.run("import json\nwords = ['a', 'b']\ndef pick(n):\n    where = n * 2\n    return words[where]")
    shell.run("class Silent:\n    'It says nothing.'\nsilent = Silent()")
    if not line:
        shell.run("words = ['a', 'b']")
    shell.run(f"%gemini explain {line}")
    assert shell.reply.purpose == "explain"
    assert all(word in shell.asked for word in told), shell.asked


def test_an_unknown_name_has_its_neighbours(shell):
    shell.run("import json\ntemperature = 20")
    assert "no object 'temprature' in this notebook (did you mean temperature?)" in shell.line("%gemini explain temprature")
    assert "no 'dump_s' in json (did you mean dump" in shell.line("%gemini explain json.dump_s")
    assert "to explain words: %gemini explain -- two words" in shell.line("%gemini explain two words")
    assert "unknown option --onc (did you mean --once?)" in shell.line("%gemini explain --onc pick")


@pytest.mark.parametrize("line", ["fix", "explain len"])
def test_it_joins_no_chat_unless_asked(shell, line):
    """A question about code does not become part of the conversation."""
    shell.run("undefined_name")
    before = shell.run("%gemini reset") or shell.printed
    assert "main: " in before
    shell.run(f"%gemini {line}")
    assert shell.reply.chat is None
    shell.run("%gemini show")
    assert "main: no exchanges yet" in shell.printed
