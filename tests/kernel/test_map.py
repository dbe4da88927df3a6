"""A map in a real kernel: in the background, stopped, gone on with, and found in the saved file."""

from __future__ import annotations

import json

import pytest

from tests.kernel.conftest import complaints, outputs, parent, said
from tests.support.outputs import is_live, kind_of

SLOW = json.dumps({"parts": [["answer", "slowly"]], "gap": 0.5})
MADE = f"""
rows = [{{"n": n}} for n in range(40)]
slow = [{{"n": n, "how": {f"offline: {SLOW}"!r}}} for n in range(40)]
"""


def is_over(message):
    return (said(message).get("kind"), said(message).get("state")) == ("map", "final")


@pytest.fixture
def made(kernel):
    kernel.run(MADE)
    kernel.run("_gemini_map = None")
    return kernel


def run_slowly(kernel, options, name):
    """Begin a map whose answers take half a second, and whose prompts are called like that; return its cell."""
    return kernel.send(f"%%gemini map {options} slow\n{name} {{n}}\n{{how}}")


def test_the_cell_returns_at_once_and_the_rows_come(made):
    cell = made.send("%gemini map -o table rows What is {n} + 1?")
    messages = made.until(is_over)
    (shown,) = outputs(messages, cell)
    assert shown["data"].keys() == {"text/html", "text/plain"}
    assert "40 rows" in shown["data"]["text/plain"]
    assert "in table" in shown["data"]["text/plain"]
    assert "offline service" in shown["data"]["text/plain"]
    assert made.text("print(all(str(row.input['n'] + 1) in row.text for row in table), len(table))").strip() == "True 40"


def test_a_cell_that_reads_it_waits_for_it_and_one_that_does_not_runs_meanwhile(made):
    run_slowly(made, "--no-wait -n 20 -o late", "waited for")
    assert made.text("print(_gemini_map.done)").strip() == "False"
    assert made.text("print(len(late), late.state, set(late.texts))").strip() == "40 complete {'slowly'}"


def test_stop_keeps_what_is_done_and_the_next_run_goes_on(made):
    cell = run_slowly(made, "-n 10 -o part", "stopped")
    made.until(lambda message: parent(message) == cell and "10 at once" in json.dumps(message["content"]))
    made.text("import asyncio\nwhile not any(row.answered for row in _gemini_map.so_far): await asyncio.sleep(0.05)")
    made.run("%gemini stop --all")
    done = int(made.text("print(sum(row.answered for row in part))"))
    assert 1 <= done < 40
    assert made.text("print({row.state for row in part} == {'complete', 'interrupted'}, len(part))").strip() == "True 40"
    run_slowly(made, "--wait -n 20 -o rest", "stopped")
    assert made.text("print(sum(row.stored for row in rest), len(rest.errors))").strip() == f"{done} 0"


def test_an_interrupt_of_a_waiting_cell_stops_it_and_leaves_one_line(made):
    cell = run_slowly(made, "--wait -n 5", "interrupted")
    made.until(lambda message: parent(message) == cell and message["msg_type"] == "display_data")
    made.interrupt()
    messages = made.until(lambda message: parent(message) == cell and message["content"].get("execution_state") == "idle")
    (error,) = [message["content"] for message in messages if message["msg_type"] == "error"]
    assert error["traceback"] == ["Interrupted: stopped; the finished rows are kept, and running the line again continues"]
    assert made.text("print(_gemini_map.state)").strip() == "interrupted"


def test_a_headless_run_waits_and_a_fault_of_all_rows_fails_the_cell(made):
    messages = made.run("%gemini map rows What is {n} + 1?", sits=False)
    assert any(map(is_over, messages))
    assert complaints(messages) == []
    [error] = complaints(made.run("%gemini map rows What is {m}?", sits=False))
    assert error == "no column 'm'; there is {n}; nothing was asked"


ASKED = """
from nbgemini import Client
from nbgemini.settings import offline_settings
client = Client(offline_settings(url))
table = await client.map("What is {n} + 1?", rows[:9], store="%s")
await client.aclose()
"""


@pytest.mark.parametrize("sits", [True, False])
def test_a_map_in_python_has_a_bar_below_its_cell(made, tmp_path, sits):
    made.run("url = get_ipython()._nbgemini[1].runner.session.client.settings.base_url")
    messages = made.run(ASKED % (tmp_path / "maps.sqlite3"), sits=sits)
    assert complaints(messages) == []
    (shown,) = outputs(messages, parent(messages[-1]))
    assert shown["metadata"]["nbgemini"] == {"chat": None, "turn": None}
    assert (kind_of(shown["data"]), is_live(shown["data"])) == ("map", False)
    assert shown["data"]["text/plain"].startswith("9 rows")
    assert any("<progress" in message["content"].get("data", {}).get("text/html", "") for message in messages) is sits
