"""Tools in a real kernel: the card comes at once, nothing runs without leave, nothing is blocked meanwhile."""

from __future__ import annotations

import json

import pytest

from tests.kernel.conftest import at_rest, is_final_status, kinds, outputs, parent, said
from tests.support.kernel_cells import TOOLS, asked_for_leave, calls, click, role, say, says
from tests.support.outputs import is_live, ops_in


@pytest.fixture
def tools(kernel):
    kernel.run(TOOLS)
    return kernel


def test_headless_with_leave_it_runs_and_the_file_holds_the_card(tools):
    messages = tools.run(f"%%gemini --once -t add --approve auto\n{calls(('add', {'a': 1, 'b': 2}))}", sits=False)
    shown = outputs(messages, parent(messages[-1]))
    assert kinds(shown) == ["thought", "tool_call", "answer", "status"]
    assert set(shown[1]["data"]) == {"text/html", "text/plain"}
    assert shown[1]["data"]["text/plain"].splitlines()[0].startswith("Tool add · done")
    assert shown[1]["data"]["text/plain"].endswith("\n3")
    assert '"output": 3' in shown[2]["data"]["text/plain"]


def test_headless_nobody_can_be_asked_so_it_does_not_run(tools):
    messages = tools.run(f"%%gemini --once -t add\n{calls(('add', {'a': 1, 'b': 2}))}", sits=False)
    shown = outputs(messages, parent(messages[-1]))
    assert "refused" in shown[1]["data"]["text/plain"]
    assert tools.text("print(ran)").strip() == "[]"


@pytest.mark.parametrize(("verdict", "outcome"), [("once", "done"), ("refuse", "refused"), ("always", "done")])
def test_the_reader_decides_on_the_card(tools, verdict, outcome):
    """Other cells run while it waits; "always" asks no second time."""
    for time in range(2):
        mine = tools.send(f"%%gemini --once -t add\n{calls(('add', {'a': 1, 'b': 2}))}")
        if time and verdict == "always":
            messages = tools.until(is_final_status)
        else:
            messages = asked_for_leave(tools, mine)
            assert tools.text("await asyncio.sleep(0.6)\nprint(_gemini.state, ran)").strip().startswith("waiting")
            click(tools, messages, verdict)
            messages += tools.until(is_final_status)
        shown = outputs(messages, mine)
        assert kinds(shown) == ["thought", "tool_call", "answer", "status"]
        assert outcome in shown[1]["data"]["text/plain"].splitlines()[0]
        assert not any(is_live(output["data"]) for output in shown)
    assert tools.text("print(len(ran))").strip() == ("0" if outcome == "refused" else "2")


def test_what_is_revoked_asks_again(tools):
    ask = f"%%gemini --once -t add\n{calls(('add', {'a': 1, 'b': 2}))}"
    tools.run("%gemini approvals revoke --all")  # of the tests before
    mine = tools.send(ask)
    messages = asked_for_leave(tools, mine)
    tools.run("await asyncio.sleep(0.6)")  # a click on a card that has just appeared does not count
    click(tools, messages, "always")
    tools.until(is_final_status)
    listed = tools.run("%gemini approvals")
    assert "%gemini approvals revoke add" in str(outputs(listed, parent(listed[-1])))
    told = tools.run("%gemini approvals revoke add")
    assert "add asks again before each call" in str(outputs(told, parent(told[-1])))
    mine = tools.send(ask)
    messages = asked_for_leave(tools, mine)
    assert tools.text("await asyncio.sleep(0.6)\nprint(_gemini.state, len(ran))").strip() == "waiting 1"
    click(tools, messages, "refuse")
    tools.until(is_final_status)
    assert tools.text("print(len(ran))").strip() == "1"


def test_two_clicks_run_it_once(tools):
    mine = tools.send(f"%%gemini --once -t multiply\n{calls(('multiply', {'a': 1, 'b': 2}))}")
    messages = asked_for_leave(tools, mine)
    tools.run("await asyncio.sleep(0.6)")
    for _ in range(2):
        click(tools, messages, "once")
    tools.until(is_final_status)
    assert tools.text("print(ran)").strip() == "[(1, 2)]"


def test_a_click_too_early_is_no_leave(tools):
    """The buttons have just appeared under the pointer."""
    mine = tools.send(f"%%gemini --once -t multiply\n{calls(('multiply', {'a': 1, 'b': 2}))}")
    click(tools, asked_for_leave(tools, mine), "once")
    assert tools.text("print(_gemini.state, ran)").strip() == "waiting []"
    tools.run("%gemini stop --all")
    messages = tools.until(is_final_status)
    assert "stopped" in str([message["content"] for message in messages if said(message).get("kind") == "tool_call"][-1])


def test_a_tool_may_need_the_loop_and_another_tool(tools):
    """The deadlock of those who hold the loop while a tool runs."""
    prompt = calls(("meet", {"who": "A"}), ("wait_for_door", {}), ("meet", {"who": "B"}))
    mine = tools.send(f"%%gemini --once -t meet,wait_for_door --approve auto\n{prompt}")
    messages = tools.until(
        lambda message: (
            "A met" in str(message["content"]) and said(message).get("kind") == "tool_call" and parent(message) == mine
        )
    )
    messages += tools.run("async def open_door():\n    opened.set()\ntask = asyncio.create_task(open_door())")
    messages += tools.until(is_final_status)
    shown = outputs(messages, mine)
    assert [output["data"]["text/plain"].splitlines()[-1] for output in shown[1:4]] == ["A met", "came through", "B met"]


def test_a_failing_an_unknown_and_a_wrongly_called_tool_are_told_to_the_model(tools):
    prompt = calls(("fail", {}), ("nope", {}), ("add", {"a": "x"}))
    messages = tools.run(f"%%gemini --once --wait -t fail,add --approve auto\n{prompt}")
    shown = outputs(messages, parent(messages[-1]))
    assert ["failed" in output["data"]["text/plain"].splitlines()[0] for output in shown[1:4]] == [True] * 3
    assert "no such thing" in shown[1]["data"]["text/plain"]
    assert "b" in shown[3]["data"]["text/plain"].splitlines()[-1]
    assert tools.text("print(_gemini.state, len(_gemini.tool_calls))").strip() == "complete 3"


def test_headless_the_cards_stand_in_the_order_of_the_calls(tools):
    """Also where the second call ends first."""
    prompt = calls(("wait_for_door", {}), ("add", {"a": 1, "b": 2}))
    tools.run(
        "async def open_later():\n    while not ran:\n        await asyncio.sleep(0)\n    opened.set()\ntask = asyncio.create_task(open_later())"
    )
    messages = tools.run(f"%%gemini --once -t wait_for_door,add --approve auto\n{prompt}", sits=False)
    shown = outputs(messages, parent(messages[-1]))
    assert [output["data"]["text/plain"].splitlines()[-1] for output in shown[1:3]] == ["came through", "3"]


def test_one_call_is_stopped_on_its_card_and_its_sibling_goes_on(tools):
    """The model is told; the call that is left behind in its thread holds nobody up."""
    tools.run("gate = threading.Event()\ndef block() -> bool:\n    return gate.wait(60)\nopened.clear()")
    mine = tools.send(f"%%gemini --once -t block,wait_for_door --approve auto\n{calls(('block', {}), ('wait_for_door', {}))}")
    messages = tools.until(says("Stop this call")) + tools.until(says("Stop this call"))
    tools.run("await asyncio.sleep(0.6)")
    click(tools, messages, "stop")
    messages += tools.until(lambda message: "its thread can't be ended" in str(message["content"]))
    assert tools.text("print(_gemini.state, gate.is_set())").strip() == "running False"
    messages += tools.run("opened.set()")
    messages += tools.until(is_final_status)
    shown = outputs(messages, mine)
    assert [output["data"]["text/plain"].splitlines()[0].split(" · ")[1] for output in shown[1:3]] == [
        "not finished: stopped",
        "done",
    ]
    assert "stopped by the user" in shown[3]["data"]["text/plain"]
    tools.run("gate.set()")


def test_arguments_are_told_once_as_they_come(tools):
    """The page gets each character of them once while they grow, and the whole call after that."""
    text = "".join(f"{number} words and more of them; " for number in range(60))
    prompt = {"parts": [["streamed_call", "greet", {"text": text}]], "pieces": 60, "gap": 0.02}
    tools.run("def greet(text: str) -> int:\n    return len(text)")
    mine = tools.send(f"%%gemini --once -t greet --approve auto\noffline: {json.dumps(prompt)}")
    messages = tools.until(is_final_status)
    cards = [m["content"]["comm_id"] for m in messages if m["msg_type"] == "comm_open" and role(m) == "card"]
    told = [m for m in messages if m["msg_type"] == "comm_msg" and m["content"]["comm_id"] in cards]
    grown = "".join(op[1] for one in told for op in ops_in(one) if op[0] == "a")
    assert len(cards) == 1
    assert text.startswith(grown[len('{"text": "') :])
    assert len(grown) > 200
    assert kinds(outputs(messages, mine)) == ["tool_call", "answer", "status"]


BUTTON = """
import ipywidgets
button, heard, pressed = ipywidgets.Button(), asyncio.Event(), threading.Event()
loop = await asyncio.sleep(0) or asyncio.get_running_loop()

def on_click(_):
    loop.call_soon_threadsafe(heard.set)
    pressed.set()

button.on_click(on_click)

async def wait_for_click() -> str:
    await heard.wait()
    return "heard it"

def block_until_click() -> bool:
    return pressed.wait(20)

print(button.model_id)
"""


@pytest.mark.parametrize("how", ["--no-wait", "--wait"])
@pytest.mark.parametrize("tool", ["wait_for_click", "block_until_click"])
def test_a_tool_that_waits_for_a_click_on_a_widget_ends(tools, tool, how):
    """On the loop and in a thread; before 7.4 a click on the main shell is heard after the cell that waits."""
    hears = tools.text("import ipykernel\nprint(ipykernel.version_info[:2] >= (7, 4))").strip() == "True"
    if how == "--wait" and not hears:
        pytest.skip("this kernel hears no click while a cell waits")
    widget = tools.text(BUTTON).strip()
    tools.send(f"%%gemini --once {how} -t {tool} --approve auto\n{calls((tool, {}))}")
    messages = tools.until(says("Stop this call"))
    say(tools, widget, {"event": "click"})
    messages += tools.until(is_final_status)
    (card,) = [said_ for said_ in map(final_card, messages) if said_]
    assert card.splitlines()[0].startswith(f"Tool {tool} · done")


def final_card(message):
    """The text of a card at rest."""
    final = said(message).get("kind") == "tool_call" and said(message).get("state") == "final"
    return message["content"]["data"]["text/plain"] if final else ""


WAIT_FOR = """
answers = {name: asyncio.Queue() for name in ("there", "here")}

async def wait_for(name: str) -> str:
    return (await (await answers[name].get())).state
"""


def test_a_tool_that_waits_for_an_answer_in_another_cell_ends(tools):
    """In another chat; in its own it would wait for ever, and is told so."""
    tools.run(WAIT_FOR)
    prompt = calls(("wait_for", {"name": "there"}), ("wait_for", {"name": "here"}))
    mine = tools.send(f"%%gemini -t wait_for --approve auto\n{prompt}")
    messages = tools.until(says("Stop this call")) + tools.until(says("Stop this call"))
    messages += tools.run("%gemini ask --no-wait -c elsewhere what is 1 + 1\nanswers['there'].put_nowait(_gemini)")
    messages += tools.run("%gemini ask --no-wait what is 2 + 2\nanswers['here'].put_nowait(_gemini)")
    there, here = outputs(at_rest(tools, mine, messages), mine)[1:3]
    assert there["data"]["text/plain"].endswith("complete")
    assert "a tool can't wait for its own chat" in here["data"]["text/plain"]
    assert tools.text("print((await _gemini).state)").strip().endswith("complete")


@pytest.mark.parametrize("option", ["-t nothing", "-t add,ad", "-t TOOLS", "--approve always"])
def test_a_wrong_name_is_one_line_and_nothing_is_sent(tools, option):
    tools.run("TOOLS = 1\n_gemini = None")
    (error,) = [message["content"] for message in tools.run(f"%%gemini {option}\nhello") if message["msg_type"] == "error"]
    assert len(error["traceback"]) == 1
    assert tools.text("print(_gemini)").strip() == "None"
