"""What -t names is made ready beside the loop: pydantic is imported, servers start, and the kernel goes on."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.kernel.conftest import PATIENCE, Kernel, at_rest, complaints, kinds, outputs, parent
from tests.support.kernel_cells import calls

SMALL = str(Path(__file__).parents[1] / "fakes" / "small_mcp_server.py")
SERVER = f"""
from nbgemini import McpServer
server = McpServer([{sys.executable!r}, {SMALL!r}])
slow = McpServer(["/bin/sh", "-c", 'touch "$STARTED"; exec sleep 600'], env={{"STARTED": started}})

def double(x: int) -> int:
    \"\"\"Double a number.\"\"\"
    return 2 * x

class Calculator:
    def half(self, x: int) -> float:
        \"\"\"Halve a number.\"\"\"
        return x / 2

calculator, several = Calculator(), [double, server]
"""
HEARTBEAT = """
import asyncio, sys, time
gaps = []
async def heartbeat():
    before = time.perf_counter()
    while True:
        await asyncio.sleep(0.005)
        gaps.append(time.perf_counter() - before - 0.005)
        before = time.perf_counter()
beating = asyncio.create_task(heartbeat())
"""


@pytest.fixture(scope="module")
def served(python, tmp_path_factory):
    running = Kernel(python)
    running.started = tmp_path_factory.mktemp("server") / "started"
    running.run(f"%load_ext nbgemini\n%gemini demo\nstarted = {str(running.started)!r}\n{SERVER}")
    yield running
    running.close()


def until_there(path):
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def called(kernel, options, *asked, sits=False):
    """First and last line of each card."""
    messages = kernel.run(f"%%gemini --once --approve auto {options}\n{calls(*asked)}", sits=sits)
    shown = outputs(messages, parent(messages[-1]))
    assert complaints(messages) == []
    texts = [output["data"]["text/plain"] for output, kind in zip(shown, kinds(shown), strict=True) if kind == "tool_call"]
    return [(text.splitlines()[0].split(" · ")[1], text.splitlines()[-1]) for text in texts]


def test_a_server_a_list_and_a_method_are_offered_by_name(served):
    assert called(served, "-t server", ("add", {"a": 1, "b": 2})) == [("done", "}")]
    asked = (("double", {"x": 2}), ("add", {"a": 1, "b": 2}))
    assert [state for state, _ in called(served, "-t several", *asked)] == ["done", "done"]
    assert called(served, "-t server.add,calculator.half", ("half", {"x": 3})) == [("done", "1.5")]
    assert [state for state, _ in called(served, "-t server.add", ("nap", {"seconds": 0}))] == ["failed"]  # not offered


def test_also_where_the_cell_can_not_await(served):
    """In a function, and in an assignment."""
    ask = f"get_ipython().run_cell_magic('gemini', '--once --wait --approve auto -t server', {calls(('add', {'a': 3, 'b': 4}))!r})"
    messages = served.run(f"def ask():\n    {ask}\nask()\nprint(_gemini.state, _gemini.tool_calls[0].name)")
    assert "complete add" in str([message["content"] for message in messages if message["msg_type"] == "stream"])


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("-t servr", "did you mean server?"),
        ("-t server.ad", "has no tool 'ad'; did you mean add?"),
        ("-t calculator", "of type Calculator, not a function, tool, MCP server or a list of them"),
        ("-t SMALL", "no function 'SMALL'"),
        ("-t calculator.third", "no function 'calculator.third'"),
        ("-t gone", "can't be started"),
    ],
)
def test_what_can_not_be_offered_is_one_line_and_nothing_is_asked(served, option, says):
    served.run("_gemini = None\ngone = McpServer(['no-such-program-anywhere'])")
    (error,) = [message["content"] for message in served.run(f"%%gemini {option}\nhello") if message["msg_type"] == "error"]
    assert says in error["evalue"]
    assert len(error["traceback"]) == 1
    assert served.text("print(_gemini)").strip() == "None"


def test_a_server_that_never_answers_holds_up_no_other_task_and_can_be_interrupted(served):
    served.run(f"_gemini = None\n{HEARTBEAT}")
    mine = served.send("%%gemini --once -t slow\nhello")
    until_there(served.started)  # an interrupt before the cell has begun is not the cell's
    served.send("counted = len(gaps)")
    served.interrupt()
    messages = served.until(lambda message: parent(message) == mine and message["msg_type"] == "error")
    assert messages[-1]["content"]["traceback"] == ["Interrupted: the tools were not ready; nothing was sent"]
    assert served.text("print(_gemini)").strip() == "None"
    served.run("beating.cancel()\nawait slow.aclose()")


FIRST = f"%%gemini --once --wait -t double --approve auto\n{calls(('double', {'x': 2}))}"
ON_THE_LOOP = "from nbgemini.tools.decorator import declare\ngaps.clear()\nawait asyncio.sleep(0.05)\ndeclare(double)\nawait asyncio.sleep(0.05)"


def longest_gap(fresh_kernel, code):
    """The longest gap of the heartbeat, in a kernel that has answered a prompt without tools before."""
    fresh_kernel.run(f"%load_ext nbgemini\n%gemini demo\n{HEARTBEAT}\ndef double(x: int) -> int:\n    return 2 * x")
    messages = fresh_kernel.run("%%gemini --once --wait\nhello")
    at_rest(fresh_kernel, parent(messages[-1]), messages)
    assert fresh_kernel.text("print('pydantic' in sys.modules)").strip() == "False"
    fresh_kernel.run("gaps.clear()")
    fresh_kernel.run(code)
    assert fresh_kernel.text("print('pydantic' in sys.modules)").strip() == "True"
    return float(fresh_kernel.text("print(max(gaps))"))


def test_the_first_tools_of_a_kernel_import_pydantic_off_the_loop(python, fresh_kernel):
    """Only its thread is tested here; the figures are for the reader of -s."""
    other = Kernel(python)
    try:
        on_the_loop = longest_gap(other, ON_THE_LOOP)
    finally:
        other.close()
    print(
        f"\nlongest gap of a 5 ms heartbeat: {longest_gap(fresh_kernel, FIRST) * 1e3:.0f} ms; declared on the loop: {on_the_loop * 1e3:.0f} ms"
    )
