"""A reply that waits for leave says so everywhere, and a kernel that ends meanwhile leaves a chat that can go on."""

from __future__ import annotations

import signal

import pytest

from tests.kernel.conftest import Kernel, is_final_status, kinds, outputs, parent
from tests.support.kernel_cells import TOOLS, asked_for_leave, calls, click, says

ASK = f"%%gemini -t add\n{calls(('add', {'a': 1, 'b': 2}))}"


@pytest.fixture
def start(python, tmp_path):
    """A function that starts a kernel of one notebook."""
    kernels = []

    def one():
        kernels.append(Kernel(python, JPY_SESSION_NAME="a.ipynb", JUPYTER_DATA_DIR=str(tmp_path)))
        kernels[-1].run(f"%load_ext nbgemini\n%gemini demo fast\n{TOOLS}")
        return kernels[-1]

    yield one
    for kernel in kernels:
        kernel.close()


def shown(kernel, line):
    messages = kernel.run(line)
    return outputs(messages, parent(messages[-1]))


def plain(output):
    return output["data"]["text/plain"]


def test_it_waits_and_runs_again_afterwards(start):
    kernel = start()
    kernel.run("seen = []\nasync def add(a: int, b: int) -> str:\n    return _gemini.state")
    mine = kernel.send(ASK)
    messages = asked_for_leave(kernel, mine)
    told = says("waiting for approval")
    messages += [] if any(map(told, messages)) else kernel.until(told)
    assert kernel.text("await asyncio.sleep(0.6)\nprint(_gemini.state)").strip() == "waiting"
    recalled = shown(kernel, "%gemini show")
    assert kinds(recalled) == ["prompt", "thought", "tool_call", "status"]
    assert [plain(recalled[2]).splitlines()[0], plain(recalled[3])] == ["Tool add · called", "waiting"]
    click(kernel, messages, "once")
    messages += kernel.until(is_final_status)
    assert plain(outputs(messages, mine)[1]).endswith("running")
    assert "leave" not in plain(outputs(messages, mine)[-1])


def test_a_kernel_that_is_killed_while_it_asks_leaves_a_call_that_did_not_run(start):
    first = start()
    asked_for_leave(first, first.send(ASK))
    first._manager.signal_kernel(signal.SIGKILL)
    second = start()
    recalled = shown(second, "%gemini show")
    assert kinds(recalled)[1:] == ["prompt", "thought", "tool_call", "status"]
    assert plain(recalled[3]).startswith("Tool add · not finished: stopped")
    assert "interrupted" in plain(recalled[4])
    second.run("%gemini load")
    second.run("%%gemini --wait\nwhat is 1 + 1")
    assert second.text("print(_gemini.state, ran)").strip().endswith("complete []")
