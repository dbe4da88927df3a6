"""The notebook stays free: cells return at once, outputs find their cell, waits keep the loop alive, stops keep what came."""

from __future__ import annotations

import time

import pytest

from tests.kernel.conftest import is_final_status, kinds, outputs, parent, said, wire_size
from tests.support.front_ends import JupyterLab
from tests.support.kernel_cells import FOUR, slow
from tests.support.outputs import is_live

HEARTBEAT = """
import asyncio, time
gaps, spent = [], []  # between two beats: seconds, and those of them in which this thread computed
async def beat():
    last, computed = time.perf_counter(), time.thread_time()
    while True:
        await asyncio.sleep(0.01)
        gaps.append(time.perf_counter() - last)
        spent.append(time.thread_time() - computed)
        last, computed = last + gaps[-1], computed + spent[-1]
heart = asyncio.create_task(beat())
"""


def test_loading_is_quick_and_light(fresh_kernel):
    """At most 10 ms of CPU, and none of the heavy libraries."""
    printed = fresh_kernel.text(
        "import sys, time\nbegan = time.process_time()\nget_ipython().run_line_magic('load_ext', 'nbgemini')\n"
        "spent = time.process_time() - began\n"
        "print(spent, [name for name in ('httpx2', 'google.genai', 'pydantic', 'ipywidgets', 'anywidget') if name in sys.modules])"
    )
    seconds, loaded = printed.split(" ", 1)
    assert loaded.strip() == "[]"
    print(f"%load_ext: {float(seconds) * 1000:.1f} ms CPU")


def test_the_usual_first_cells_patch_nothing(fresh_kernel):
    """Asyncio is patched only for whoever must wait in code that can't await."""
    fresh_kernel.run("%load_ext nbgemini\n%gemini demo fast")
    fresh_kernel.run("%%gemini --wait\nwhat is 1 + 1")
    fresh_kernel.run("%gemini models flash\n%gemini doctor")
    assert fresh_kernel.text("import sys\nprint('nest_asyncio2' in sys.modules, _gemini.state)").strip() == "False complete"


def test_without_widgets_the_same_outputs_come_as_html(kernel):
    """Repaints are rare: all traffic stays within 8 times the answer."""
    kernel.run("%config Gemini.widgets = False")
    mine = kernel.send('%%gemini --once\noffline: {"frames": 500, "chars": 20, "gap": 0.002}')
    messages = [message for message in kernel.until(is_final_status) if parent(message) == mine]
    kernel.run("%config Gemini.widgets = True")
    shown = outputs(messages, mine)
    assert kinds(shown) == ["answer", "status"]
    assert len(shown[0]["data"]["text/plain"]) == 10_000
    assert not [message for message in messages if message["msg_type"].startswith("comm")]
    assert wire_size(messages) <= 8 * 10_000


def test_a_cell_returns_at_once_and_costs_little_traffic(kernel):
    """500 frames of 20 characters over 2 s: other cells answer meanwhile; few and small messages."""
    kernel.run(HEARTBEAT)
    kernel.run("%gemini ask --once --wait what is 1 + 1")  # the libraries are loaded now
    kernel.run("gaps.clear()")
    mine = kernel.send('%%gemini --once\noffline: {"frames": 500, "chars": 20, "gap": 0.004}')
    first = kernel.until(
        lambda message: (
            message["msg_type"] == "status" and parent(message) == mine and message["content"]["execution_state"] == "idle"
        )
    )
    began = time.perf_counter()
    meanwhile = kernel.run("print('still', _gemini.state)")
    other = time.perf_counter() - began
    assert "still running" in "".join(message["content"]["text"] for message in meanwhile if message["msg_type"] == "stream")
    messages = [message for message in first + meanwhile + kernel.until(is_final_status) if parent(message) == mine]
    shown = outputs(messages, mine)
    assert kinds(shown) == ["answer", "status"]
    assert len(shown[0]["data"]["text/plain"]) == 10_000
    assert len(messages) <= 40  # 27 of them on a machine that has nothing else to do
    old = kernel.text("import ipykernel; print(ipykernel.version_info[0] < 7)").strip() == "True"
    assert wire_size(messages) <= (58_000 if old else 46_000)  # an old kernel wraps each message in more
    longest = float(kernel.text("print(max(gaps)); heart.cancel()"))
    print(
        f"{len(messages)} messages, {wire_size(messages)} bytes, longest gap {longest * 1000:.1f} ms, other cell {other * 1000:.1f} ms"
    )


def test_a_long_answer_costs_little_more_than_its_length(kernel):
    """1 MB of prose in 2,000 frames: what is sent while it streams; the bundle for the file comes on top, once."""
    words = "The quick brown fox jumps over the lazy dog and goes on through the wood until the evening comes. " * 5
    kernel.run(f"import json\nwords = (({words!r} + '\\n\\n') * 2100)[:1_000_000]")
    kernel.run("prompt = json.dumps({'parts': [['answer', words]], 'pieces': 2000, 'gap': 0.002})")
    mine = kernel.send("get_ipython().run_cell_magic('gemini', '--once', f'offline: {prompt}')")
    messages = [message for message in kernel.until(is_final_status) if parent(message) == mine]
    live = [message for message in messages if message["msg_type"] == "comm_msg"]
    assert len(outputs(messages, mine)[0]["data"]["text/plain"]) == 1_000_000
    print(f"1 MB: {wire_size(live)} bytes in {len(live)} messages while it streamed, {wire_size(messages)} in all")
    assert wire_size(live) <= 1_500_000


def test_fifty_streams_leave_the_loop_free(kernel):
    """50 streams of 100 frames a second, all painted, in one kernel with the service that feeds them."""
    kernel.run(HEARTBEAT)
    kernel.run("%gemini ask --once --wait what is 1 + 1\ngaps.clear(); spent.clear()")
    asked = [kernel.send('%%gemini --once\noffline: {"frames": 200, "chars": 20, "gap": 0.01}') for _ in range(50)]
    messages, ended = [], set()
    while ended < set(asked):
        messages += kernel.until(is_final_status)
        ended.add(parent(messages[-1]))
    for mine in asked:
        assert len(outputs(messages, mine)[0]["data"]["text/plain"]) == 4_000
    late = kernel.text(
        "gaps.sort()\nprint(gaps[len(gaps) * 99 // 100] - 0.01, gaps[-1] - 0.01, max(spent))\nheart.cancel()"
    ).split()
    seconds = float(messages[-1]["header"]["date"].timestamp() - messages[0]["header"]["date"].timestamp())
    rate = len(messages) / seconds
    print(
        f"heartbeat late by {float(late[0]) * 1000:.1f} ms (99 %), {float(late[1]) * 1000:.1f} ms at most; {rate:.0f} messages/s"
    )
    assert float(late[2]) < 1  # what holds the loop computes; on a busy machine it only waits


def test_thoughts_and_answers_are_outputs_of_their_own_in_order(kernel):
    mine = kernel.send(f"%%gemini --once\n{FOUR}")
    shown = outputs(kernel.until(is_final_status), mine)
    assert kinds(shown) == ["thought", "answer", "thought", "answer", "status"]
    for output in shown:
        assert set(output["data"]) - {"text/latex"} == {"text/html", "text/plain"}
        assert not is_live(output["data"])
    assert [output["data"]["text/html"].startswith("<details") for output in shown] == [True, False, True, False, False]
    assert "thought" not in shown[1]["data"]["text/plain"] + shown[3]["data"]["text/plain"]
    assert "<em>answer</em>" in shown[1]["data"]["text/html"]


def test_slow_segments_come_to_rest_one_after_the_other(kernel):
    """Each segment is painted many times while an earlier thought still stands open."""
    mine = kernel.send(f"%%gemini --once\n{FOUR.replace('0.02', '0.4')}")
    shown = outputs(kernel.until(is_final_status), mine)
    assert kinds(shown) == ["thought", "answer", "thought", "answer", "status"]
    assert not any(is_live(output["data"]) for output in shown)


def test_three_streams_and_a_printing_cell_do_not_mix(kernel):
    asked = {kernel.send(f"%%gemini --once\n{slow(name)}"): name for name in "ABC"}
    printing = kernel.send("import asyncio\nfor n in range(5):\n    print('line', n)\n    await asyncio.sleep(0.1)")
    messages, ended = [], set()
    while len(ended) < 3:
        messages += kernel.until(is_final_status)
        ended.add(parent(messages[-1]))
    for mine, name in asked.items():
        shown = outputs(messages, mine)
        assert kinds(shown) == ["answer", "status"]
        assert shown[0]["data"]["text/plain"] == name * 80
    assert all("stream" in output for output in outputs(messages, printing))


def test_headless_the_cell_ends_with_the_answer(kernel):
    messages = kernel.run(f"%%gemini --once\n{FOUR}", sits=False)
    mine = parent(messages[-1])
    assert kinds(outputs(messages, mine)) == ["thought", "answer", "thought", "answer", "status"]
    assert not [message for message in messages if message["msg_type"].startswith("comm") and parent(message) == mine]


def test_waiting_keeps_the_loop_alive(kernel):
    kernel.run(
        "ticks = []\nasync def tick():\n    while True:\n        ticks.append(1); await asyncio.sleep(0.01)\nimport asyncio; ticking = asyncio.create_task(tick())"
    )
    messages = kernel.run(f"%%gemini --once --wait\n{slow('w', 20)}")
    assert is_final_status([message for message in messages if said(message)][-1])
    assert int(kernel.text("print(len(ticks)); ticking.cancel()")) > 3


@pytest.mark.parametrize(
    "code", ["reply = await _gemini", "reply = _gemini.result()", "def f():\n    return _gemini.result(20)\nreply = f()"]
)
def test_a_later_cell_can_wait_for_the_reply(kernel, code):
    kernel.run(f"%%gemini --once\n{slow('x', 10)}")
    assert kernel.text(f"{code}\nprint(reply.state, len(reply.text))").strip() == "complete 20"


@pytest.mark.parametrize(
    "code",
    [
        "%%time\n%%gemini --once --wait\nwhat is 20 + 3",
        "def f():\n    get_ipython().run_cell_magic('gemini', '--once --wait', 'what is 20 + 3')\nf()",
        "for _ in range(2):\n    %gemini ask --once --wait what is 20 + 3",
        "import threading\nthread = threading.Thread(target=lambda: get_ipython().run_line_magic('gemini', 'ask --once -w what is 20 + 3'))\nthread.start(); thread.join()",
        "x = %gemini ask --once --wait what is 20 + 3",
        "%gemini ask --once --wait what is 20 + 3?",
    ],
)
def test_waiting_works_wherever_a_magic_can_stand(kernel, code):
    kernel.run(code)
    assert "**23**" in kernel.text("print(_gemini.state, _gemini.text)")


def test_a_reply_at_the_end_of_a_cell_is_shown_as_it_stands_at_rest(kernel):
    kernel.run("%%gemini --once --wait\nwhat is 20 + 3")
    (shown,) = [message["content"]["data"] for message in kernel.run("_gemini") if message["msg_type"] == "execute_result"]
    assert "<strong>23</strong>" in shown["text/html"]
    assert shown["text/plain"].startswith("<Reply complete")


def test_stop_keeps_what_arrived_and_the_next_prompt_works(kernel):
    mine = kernel.send(f"%%gemini -c stopped\n{slow('s', 200)}")
    kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    assert "stopped 1 stream" in str([message["content"] for message in kernel.run("%gemini stop stopped")])
    shown = outputs([], mine)
    assert shown == []
    printed = kernel.text("await asyncio.sleep(0)\nprint(_gemini.state, 0 < len(_gemini.text) < 400)\n_gemini.stop()")
    assert printed.strip() == "interrupted True"
    kernel.run("%gemini ask -c stopped --wait what is 3 + 4")
    assert "**7**" in kernel.text("print(_gemini.text)")


def test_an_interrupt_under_wait_stops_in_a_few_lines(kernel):
    mine = kernel.send(f"%%gemini --once --wait\n{slow('i', 400)}")
    kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    began = time.perf_counter()
    kernel.interrupt()
    messages = kernel.until(
        lambda message: (
            message["msg_type"] == "status" and parent(message) == mine and message["content"]["execution_state"] == "idle"
        )
    )
    print(f"back at the prompt after {time.perf_counter() - began:.2f} s")
    errors = [message["content"] for message in messages if message["msg_type"] == "error"]
    assert [len(error["traceback"]) for error in errors] == [1]
    assert kernel.text("print(_gemini.state, 1 + 1)").strip() == "interrupted 2"


def test_running_a_cell_again_replaces_its_turn(kernel):
    for prompt in ("My name is Ada.", "My name is Grace."):
        kernel.run(f"%%gemini -c again --wait\n{prompt}", cell="cell-1")
    kernel.run("%%gemini -c again --wait\nWhat is my name?", cell="cell-2")
    assert "Grace" in kernel.text("print(_gemini.text)")
    assert kernel.text("print(_gemini.turn)").strip() == "1"


def test_unloading_stops_streams_and_takes_the_names_back(fresh_kernel):
    fresh_kernel.run("%load_ext nbgemini\n%gemini demo")
    fresh_kernel.run("%load_ext nbgemini")
    fresh_kernel.run(f"%%gemini\n{slow('u', 100)}")
    printed = fresh_kernel.text(
        "%unload_ext nbgemini\nimport asyncio\nawait asyncio.sleep(0.1)\nprint(_gemini.state, len(get_ipython().input_transformers_post))"
    )
    assert printed.strip() == "interrupted 0"
    assert "not found" in str([message["content"] for message in fresh_kernel.run("%gemini")])


@pytest.mark.parametrize("wait", [False, True])
def test_a_cell_that_clears_its_outputs_loses_nothing_of_what_is_coming(fresh_kernel, wait):
    """What stood there before is gone, and every segment comes."""
    if fresh_kernel.text("import ipykernel\nprint(ipykernel.version_info[:2] < (6, 29))") == "True\n":
        pytest.skip("this ipykernel tells nobody that a cell clears its outputs")
    fresh_kernel.run("from IPython.display import clear_output")
    fresh_kernel.run("%load_ext nbgemini\n%gemini demo fast")
    mine = fresh_kernel.send(f"print('old')\n%gemini ask --no-wait {FOUR}\nclear_output(wait={wait})")
    fresh_kernel.until(lambda message: parent(message) == mine and is_final_status(message))
    page = JupyterLab({mine: True})
    for message in fresh_kernel.log:
        page.receive(message)
    assert kinds(page.cells[mine]) == ["thought", "answer", "thought", "answer", "status"]
