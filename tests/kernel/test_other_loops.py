"""Loops beside the kernel's own: a GUI's is put aside while answers come, and trio's and its like are not ours to wait on."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import PATIENCE, at_rest, complaints, is_final_status, kinds, outputs, parent

DIRECTIVE = 'offline: {"parts": [["thought", "Hm."], ["answer", "came through"]], "pieces": 6, "gap": 0.03}'
HOLDS = """
import time
from ipykernel.eventloops import register_integration
held = []
@register_integration("slow")
def loop_slow(kernel):
    held.append(globals()["_gemini"].state if "_gemini" in globals() else "")
    time.sleep(0.2)
"""
RUNNER = """
import asyncio, threading
def runner(coroutine):
    got = []
    thread = threading.Thread(target=lambda: got.append(asyncio.run(coroutine)))
    thread.start(); thread.join()
    return got[0]
"""
LINE = "holds the kernel's loop"


@pytest.fixture
def demo_kernel(fresh_kernel):
    fresh_kernel.run("%load_ext nbgemini\n%gemini demo fast")
    return fresh_kernel


def printed(messages):
    return "".join(message["content"]["text"] for message in messages if message["msg_type"] == "stream")


def answered(messages, cell):
    """The answers that stand below a cell in the end."""
    shown = [output for output in outputs(messages, cell) if "data" in output]
    return [output["data"]["text/plain"] for output, kind in zip(shown, kinds(shown), strict=True) if kind == "answer"]


def holds_again(kernel):
    """Wait until the GUI's loop is back."""
    for _ in range(PATIENCE * 5):
        if kernel.text("import time; time.sleep(0.1); print(get_ipython().kernel.eventloop is loop_slow)").strip() == "True":
            return True
    return False


@pytest.mark.parametrize("way", ["--wait", "--no-wait"])
def test_a_gui_stands_aside_while_an_answer_comes(demo_kernel, way):
    """Told once, and nothing is lost, whether the cell waits or not."""
    demo_kernel.run(HOLDS)
    demo_kernel.run("%gui slow")
    mine = demo_kernel.send(f"%%gemini {way}\n{DIRECTIVE}")
    messages = at_rest(demo_kernel, mine, demo_kernel.until(is_final_status))
    assert answered(messages, mine) == ["came through"]
    assert LINE in printed(messages)
    assert "%gui" in printed(messages)
    assert complaints(messages) == []
    assert holds_again(demo_kernel)
    assert demo_kernel.text("print('running' in held)").strip() == "False"
    again = demo_kernel.run(f"%%gemini --wait\n{DIRECTIVE}")
    assert answered(again, parent(again[-1])) == ["came through"]
    assert LINE not in printed(again)


def test_commands_and_functions_get_their_answers_beside_a_gui(demo_kernel):
    demo_kernel.run(HOLDS)
    demo_kernel.run("%gui slow")
    assert "gemini-3.8-flash" in str(demo_kernel.run("%gemini models flash"))
    demo_kernel.run(f"def f():\n    get_ipython().run_cell_magic('gemini', '--wait', '''{DIRECTIVE}''')\nf()")
    assert (
        demo_kernel.text("print(_gemini.state, _gemini.text, 'running' in held)").split("\n")[0]
        == "complete came through False"
    )


def test_a_gui_that_comes_mid_stream_waits_and_one_that_goes_is_gone(demo_kernel):
    demo_kernel.run(HOLDS)
    mine = demo_kernel.send(f"%%gemini --no-wait\n{DIRECTIVE.replace('0.03', '0.2')}")
    messages = demo_kernel.until(lambda message: parent(message) == mine and "display" in message["msg_type"])
    messages += demo_kernel.run("%gui slow")
    messages = at_rest(demo_kernel, mine, messages)
    assert answered(messages, mine) == ["came through"]
    assert holds_again(demo_kernel)
    mine = demo_kernel.send(f"%%gemini --no-wait\n{DIRECTIVE}")
    messages = demo_kernel.until(lambda message: parent(message) == mine and "display" in message["msg_type"])
    messages += demo_kernel.run("%gui")
    at_rest(demo_kernel, mine, messages)
    assert demo_kernel.text("import time; time.sleep(0.3); print(get_ipython().kernel.eventloop)").strip() == "None"


def test_the_gui_that_is_none_is_left_alone(demo_kernel):
    demo_kernel.run("%gui asyncio")
    messages = demo_kernel.run(f"%%gemini --wait\n{DIRECTIVE}")
    assert answered(messages, parent(messages[-1])) == ["came through"]
    assert printed(messages) == ""


SLOW_START = """
from nbgemini.notebook.kernel.cell_transforms import AWAITED
def begin_slowly(lines):
    if AWAITED in "".join(lines):
        held.append("transformed")
        time.sleep(0.05)  # the kernel's timer, by which a GUI gets the loop again, is due
    return lines
get_ipython().input_transformers_post.append(begin_slowly)
get_ipython().events.register("pre_run_cell", lambda *_: held.append("begun"))
"""


def test_a_gui_does_not_get_the_loop_before_a_cell_that_awaits_has_begun(demo_kernel):
    """It would hold the loop until the next message comes, and the cell with it."""
    demo_kernel.run(HOLDS)
    demo_kernel.run(SLOW_START)
    demo_kernel.run("%gui slow")
    for way in ("--wait", "--no-wait"):
        demo_kernel.run("held.clear()")
        demo_kernel.run(f"%%gemini {way}\n{DIRECTIVE}\n")
        began = demo_kernel.text("print(held[held.index('transformed'):][:2])")
        assert began.strip() == "['transformed', 'begun']"
        demo_kernel.run("_gemini.result()")


@pytest.mark.parametrize("loop", ["trio", "curio", "runner", "off"])
def test_cells_that_await_on_another_loop(demo_kernel, loop):
    if loop in ("trio", "curio"):
        found = demo_kernel.text(f"import importlib.util; print(importlib.util.find_spec({loop!r}) is not None)")
        if found.strip() != "True":
            pytest.skip(f"no {loop} in this kernel's environment")
    if loop == "runner":
        demo_kernel.run(RUNNER)
    demo_kernel.run(f"%autoawait {loop}")
    for way in ("--wait", "--no-wait"):
        for code in (f"%%gemini {way}\n{DIRECTIVE}", f"x = 1\n%gemini ask {way} {DIRECTIVE}"):
            mine = demo_kernel.send(code)
            messages = at_rest(demo_kernel, mine, demo_kernel.until(is_final_status))
            assert complaints(messages) == []
            assert answered(messages, mine) == ["came through"]
    messages = demo_kernel.run(f"%%gemini\n{DIRECTIVE}", sits=False)
    assert answered(messages, parent(messages[-1])) == ["came through"]
    if loop == "trio":
        messages = demo_kernel.run(f"import trio\nawait trio.sleep(0)\n%gemini ask --wait {DIRECTIVE}\nprint('after')")
        assert printed(messages) == "after\n"


FIRST = "%load_ext nbgemini\n%gemini demo fast\n"


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("%gemini ask --wait why?", 1),
        ("%gemini ask --wait what is 2+3?", 1),
        ("y = %gemini ask --wait why?\nprint(y.state)", 1),
        ("if True:\n    %gemini ask --wait why is it so??", 1),
        ("%gemini ask --wait why?\nlen?\n%gemini ask --wait who??", 2),
        ("%gemini?", 0),
        ("%%gemini?", 0),
    ],
)
def test_a_question_in_the_cell_that_loads(fresh_kernel, code, asked):
    messages = fresh_kernel.run(FIRST + code)
    assert complaints(messages) == []
    assert kinds(outputs(messages, parent(messages[-1]))).count("answer") == asked
    assert ("complete" in printed(messages)) == ("print" in code)
    helped = fresh_kernel.client.session.msg("execute_request", {"code": "len?", "silent": False, "store_history": False})
    fresh_kernel.client.shell_channel.send(helped)
    while parent(reply := fresh_kernel.client.get_shell_msg(timeout=PATIENCE)) != helped["header"]["msg_id"]:
        pass
    assert "Return the number of items" in str(reply["content"]["payload"])
