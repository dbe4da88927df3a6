"""Asking, then looking: where we stand, usage, journal, models, and the chat as a file, in a real kernel."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.kernel.conftest import Kernel, complaints
from tests.support.kernel_cells import shown, table

TALK = "%gemini ask --wait Why is the sky blue?\n%gemini ask --wait And the sunset?"


def errors(messages):
    return [message["content"] for message in messages if message["msg_type"] == "error"]


@pytest.fixture(scope="module")
def talked(python, tmp_path_factory):
    """A kernel with a journal of its own, in which two prompts were asked."""
    folder = tmp_path_factory.mktemp("journey")
    kernel = Kernel(python)
    kernel.folder = folder
    kernel.run(
        f"%load_ext nbgemini\n%gemini demo fast\n%config Gemini.journal = '{folder / 'journal.sqlite3'}'\n%cd -q {folder}"
    )
    kernel.empty = [*shown(kernel.run("%gemini usage")), *shown(kernel.run("%gemini journal"))]
    kernel.run(TALK, sits=False)
    yield kernel
    kernel.close()


def test_an_empty_journal_says_what_will_stand_there(talked):
    usage, journal = talked.empty
    assert usage == "no requests yet; the tokens, cost and times of each prompt will be added up here"
    assert journal.startswith("no requests yet; each prompt will be listed here")


def test_usage_adds_up_and_what_is_offline_costs_nothing_and_stands_apart(talked):
    for by in ("model", "chat", "day", "provider", "notebook"):
        text, scope = shown(talked.run(f"%gemini usage today --by {by}"))
        head, row, total = table(text)
        assert re.fullmatch(r"today: 20\d\d-\d\d-\d\d · notebook .+, this one", scope), scope
        assert head[:2] == [by, "exchanges"]
        assert row[0].endswith("(offline)")
        assert total[:2] == ["total (offline)", "2"]
        assert "$" not in text
    (error,) = errors(talked.run("%gemini usage --by modle"))
    assert "'modle' is not understood (did you mean model?); usage: %gemini usage [today|week|all]" in error["evalue"]


def test_the_journal_has_a_line_for_each_request(talked):
    (text,) = shown(talked.run("%gemini journal 5"))
    head, *rows = table(text)
    assert head[:5] == ["when", "chat", "purpose", "model", "outcome"]
    assert len(rows) == 2
    assert all(row[1:5] == ["main", "prompt", "gemini-3.8-flash (offline)", "complete"] for row in rows)
    assert "'x' is not a positive whole number" in errors(talked.run("%gemini journal x"))[0]["evalue"]


def test_where_we_stand_tells_chats_and_how_full_they_are(talked):
    text = shown(talked.run("%gemini"))[0]
    assert "none needed" in text
    row = next(line for line in text.splitlines() if line.startswith("chat main"))
    assert "2 exchanges · context < 1 % of 1,048,576 tokens" in row
    assert "journal.sqlite3" in text
    assert "< 1 % of 1,048,576 tokens" in shown(talked.run("%gemini chats"))[0]


def test_models_are_a_table_that_marks_the_current_one_and_aliases(talked):
    talked.run('%config Gemini.aliases = {"small": "gemma-4-31b-it", "fast": "gemini-2.5-flash"}')
    text, date = shown(talked.run("%gemini models"))
    rows = {row[0]: row[1:] for row in table(text)}
    assert rows["gemini-flash-latest"][0] == "current"
    assert rows["gemini-2.5-flash"] == ["-m fast", "1,048,576", "65,536", "off, 1 to 24,576 tokens", "0.3 / 2.5"]
    assert rows["gemma-4-31b-it"][:2] == ["-m small", "262,144"]
    assert date.startswith("prices as of 20")
    talked.run("%gemini ask --once --wait -m fast hello", sits=False)
    assert talked.text("print(_gemini.model)") == "gemini-2.5-flash\n"
    (error,) = errors(talked.run("%gemini ask --once --wait -m gemini-3.8-flsh hello", sits=False))
    assert error["evalue"].startswith("no model 'gemini-3.8-flsh'; did you mean gemini-3.8-flash, ")
    assert error["evalue"].count("gemini-3") == 4


def test_a_window_that_fills_is_told_and_warned_of(talked):
    talked.run('%config Gemini.aliases = {"small": "gemma-4-31b-it"}\nlong = "word " * 120_000\nmore = long[:300_000]')
    talked.run("%%gemini --wait -c long -m small\n{long}", sits=False)
    half = talked.text("from nbgemini.notebook.display.status_line import *\nprint(status_text(_gemini))")
    assert "context 57 % full" in half
    assert "⚠" not in half
    assert "of 262,144 tokens" in shown(talked.run("%gemini chats"))[0]
    talked.run("%%gemini --wait -c long -m small\n{more}", sits=False)
    assert "⚠ context 86 % full → %gemini drop, reset or fork before it is" in talked.text("print(status_text(_gemini))")
    refusal = {
        "status": 400,
        "error": {"message": "The input token count (300000) exceeds the maximum number of tokens allowed (262144)."},
    }
    (error,) = errors(talked.run(f"%gemini ask --wait -c long offline: {json.dumps(refusal)}", sits=False))
    assert error["evalue"].startswith("37,856 tokens too many: 300,000 were asked, the model takes 262,144 (400")
    assert "%gemini drop, reset or fork" in error["evalue"]
    assert talked.text("print(_gemini.state)") == "failed\n"


def test_bad_settings_are_refused_in_one_line_and_change_nothing(talked):
    for name, wrong in {
        "retries": "'x'", "retries ": "-1", "think": "'hard'", "approve": "'perhaps'", "prices": "'none.json'", "gap_timeout": "0",
        "aliases": "{'a': 1}", "wait": "'maybe'",
    }.items():  # fmt: skip
        before = talked.text(f"print(get_ipython()._nbgemini[0].{name})")
        (line,) = complaints(talked.run(f"%config Gemini.{name.strip()} = {wrong}"))
        assert line.count("\n") == 1
        assert name.strip() in line or wrong.strip("'") in line
        assert talked.text(f"print(get_ipython()._nbgemini[0].{name})") == before


def test_prices_of_ones_own_count(talked):
    own = talked.folder / "own.json"
    own.write_text('{"date": "2027-01-02", "models": {"gemini-3.8-flash": {"input": 1000000, "output": 1000000}}}')
    talked.run("%config Gemini.prices = 'own.json'")
    text, date = shown(talked.run("%gemini models 3.8-flash"))
    assert "1e+06 / 1e+06" in text
    assert date == "prices as of 2027-01-02"
    talked.run("%gemini ask --once --wait hello", sits=False)
    assert talked.text("print(_gemini.cost)") == "0.0\n"  # in the demo all is free
    talked.run("%config Gemini.prices = ''")
    assert "prices as of 2026" in shown(talked.run("%gemini models"))[1]


def test_the_chat_becomes_a_file_of_each_kind_and_nothing_is_overwritten(talked):
    for name, chat in (("chat.md", ""), ("chat.ipynb", "main"), ("chat.json", "main")):
        (line,) = shown(talked.run(f"%gemini export {name} {chat}"))
        assert line == f"main: 2 exchanges written to {name}"
        written = (talked.folder / name).read_text()
        (error,) = errors(talked.run(f"%gemini export {name}"))
        assert error["evalue"] == f"{name} exists already; --force overwrites it"
        assert (talked.folder / name).read_text() == written
        assert shown(talked.run(f"%gemini export {name} --force"))
    for wrong in ("chat.docx", "chat", "", "a.md main more", "a.md --thought"):
        assert len(errors(talked.run(f"%gemini export {wrong}"))) == 1
    assert ".md, .ipynb or .json" in errors(talked.run("%gemini export chat.docx"))[0]["evalue"]
    assert "can't write" in errors(talked.run("%gemini export nowhere/chat.md"))[0]["evalue"]
    page = (talked.folder / "chat.md").read_text()
    assert "> Why is the sky blue?" in page
    assert "Thoughts" not in page
    talked.run("%gemini export folded.md --thoughts")
    assert "<summary>Thoughts</summary>" in (talked.folder / "folded.md").read_text()


def test_the_notebook_opens_without_us_and_shows_the_same(talked):
    talked.run("%gemini export again.ipynb")
    notebook = nbformat.read(talked.folder / "again.ipynb", as_version=4)
    nbformat.validate(notebook)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert "Why is the sky blue?" in re.sub("<[^>]*>", "", html)
    assert "<details" in html
    assert "Rayleigh" in html
    assert "offline service" in html


def test_an_exported_chat_is_loaded_again_and_goes_on(talked):
    talked.run("%gemini export back.json")
    (line,) = shown(talked.run("%gemini load back.json copy"))
    assert line == "copy: 2 exchanges loaded; the next prompt continues the chat"
    talked.run("%gemini ask --wait -c copy Go on.", sits=False)
    assert talked.text("print(_gemini.state, _gemini.turn)") == "complete 2\n"
    assert "already; %gemini load back.json NEW_NAME" in errors(talked.run("%gemini load back.json copy"))[0]["evalue"]
    (talked.folder / "foreign.json").write_text('{"cells": []}')
    assert "not a chat from %gemini export" in errors(talked.run("%gemini load foreign.json"))[0]["evalue"]
    assert "can't read nothing.json" in errors(talked.run("%gemini load nothing.json"))[0]["evalue"]
