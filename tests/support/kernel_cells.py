"""Cells for kernels of tests, and what their messages say."""

from __future__ import annotations

import json

from tests.kernel.conftest import parent, said

FOUR = 'offline: {"parts": [["thought", "**A**\\n\\nfirst thought"], ["answer", "first *answer*"], ["thought", "second thought"], ["answer", "second answer"]], "gap": 0.02}'


def slow(name, frames=40, gap=0.05):
    return f"offline: {json.dumps({'parts': [['answer', name * frames * 2]], 'pieces': frames, 'gap': gap})}"


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


def click(kernel, messages, verdict, card=0):
    """Click one of the card's buttons."""
    cards = [m["content"]["comm_id"] for m in messages if m["msg_type"] == "comm_open" and role(m) == "card"]
    say(kernel, cards[card], {"type": "verdict", "verdict": verdict})


def say(kernel, widget, content):
    """Say something in a widget's name, as the page does."""
    data = {"comm_id": widget, "data": {"method": "custom", "content": content}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", data))


def role(message):
    return message["content"]["data"].get("state", {}).get("role")


def asked_for_leave(kernel, mine):
    """Run until the buttons stand on the card."""
    messages = kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "tool_call")
    return messages + kernel.until(
        lambda message: message["msg_type"] == "comm_msg" and "Allow once" in str(message["content"])
    )


def says(text):
    """A condition: a card says so."""
    return lambda message: message["msg_type"] == "comm_msg" and text in str(message["content"])


def shown(messages):
    """What stands below the cell, as text."""
    return [message["content"]["data"]["text/plain"] for message in messages if message["msg_type"] == "display_data"]


def table(text):
    """The rows of a table, cut where two blanks are."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]
