"""Whoever reads an unfinished reply or map waits for its end, is told how to, or only looks; nobody gets half of it as a whole."""

from __future__ import annotations

import json
import sys

import pytest

from tests.kernel.conftest import PATIENCE, Kernel, complaints, parent

ASKED = f"%%gemini --once -o late\noffline: {json.dumps({'parts': [['answer', 'x' * 20]], 'pieces': 10, 'gap': 0.03})}"
SLOW = f"%%gemini --once -o late\noffline: {json.dumps({'parts': [['answer', 'x' * 500]], 'pieces': 250, 'gap': 0.1})}"
WHOLE = "x" * 20
SETUP = """\
import asyncio, copy, inspect, os, pickle, sys, tempfile, threading
import ipywidgets
os.chdir(tempfile.mkdtemp())
with open("script.py", "w") as file:
    file.write("print(globals()['late'].text)")
with open("far.py", "w") as file:
    file.write("def read(reply): return reply.text")
sys.path.insert(0, os.getcwd())
import far
def hidden(): return globals()["la" + "te"]
def read(): return hidden().text
class Reader:
    def read(self): return hidden().text
async def read_there(): return hidden().text
def tried(deed):
    try:
        return deed()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


@pytest.fixture(scope="module")
def places():
    running = Kernel(sys.executable)
    running.run("%load_ext nbgemini\n%gemini demo\n%load_ext storemagic")
    assert complaints(running.run(SETUP)) == []
    yield running
    running.close()


def printed(kernel, code):
    """What a cell printed or showed as its value, and what it complained about."""
    messages = kernel.run(code)
    mine = [message for message in messages if parent(message) == parent(messages[-1])]
    texts = [message["content"]["text"] for message in mine if message["msg_type"] == "stream"]
    texts += [message["content"]["data"]["text/plain"] for message in mine if message["msg_type"] == "execute_result"]
    return "".join(texts).strip().strip("'\"").replace("\r", ""), [m["content"] for m in mine if m["msg_type"] == "error"]


def still_runs(kernel):
    return kernel.text("print(not get_ipython().user_ns['la' + 'te'].done)").strip() == "True"


WAITS = [
    "print(_gemini.text)",
    "_gemini.text",
    "print(read())",
    "print(Reader().read())",
    "print((lambda: hidden().text)())",
    "print([reply.text for reply in [hidden()]][0])",
    "print(*map(lambda reply: reply.text, [hidden()]))",
    "print(f'{hidden().text}')",
    "print(f'{hidden()}')",
    "print(str(hidden()))",
    "print(hidden())",
    "print(hidden().result().text)",
    "print(hidden().segments[0].text)",
    "print(getattr(hidden(), 'text', 'none'))",
    "print(dict(inspect.getmembers(hidden()))['text'])",
    "print(far.read(hidden()))",
    'exec("print(hidden().text)")',
    "exec('print(la' + 'te.text)')",
    "print(eval('la' + 'te.text'))",
    "%run -i script.py",
    "!echo {late.text}",
    "!echo $late",
    "x = !echo {late.text}\nprint(x[0])",
    '%%bash -s "{late.text}"\necho $1',
    "%timeit -n1 -r1 -q read()\nprint(hidden().so_far.text)",
    "get_ipython().run_cell('print(read())');",
    "if True:\n    print(_gemini.text)",
    "await asyncio.sleep(0)\nprint(read())",
    "print(await asyncio.to_thread(read))",
    "said = []\nthread = threading.Thread(target=lambda: said.append(read()))\nthread.start()\nawait asyncio.to_thread(thread.join)\nprint(*said)",
    "print(pickle.loads(pickle.dumps(late)).text)",
    "print(hidden().stop() or copy.copy(hidden().result()).text or 'stopped')",
]


@pytest.mark.parametrize("code", WAITS)
def test_code_of_a_cell_waits(places, code):
    places.run(ASKED)
    text, errors = printed(places, code)
    assert errors == []
    assert text == WHOLE or ("stop()" in code and text in (WHOLE[: len(text)], "stopped"))
    assert not still_runs(places)


@pytest.mark.parametrize("code", ["%time print(read())", "%%time\nprint(_gemini.text)", "%prun -q print(read())"])
def test_measured_code_waits(places, code):
    places.run(ASKED)
    text, errors = printed(places, code)
    assert (text.split()[0], errors) == (WHOLE, [])


def test_captured_code_waits(places):
    places.run(ASKED)
    places.run("%%capture it\nprint(read())")
    assert places.text("print(it.stdout)").strip() == WHOLE


def test_where_cells_cannot_await_their_code_waits_too(places):
    places.run(ASKED)
    places.run("%autoawait False")
    try:
        assert printed(places, "print(late.text)") == (WHOLE, [])
    finally:
        places.run("%autoawait True")


def test_whatever_others_make_of_a_cell_its_code_waits(places):
    places.run(
        "get_ipython().input_transformers_post.append(lambda lines: [line.replace('LATEST', 'hidden()') for line in lines])"
    )
    places.run(ASKED)
    assert printed(places, "print(LATEST.text)") == (WHOLE, [])
    places.run("get_ipython().input_transformers_post.pop()")


HOW = "UnfinishedError: not finished yet, and this code can't wait for it → await it first, or .result() in code that is not async"


@pytest.mark.parametrize(
    "code",
    [
        "print(await asyncio.gather(read_there(), return_exceptions=True))",
        "there = asyncio.get_running_loop().create_future()\nasyncio.get_running_loop().call_soon(lambda: there.set_result(tried(read)))\nprint(await there)",
        "there = asyncio.get_running_loop().create_future()\nasyncio.get_running_loop().call_later(0, lambda: there.set_result(tried(lambda: str(hidden()))))\nprint(await there)",
    ],
)
def test_coroutines_and_callbacks_are_told_how(places, code):
    places.run(SLOW)
    text, errors = printed(places, code)
    assert errors == []
    assert HOW.partition(": ")[2] in text
    assert still_runs(places)
    places.run("late.stop()")


def test_the_callback_of_a_widget_is_told_how(places):
    places.run("said = []\nbutton = ipywidgets.Button()\nbutton.on_click(lambda _: said.append(tried(read)))")
    places.run(SLOW)
    comm = places.text("print(button.comm.comm_id)").strip()
    content = {"comm_id": comm, "data": {"method": "custom", "content": {"event": "click"}}}
    places.client.shell_channel.send(places.client.session.msg("comm_msg", content))
    assert places.text("print(*said)").startswith(HOW)
    assert still_runs(places)
    places.run("late.stop()")


LOOKS = [
    ("print(repr(hidden()))", "<Reply running"),
    ("hidden()", "<Reply running"),
    ("[hidden()]", "[<Reply running"),
    ("display(hidden())", ""),
    ("print(hidden().so_far.text is not None, hidden().state)", "True running"),
    ("%whos Reply", ""),
    ("%pinfo hidden", ""),
    ("x = hidden()\n%pinfo x", ""),
    ("print(hidden().done, hidden().model)", "False"),
    ("print(_gemini.state)", "running"),
    ("_gemini", "<Reply running"),
    ("print(late.done, late.stopping, late.so_far.text is not None)", "False False True"),
    ("_ = get_ipython().complete('_gem' + 'ini.te')", ""),
]


@pytest.mark.parametrize(("code", "shown"), LOOKS)
def test_who_only_looks_does_not_wait(places, code, shown):
    places.run(f"{SLOW}")
    text, errors = printed(places, code)
    assert text.startswith(shown.strip("'\""))
    assert "running: ''" not in text
    assert errors == []
    assert still_runs(places)
    places.run("late.stop()")


@pytest.mark.parametrize("jedi", [False, True])
def test_tab_and_help_do_not_wait(places, jedi):
    places.run(f"get_ipython().Completer.use_jedi = {jedi}\nget_ipython().Completer.evaluation = 'unsafe'")
    places.run(SLOW)
    for code in ("late.te", "late.text.", "late.segments[0].", "print(late.parsed, late.us"):
        places.client.complete(code, reply=True, timeout=PATIENCE)
        places.client.inspect(code.rstrip("."), reply=True, timeout=PATIENCE)
    assert still_runs(places)
    places.run("late.stop()")


def test_a_front_end_that_lists_variables_does_not_wait(places):
    """It runs code of its own, silently."""
    places.run(SLOW)
    listing = "listed = [str(value) for value in (late, _gemini)]\nheld = tried(lambda: late.text)"
    places.client.execute(listing, silent=True, reply=True, timeout=PATIENCE)
    assert still_runs(places)
    places.run("get_ipython().user_ns['la' + 'te'].stop()")
    listed, held = places.text("print(listed[0])\nprint(held)").splitlines()
    assert listed.startswith("<Reply running")
    assert held.startswith("UnfinishedError")


def test_a_debugger_that_shows_variables_does_not_wait(places):
    places.run(SLOW)
    module = "import types\nmodule = types.ModuleType('_pydevd_bundle.pydevd_resolver')\nexec('def look(value): return getattr(value, \"text\")', module.__dict__)"
    places.run(module)
    assert places.text("print(tried(lambda: module.look(hidden())))").startswith("UnfinishedError")
    assert still_runs(places)
    places.run("late.stop()")


def test_a_cell_that_stops_a_reply_and_reads_it_stops_it(places):
    places.run(SLOW)
    assert (
        places.text("late.stop()\nprint(late.text.strip('x') == '', late.state, late.done)").strip() == "True interrupted True"
    )


def test_what_has_come_may_be_asked_for(places):
    places.run(SLOW)
    code = "while not late.so_far.text:\n    await asyncio.sleep(0.01)\nprint(set(late.so_far.text), late.so_far.segments[0].kind, late.done)"
    assert places.text(code).strip() == "{'x'} answer False"
    places.run("late.stop()")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("print(hidden_map().errors)", "{3: "),
        ("print(len(hidden_map()))", "4"),
        ("print([row.text for row in hidden_map()][:3])", "['fine 0', 'fine 1', 'fine 2']"),
        ("print(hidden_map()[1].text)", "fine 1"),
        ("print(hidden_map().texts)", "['fine 0', 'fine 1', 'fine 2', None]"),
        ("print(list(hidden_map().to_frame()['answer'])[:2])", "['fine 0', 'fine 1']"),
        ("print(_gemini_map.errors)", "{3: "),
        ("print(bool(hidden_map()), hidden_map().usage.total > 0)", "True True"),
    ],
)
def test_a_map_that_is_read_early_waits(places, code, shown):
    rows = [{"parts": [["answer", f"fine {n}"]], "pieces": 2, "gap": 0.1} for n in range(3)]
    rows = [f"offline: {json.dumps(row)}" for row in [*rows, {"status": 400, "error": {"message": "no"}}]]
    places.run(f"rows = {rows!r}\ndef hidden_map(): return globals()['_gemini' + '_map']")
    assert complaints(places.run("%gemini map --fresh rows {row}")) == []
    text, errors = printed(places, code)
    assert errors == []
    assert text.startswith(shown.strip("'\""))


def test_what_nobody_has_asked_for_yet_is_not_waited_for(places):
    code = "client = get_ipython()._nbgemini[1].runner.session.client\n"
    code += "table = client.map('Say {row}', ['a'])\nreply = client.chat('unasked').begin('hi')\n"
    said = places.text(code + "print(tried(lambda: table.texts))\nprint(tried(lambda: reply.text))").splitlines()
    assert [line.partition(" → ")[0] for line in said] == ["UnfinishedError: not finished yet, and it has not been started"] * 2


def test_a_tool_that_reads_its_own_answer_is_told(places):
    places.run("def look(city: str) -> str:\n    'Look.'\n    return hidden().text")
    call = json.dumps({"parts": [["call", "look", {"city": "here"}]]})
    places.run(f"%%gemini --once -o late -t look --approve auto --wait\noffline: {call}")
    assert "can't wait for its own chat" in places.text("print(late.segments[0].content.response)")


def test_an_interrupt_of_a_waiting_function_leaves_the_stream_alone(places):
    places.run(f"%%gemini --once -o late\noffline: {json.dumps({'parts': [['answer', 'x' * 80]], 'pieces': 40, 'gap': 0.05})}")
    mine = places.send("print('here', flush=True)\nread()")
    places.until(lambda message: parent(message) == mine and message["msg_type"] == "stream")
    places.interrupt()
    messages = places.until(lambda m: parent(m) == mine and m["content"].get("execution_state") == "idle")
    (error,) = [message["content"] for message in messages if message["msg_type"] == "error"]
    assert error["ename"] in ("Interrupted", "KeyboardInterrupt")
    assert places.text("print((await late).text == 'x' * 80)").strip() == "True"


def test_a_finished_reply_is_stored_for_another_day(places):
    places.run(ASKED)
    assert complaints(places.run("late.text\n%store late")) == []
    places.run("del late")
    assert complaints(places.run("%store -r late")) == []
    assert places.text("print(late.text, late.state, late.usage.total > 0, late.done)").split() == [
        WHOLE,
        "complete",
        "True",
        "True",
    ]
    places.run("%store -d late")


@pytest.mark.parametrize("deed", ["pickle.dumps(hidden())", "copy.copy(hidden())", "copy.deepcopy([hidden()])"])
def test_an_unfinished_one_says_in_one_line_that_it_is(places, deed):
    places.run(SLOW)
    _, (error,) = printed(places, deed)
    assert "a running one can't be copied or stored → await it first" in error["evalue"]
    assert len(error["traceback"]) == 1
    assert still_runs(places)
    places.run("late.stop()")
