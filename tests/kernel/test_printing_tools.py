"""What a tool prints stands under the cell that asked, whichever cell runs meanwhile, and harms nothing."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import at_rest, is_final_status, outputs, parent
from tests.support.kernel_cells import calls

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
def test_what_a_tool_prints_stands_under_its_own_cell(kernel, tool):
    kernel.run(f"{TOOLS}\ngo.clear(); began.clear()")
    mine = kernel.send(f"%%gemini --once -t {tool} --approve auto\n{calls((tool, {'who': 'x'}))}")
    other = kernel.run("await asyncio.to_thread(began.wait, 20)\nprint('of another cell')\ngo.set()\nawait asyncio.sleep(0.2)")
    messages = [
        *other,
        *([] if any(map(is_final_status, other)) else kernel.until(is_final_status)),
        *kernel.run("print('end')"),
    ]
    if kernel.text("import ipykernel\nprint(ipykernel.__version__)").startswith("6."):  # it knows one cell at a time
        assert all(word in str(messages) for word in ("first x", "last x", "trouble"))
        return
    assert streams(messages, mine) == {"stdout": "first x\nlast x\n", "stderr": "trouble\n"}
    assert streams(messages, parent(other[-1]))["stdout"] == "of another cell\n"
    (card,) = [output for output in outputs(messages, mine) if "Tool say" in str(output)]
    assert card["data"]["text/plain"].endswith("said")


def test_headless_it_is_in_the_file(kernel):
    kernel.run(f"{TOOLS}\ngo.set()")
    messages = kernel.run(f"%%gemini --once -t say --approve auto\n{calls(('say', {'who': 'y'}))}", sits=False)
    messages = at_rest(kernel, parent(messages[-1]), messages)
    assert streams(messages, parent(messages[-1])) == {"stdout": "first y\nlast y\n", "stderr": "trouble\n"}
