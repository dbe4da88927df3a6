"""Cells that need a pending answer wait for it; every way to stop closes the connection and keeps what arrived."""

from __future__ import annotations

import json
import re

import pytest

from tests.kernel.conftest import is_final_status, outputs, parent, said


def slow(name, frames=10, gap=0.05):
    return f"offline: {json.dumps({'parts': [['answer', name * frames * 2]], 'pieces': frames, 'gap': gap})}"


def stream(messages):
    return "".join(message["content"]["text"] for message in messages if message["msg_type"] == "stream")


def results(messages):
    return [message["content"]["data"]["text/plain"] for message in messages if message["msg_type"] == "execute_result"]


def errors(messages):
    return [message["content"] for message in messages if message["msg_type"] == "error"]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("print(late.state, len(late.text))", "complete 20\n"),
        ("for _ in range(1):\n    print(late.state)", "complete\n"),
        ("def f():\n    return late.state\nprint(f())", "complete\n"),
        ("from __future__ import annotations\nprint(late.state)", "complete\n"),
        ("import asyncio\nawait asyncio.sleep(0)\nprint(late.state)", "complete\n"),
        ("%%time\nprint(late.state)", "complete\n"),
        ("%%capture it\nprint(late.state)\n", ""),
        ("late.state", "'complete'"),
        ("late.state;", ""),
        ("x = 1\nlate.state # why;", "'complete'"),
    ],
)
def test_a_cell_that_names_a_pending_variable_waits_for_it(kernel, code, shown):
    kernel.run(f"%%gemini --once -o late\n{slow('x')}")
    messages = kernel.run(code)
    assert (stream(messages) + "".join(results(messages))).startswith(shown)
    assert errors(messages) == []
    assert kernel.text("print(late.done)").strip() == "True"


@pytest.mark.parametrize("code", ["print('late')", "early = 1", "late.stop()", "def late(): pass", "%gemini"])
def test_a_cell_that_does_not_read_it_does_not_wait(kernel, code):
    kernel.run(f"%%gemini --once -o late\n{slow('x', 100)}")
    kernel.run(f"%xmode Context\n{code}")
    assert kernel.text("print(_gemini.done or _gemini.stopping)").strip() == str("stop" in code)
    kernel.run("%gemini stop --all")


@pytest.mark.parametrize(
    ("code", "line"), [("a = late.state\n\n1 / 0", 3), ("late\n1/0\n2", 2), ("if late.state:\n    1/0;", 2)]
)
def test_tracebacks_keep_their_lines_and_show_only_what_was_typed(kernel, code, line):
    kernel.run(f"%%gemini --once -o late\n{slow('x')}")
    (error,) = errors(kernel.run(code))
    trace = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error["traceback"]))
    assert error["ename"] == "ZeroDivisionError"
    assert f"line {line}" in trace or f"> {line} " in trace
    assert "gemini_pending" not in trace
    assert "await" not in trace


def test_an_interrupted_wait_leaves_the_stream_alone(kernel):
    kernel.run(f"%%gemini --once -o late\n{slow('x', 40)}")
    mine = kernel.send("late.text")
    kernel.until(lambda message: parent(message) == mine and message["msg_type"] == "execute_input")
    kernel.until(lambda message: message["msg_type"] == "comm_msg")  # the stream goes on: the cell waits
    kernel.interrupt()
    messages = kernel.until(lambda message: parent(message) == mine and message["content"].get("execution_state") == "idle")
    (error,) = errors(messages)
    assert len(error["traceback"]) == 1
    assert "continues" in error["evalue"]
    assert kernel.text("print(await late)").strip() == "x" * 80


def answered(kernel, cell):
    kernel.until(lambda message: parent(message) == cell and said(message).get("kind") == "answer")


def test_an_interrupt_between_cells_stops_background_streams(kernel):
    asked = [kernel.send(f"%%gemini -c idle{n}\n{slow('x', 400)}") for n in range(2)]
    answered(kernel, asked[1])
    kernel.interrupt()
    messages = []
    for _ in asked:
        messages += kernel.until(is_final_status)
    assert {parent(message) for message in messages if is_final_status(message)} == set(asked)
    assert errors(messages) == []
    assert kernel.text("print(_gemini.state, 0 < len(_gemini.text) < 800)").strip() == "interrupted True"
    assert "stopped" in outputs(messages, "") or "stopped" in str([m["content"] for m in messages if is_final_status(m)])
    kernel.run("%gemini ask -c idle1 --wait what is 3 + 4")
    assert "**7**" in kernel.text("print(_gemini.text)")


def test_an_interrupt_of_a_running_cell_leaves_background_streams_alone(kernel):
    kernel.run(f"%%gemini --once -o later\n{slow('x', 60)}")
    mine = kernel.send("import time\nprint('here', flush=True)\nwhile True:\n    time.sleep(0.01)")
    kernel.until(lambda message: parent(message) == mine and message["msg_type"] == "stream")
    kernel.interrupt()
    messages = kernel.until(lambda message: parent(message) == mine and message["content"].get("execution_state") == "idle")
    assert [error["ename"] for error in errors(messages)] == ["KeyboardInterrupt"]
    assert kernel.text("reply = await later\nprint(reply.state)").strip() == "complete"
