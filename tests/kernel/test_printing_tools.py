"""What a tool prints stands on the card of its call, whichever cell runs meanwhile, and harms nothing."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import at_rest, is_final_status, outputs, parent
from tests.kernel.test_tools import calls

TOOLS = """
import asyncio, sys, threading
go, began = threading.Event(), threading.Event()

def say(who: str) -> str:
    '''Say something, and wait.'''
    print("first", who)
    began.set()
    go.wait(20)
    print("last", who)
    print("trouble", file=sys.stderr)
    return "said"

async def say_async(who: str) -> str:
    '''Say something, and wait.'''
    print("first", who)
    began.set()
    await asyncio.to_thread(go.wait, 20)
    print("last", who)
    print("trouble", file=sys.stderr)
    return "said"
"""


def streams(messages, cell):
    """What was printed under a cell."""
    return {
        name: "".join(
            message["content"]["text"]
            for message in messages
            if message["msg_type"] == "stream" and message["content"]["name"] == name and parent(message) == cell
        )
        for name in ("stdout", "stderr")
    }


@pytest.mark.parametrize("tool", ["say", "say_async"])
def test_what_a_tool_prints_stands_on_its_own_card(kernel, tool):
    kernel.run(f"{TOOLS}\ngo.clear(); began.clear()")
    mine = kernel.send(f"%%gemini --once -t {tool} --approve auto\n{calls((tool, {'who': 'x'}))}")
    other = kernel.run("await asyncio.to_thread(began.wait, 20)\nprint('of another cell')\ngo.set()\nawait asyncio.sleep(0.2)")
    messages = [
        *other,
        *([] if any(map(is_final_status, other)) else kernel.until(is_final_status)),
        *kernel.run("print('end')"),
    ]
    assert streams(messages, mine) == {"stdout": "", "stderr": ""}
    assert streams(messages, parent(other[-1]))["stdout"] == "of another cell\n"
    (card,) = [output for output in outputs(messages, mine) if "Tool say" in str(output)]
    assert card["data"]["text/plain"].endswith("Printed: first x\nlast x\ntrouble\nsaid")
    assert "<pre>first x\nlast x\ntrouble</pre>" in card["data"]["text/html"]
    assert kernel.text("import sys\nprint(type(sys.stdout).__module__)").startswith("ipykernel")  # as it was


def test_headless_it_is_in_the_file(kernel):
    kernel.run(f"{TOOLS}\ngo.set()")
    messages = kernel.run(f"%%gemini --once -t say --approve auto\n{calls(('say', {'who': 'y'}))}", sits=False)
    messages = at_rest(kernel, parent(messages[-1]), messages)
    mine = parent(messages[-1])
    assert streams(messages, mine) == {"stdout": "", "stderr": ""}
    assert "Printed: first y\nlast y\ntrouble" in str(outputs(messages, mine)[1]["data"]["text/plain"])


def test_what_is_printed_is_shown_while_the_tool_runs(kernel):
    kernel.run(f"{TOOLS}\ngo.clear(); began.clear()")
    mine = kernel.send(f"%%gemini --once -t say --approve auto\n{calls(('say', {'who': 'z'}))}")
    messages = kernel.until(lambda message: "first z" in str(message["content"]))
    assert parent(messages[-1]) == mine or messages[-1]["msg_type"] == "comm_msg"
    kernel.run("go.set()")
    kernel.until(is_final_status)


def test_a_chat_shown_again_has_what_its_tools_printed(kernel):
    kernel.run(f"{TOOLS}\ngo.set()\n%gemini reset main")
    kernel.run(f"%%gemini -w -t say --approve auto\n{calls(('say', {'who': 'w'}))}")
    shown = kernel.run("%gemini show")
    assert "Printed: first w" in str(outputs(shown, parent(shown[-1])))
