"""What a kernel was told outlives it: another one of the same notebook shows it and goes on with it."""

from __future__ import annotations

import signal
import time

import pytest

from tests.kernel.conftest import PATIENCE, Kernel, is_final_status, kinds, outputs, parent, said
from tests.support.kernel_cells import slow
from tests.support.outputs import kind_of


@pytest.fixture
def notebook(python, tmp_path):
    """A function that starts a kernel of one notebook."""
    kernels = []

    def start():
        kernels.append(Kernel(python, JPY_SESSION_NAME="a.ipynb", JUPYTER_DATA_DIR=str(tmp_path)))
        kernels[-1].run("%load_ext nbgemini\n%gemini demo fast")
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close()


def shown(kernel, line):
    messages = kernel.run(line)
    return outputs(messages, parent(messages[-1]))


def said_kind(output):
    return kind_of(output.get("data", {}))


def half_an_answer(kernel):
    """A chat with one whole and one growing answer."""
    kernel.run("%%gemini --wait\nMy name is Zoe.")
    mine = kernel.send(f"%%gemini\n{slow('x', 400)}")
    kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    began = time.monotonic()
    while kernel.text("print(len(_gemini.so_far.text))").strip() == "0":
        assert time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("end", ["shutdown", "kill"])
def test_a_chat_outlives_its_kernel(notebook, end):
    """Shut down, or killed 0.2 s after something was shown."""
    first = notebook()
    half_an_answer(first)
    if end == "shutdown":
        first.leave("shutdown")
    else:
        time.sleep(0.2)
        first._manager.signal_kernel(signal.SIGKILL)
    second = notebook()
    recalled = shown(second, "%gemini show")
    assert "%gemini load main" in recalled[0]["data"]["text/plain"]
    assert kinds(recalled)[1:] == ["prompt", "thought", "answer", "prompt", "answer", "status"]
    assert recalled[5]["data"]["text/plain"].strip("x") == ""
    assert "interrupted" in recalled[6]["data"]["text/plain"]
    second.run("%%gemini --wait\nWhat is my name?")
    assert "Zoe" not in second.text("print(_gemini.text)")  # a restarted kernel begins anew unless told otherwise
    (refused,) = [output for output in shown(second, "%gemini load") if "error" in output]
    assert "%gemini load main NEW_NAME" in refused["error"]
    second.run("%gemini load main earlier")
    second.run("%%gemini --wait -c earlier\nWhat is my name?")
    assert "Zoe" in second.text("print(_gemini.state, _gemini.error, _gemini.text)")


def test_a_forgotten_chat_stays_forgotten(notebook):
    """By a kernel that never asked it anything, and in the next one."""
    first = notebook()
    first.run("%%gemini --wait\nMy name is Zoe.")
    first.leave("shutdown")
    second = notebook()
    assert "earlier session" in shown(second, "%gemini chats")[0]["data"]["text/plain"]
    second.run("%gemini reset")
    second.leave("shutdown")
    third = notebook()
    assert "none yet" in shown(third, "%gemini chats")[0]["data"]["text/plain"]
    assert [kinds(shown(third, line)) for line in ("%gemini show", "%gemini load")] == [["status"], [None]]


def test_what_unloading_stops_is_kept_as_it_ended(notebook):
    """All that came, and as stopped: not as broken off with the kernel."""
    first = notebook()
    half_an_answer(first)
    first.send("%unload_ext nbgemini")
    first.until(is_final_status)
    came = first.text("print(len(_gemini.so_far.text))").strip()
    first.leave("shutdown")
    recalled = shown(notebook(), "%gemini show")
    assert [len(output["data"]["text/plain"]) for output in recalled if said_kind(output) == "answer"][1:] == [int(came)]
    assert recalled[-1]["data"]["text/plain"] == "interrupted"


def test_the_journal_lists_requests_and_can_be_switched_off(notebook):
    kernel = notebook()
    kernel.run("%config Gemini.journal = 'off'\n%gemini ask --wait hello")
    kernel.run("%config Gemini.journal = 'auto'\n%gemini ask --wait hello")
    mine = kernel.send(f"%%gemini -c b\n{slow('x', 400)}")
    kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    kernel.run("%gemini stop b")
    kernel.until(is_final_status)
    (table,) = shown(kernel, "%gemini journal")
    lines = table["data"]["text/plain"].splitlines()
    assert len(lines) == 3
    assert "stopped" in lines[1]
    assert "complete" in lines[2]
    assert "offline" in lines[2]
    (error,) = [output for output in shown(kernel, "%gemini journal x") if "error" in output]
    assert len(error["traceback"]) == 1
