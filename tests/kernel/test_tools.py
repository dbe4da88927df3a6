"""Tools in a real kernel: the card comes at once, nothing runs without leave, nothing is blocked meanwhile."""

from __future__ import annotations

import json

import pytest

from tests.kernel.conftest import is_final_status, kinds, outputs, parent, said

TOOLS = '''
import asyncio, threading
ran, opened = [], asyncio.Event()

def add(a: int, b: int) -> int:
    """Add two numbers."""
    ran.append((a, b))
    return a + b

def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    ran.append((a, b))
    return a * b

async def wait_for_door() -> str:
    """Wait until another task opens the door."""
    await opened.wait()
    return "came through"

meeting = threading.Barrier(2, timeout=20)

def meet(who: str) -> str:
    """Meet another one."""
    meeting.wait()
    return f"{who} met"

def fail() -> None:
    """Fail."""
    raise ValueError("no such thing")
'''


def calls(*asked):
    frame = ["frame", *(["call", name, args] for name, args in asked)]
    return f"offline: {json.dumps({'parts': [['thought', 'Let me see.'], frame], 'gap': 0.01})}"


@pytest.fixture
def tools(kernel):
    kernel.run(TOOLS)
    return kernel


def click(kernel, messages, verdict):
    """Click one of the card's buttons."""
    (card,) = [m["content"]["comm_id"] for m in messages if m["msg_type"] == "comm_open" and role(m) == "card"]
    content = {"comm_id": card, "data": {"method": "custom", "content": {"type": "verdict", "verdict": verdict}}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", content))


def role(message):
    return message["content"]["data"].get("state", {}).get("role")


def asked_for_leave(kernel, mine):
    """Run until the buttons stand on the card."""
    messages = kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "tool_call")
    return messages + kernel.until(lambda message: message["msg_type"] == "comm_msg" and "Run once" in str(message["content"]))


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
            assert tools.text("await asyncio.sleep(0.3)\nprint(_gemini.state, ran)").strip().startswith("waiting")
            click(tools, messages, verdict)
            messages += tools.until(is_final_status)
        shown = outputs(messages, mine)
        assert kinds(shown) == ["thought", "tool_call", "answer", "status"]
        assert outcome in shown[1]["data"]["text/plain"].splitlines()[0]
        assert all(output["metadata"]["nbgemini"]["state"] == "final" for output in shown)
    assert tools.text("print(len(ran))").strip() == ("0" if outcome == "refused" else "2")


def test_two_clicks_run_it_once(tools):
    mine = tools.send(f"%%gemini --once -t multiply\n{calls(('multiply', {'a': 1, 'b': 2}))}")
    messages = asked_for_leave(tools, mine)
    tools.run("await asyncio.sleep(0.3)")
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


@pytest.mark.parametrize("option", ["-t nothing", "-t add,ad", "-t TOOLS", "--approve always"])
def test_a_wrong_name_is_one_line_and_nothing_is_sent(tools, option):
    tools.run("TOOLS = 1\n_gemini = None")
    (error,) = [message["content"] for message in tools.run(f"%%gemini {option}\nhello") if message["msg_type"] == "error"]
    assert len(error["traceback"]) == 1
    assert tools.text("print(_gemini)").strip() == "None"
