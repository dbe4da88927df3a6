"""Data goes in as what it is: tables, figures, files and cells, in real kernels."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import complaints

DATA = """import pandas, pathlib, tempfile, os
os.chdir(tempfile.mkdtemp())
df = pandas.DataFrame({"city": ["Rome", "Oslo"], "sold": [3, 5]})
notes = pathlib.Path("notes.md"); notes.write_text("# Notes")
large = pathlib.Path("large.pdf"); large.write_bytes(b"%PDF-1.7 /Type /Page ".ljust(9_000_000, b"x"))
def parts():
    return [next(k for k in p if k != "nbgemini") for p in _gemini.exchange.asked.parts]
"""


@pytest.fixture(scope="module")
def data(kernel):
    if complaints(kernel.run(DATA)):
        pytest.skip("no pandas here")
    return kernel


def texts(kernel):
    return kernel.text('print("".join(p.get("text", "") for p in _gemini.exchange.asked.parts))')


def test_values_stand_where_their_names_stood(data):
    data.run("%%gemini --wait --once\n{df.shape} says how large this is:\n{df}\nand {this} stays")
    said_there = texts(data)
    assert said_there.startswith("(2, 2) says how large this is:\n| city | sold |")
    assert "and {this} stays" in said_there
    assert "2 columns (city, sold) and 2 rows" in data.text("print(_gemini.text)")


def test_what_ipython_itself_has_set_is_not_meant(data):
    data.run("1 + 1")
    data.run("%%gemini --wait --once\n{_} {In} {exit} {get_ipython} {__name__} {os}")
    assert texts(data).strip() == "{_} {In} {exit} {get_ipython} {__name__} {os}"


def test_files_and_tables_go_along_under_their_names(data):
    data.run("%%gemini --wait --once -a notes.md -a df\nWell?")
    said_there = texts(data)
    assert "notes.md:\n```md\n# Notes\n```" in said_there
    assert "df:\n| city | sold |" in said_there
    assert said_there.strip().endswith("Well?")


def test_a_figure_goes_along_in_place_and_the_last_one_shown_as_plot(data):
    if complaints(
        data.run(
            "%matplotlib inline\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(3, 2)); ax.plot([1, 3, 2])\nplt.show()"
        )
    ):
        pytest.skip("no matplotlib here")
    data.run("%%gemini --wait --once\nBefore {fig} after")
    assert data.text("print(parts())").strip() == "['text', 'inlineData', 'text']"
    assert "300 by 200 pixels" in data.text("print(_gemini.text)")
    data.run("%%gemini --wait --once -a plot\nAnd this?")
    assert "**image** (image/png)" in data.text("print(_gemini.text)")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("-a ntoes.md", "did you mean notes or notes.md"),
        ("-a os", "is a module, which can't be sent"),
        ("--context -1", "is negative"),
        ("-a 'zip*'", "no file matches"),
    ],
)
def test_what_can_not_be_attached_is_one_line_and_nothing_is_asked(data, line, why):
    data.run("_gemini = None")
    messages = data.run(f"%%gemini --wait {line}\nWell?")
    [error] = [message["content"] for message in messages if message["msg_type"] == "error"]
    assert why in error["evalue"]
    assert len(error["traceback"]) == 1
    assert data.text("print(_gemini)").strip() == "None"


def test_a_key_in_an_attached_file_stays_here(data):
    data.run("pathlib.Path('.env').write_text('KEY=sk-ant-' + 'a1b2C3d4E5f6G7h8' * 3)")
    [error] = [m["content"]["evalue"] for m in data.run("%%gemini --wait -a .env\nWell?") if m["msg_type"] == "error"]
    assert "the prompt contains an Anthropic key" in error


def test_a_large_file_is_uploaded(data):
    data.run("%%gemini --once --wait -a large\nWhat is it?")
    assert "**PDF** (application/pdf), 1 page, uploaded" in data.text("print(_gemini.text)")


def test_a_chat_shown_again_or_asked_again_keeps_what_was_attached(data):
    data.run("%%gemini --wait -c seen -a large -a df\nWhat is it?")
    shown = str([message["content"] for message in data.run("%gemini show seen") if message["msg_type"] == "display_data"])
    assert "large.pdf · PDF · 9.0 MB" in shown
    assert "df · DataFrame · " in shown
    assert "sha256" not in shown
    data.run("%gemini retry seen")
    data.run("await _gemini")
    assert "uploaded" in data.text("print(_gemini.text)")
    data.run("%gemini fork seen branch")
    data.run("%gemini ask -c branch --wait What is 2 + 3?")
    assert "5" in data.text("print(_gemini.text)")


def test_the_cells_above_go_along_but_not_those_of_the_chat(data):
    data.run("secret_word = 'albatross'")
    data.run("secret_word.upper()")
    data.run("%gemini ask --once --wait What is 1 + 1?")
    data.run("%%gemini --wait --once --context 2\nWhat is the word?")
    said_there = texts(data)
    assert said_there.startswith("Context: the last 2 cells of this notebook")
    assert "secret_word = 'albatross'" in said_there
    assert "'ALBATROSS'" in said_there
    assert "1 + 1" not in said_there


def test_a_reply_that_still_runs_is_awaited_and_its_text_goes_along(data):
    data.run("%%gemini --once --no-wait -o answer\nWhat is 20 + 3?")
    data.run("%%gemini --once --wait\nRepeat: {answer}")
    assert "Repeat: 20 + 3 = **23**" in texts(data)


def test_values_also_go_where_nothing_can_be_awaited(data):
    data.run("%%time\n%gemini ask --once --wait How large is {df.shape} ?")
    assert "(2, 2)" in texts(data)
    data.run("def ask():\n    get_ipython().run_cell_magic('gemini', '--once --wait -a notes.md', 'Well?')\nask()")
    assert "# Notes" in texts(data)
