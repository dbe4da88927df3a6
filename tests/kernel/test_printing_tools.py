"""What a tool prints stands on the card of its call; what anything else prints stands where it always did."""

from __future__ import annotations

import re

import pytest

from tests.kernel.conftest import at_rest, is_final_status, outputs, parent
from tests.support.kernel_cells import calls

TOOLS = """
import asyncio, logging, os, sys, threading
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
MANY = """
import asyncio, contextvars, os, sys, threading, time
left, running, over = [], [], threading.Event()

def tick(what, number, seconds):
    while not over.wait(seconds):
        print(f"<{what} {number} left behind>")

async def tick_async(what, number):
    while not over.is_set():
        print(f"<{what} {number} left behind>")
        await asyncio.sleep(0.01)

def work(number: int) -> str:
    '''Print in a thread, and leave threads behind.'''
    thread = threading.Thread(target=contextvars.copy_context().run, args=(tick, "thread", number, 0.01), daemon=True)
    print(f"<card {number}>")
    left.append(thread)
    time.sleep(0.02)
    print(f"<card {number}>")
    return "worked"

async def work_async(number: int) -> str:
    '''Print on the loop, and leave tasks, callbacks and contexts behind.'''
    async def helper():
        print(f"<card {number}>")
    left.append((contextvars.copy_context(), number))
    running.append(asyncio.create_task(tick_async("long task", number)))
    await asyncio.create_task(helper())
    asyncio.get_running_loop().call_soon(print, f"<card {number}>")
    await asyncio.sleep(0.02)
    return "worked"

def revive():
    '''Let everything that the calls left behind print, in their own contexts.'''
    loop = asyncio.get_running_loop()
    for entry in left:
        if isinstance(entry, tuple):
            context, number = entry
            running.append(loop.create_task(tick_async("task", number), context=context))
            loop.call_soon(lambda number=number: print(f"<callback {number} left behind>"), context=context)
        else:
            entry.start()
    left.clear()
"""


def streams(messages, cell=None):
    """What was printed under a cell, or anywhere."""
    return {
        name: "".join(
            message["content"]["text"]
            for message in messages
            if message["msg_type"] == "stream" and message["content"]["name"] == name and cell in (None, parent(message))
        )
        for name in ("stdout", "stderr")
    }


def cards(messages, cell):
    shown = [output.get("data", {}) for output in outputs(messages, cell)]
    return [data for data in shown if data.get("text/plain", "").startswith("Tool ")]


@pytest.mark.parametrize("tool", ["say", "say_async"])
def test_what_a_tool_prints_stands_on_its_card_alone(kernel, tool):
    kernel.run(f"{TOOLS}\ngo.clear(); began.clear()")
    mine = kernel.send(f"%%gemini --once -t {tool} --approve auto\n{calls((tool, {'who': 'x'}))}")
    other = kernel.run("await asyncio.to_thread(began.wait, 20)\nprint('of another cell')\ngo.set()\nawait asyncio.sleep(0.2)")
    messages = [
        *other,
        *([] if any(map(is_final_status, other)) else kernel.until(is_final_status)),
        *kernel.run("print('end')"),
    ]
    assert streams(messages, parent(other[-1])) == {"stdout": "of another cell\n", "stderr": ""}
    assert streams(messages) == {"stdout": "of another cell\nend\n", "stderr": ""}
    (card,) = cards(messages, mine)
    assert card["text/plain"].endswith("Printed: first x\nlast x\ntrouble\nsaid")
    assert "<p><small>Printed</small></p><pre>first x\nlast x\ntrouble</pre>" in card["text/html"]


def test_unattended_it_is_in_the_file(kernel):
    kernel.run(f"{TOOLS}\ngo.set()")
    messages = kernel.run(f"%%gemini --once -t say --approve auto\n{calls(('say', {'who': 'y'}))}", sits=False)
    mine = parent(messages[-1])
    messages = at_rest(kernel, mine, messages)
    assert streams(messages) == {"stdout": "", "stderr": ""}
    assert "Printed: first y\nlast y\ntrouble" in cards(messages, mine)[0]["text/plain"]


def test_it_is_shown_while_the_tool_runs(kernel):
    kernel.run(f"{TOOLS}\ngo.clear(); began.clear()")
    kernel.send(f"%%gemini --once -t say --approve auto\n{calls(('say', {'who': 'z'}))}")
    kernel.until(lambda message: "first z" in str(message["content"]) and "last z" not in str(message["content"]))
    last = kernel.run("go.set()")
    at_rest(kernel, None, last) if any(map(is_final_status, last)) else kernel.until(is_final_status)


def test_a_chat_shown_again_has_it(kernel):
    kernel.run(f"{TOOLS}\ngo.set()\n%gemini reset main")
    kernel.run(f"%%gemini -w -t say --approve auto\n{calls(('say', {'who': 'w'}))}")
    shown = kernel.run("%gemini show")
    assert "Printed: first w" in str(outputs(shown, parent(shown[-1])))


@pytest.mark.parametrize("waits", ["--wait", "--no-wait"])
def test_nothing_that_others_print_ever_goes_to_a_card(kernel, waits):
    """Many tools, what they leave behind, and cells that print meanwhile and afterwards, under `--wait` and without it."""
    kernel.run(MANY)
    asked, seen = {}, []
    for turn in range(6):
        numbers = range(turn * 4, turn * 4 + 4)
        wanted = [(("work", "work_async")[number % 2], {"number": number}) for number in numbers]
        asked[kernel.send(f"%%gemini --once {waits} -t work,work_async --approve auto\n{calls(*wanted)}")] = numbers
        seen += kernel.run(f"print('<cell {turn}>')\nawait asyncio.sleep(0.01)\nprint('<cell {turn} later>')")
        seen += kernel.run(f"%%capture taken\nprint('<captured {turn}>')")
        seen += kernel.run("print(taken.stdout, end='')")
        seen += kernel.run("_gemini.result()\nprint('<after the answer>')\nrevive()")
        seen += kernel.run("await asyncio.sleep(0.02)")
    while sum(map(is_final_status, seen)) < len(asked):
        seen += kernel.until(is_final_status)
    seen += kernel.run("over.set()\nawait asyncio.sleep(0.1)\nprint('<end>')")
    printed = streams(seen)["stdout"]
    for turn in range(6):
        assert [printed.count(f"<{what}>") for what in (f"cell {turn}", f"cell {turn} later", f"captured {turn}")] == [1, 1, 1]
    assert (printed.count("<after the answer>"), printed.count("<end>")) == (6, 1)
    assert "<card" not in printed
    for number in range(24):
        what = ["callback", "task", "long task"] if number % 2 else ["thread"]
        assert [kind for kind in what if f"<{kind} {number} left behind>" not in printed] == []
    for mine, numbers in asked.items():
        shown = [re.findall(r"<(?:card|long task) (\d+)", card["text/plain"]) for card in cards(seen, mine)]
        assert sorted({int(number) for number in words} for words in shown) == [{number} for number in numbers]


def test_prints_of_a_forked_child_go_where_they_went(kernel):
    kernel.run("""
def fork() -> str:
    '''Let a child print.'''
    import multiprocessing
    child = multiprocessing.get_context("fork").Process(target=print, args=("of the child",), kwargs={"flush": True})
    child.start()
    child.join()
    print("of the parent")
    return "forked"
""")
    messages = kernel.run(f"%%gemini --once -w -t fork --approve auto\n{calls(('fork', {}))}")
    messages += kernel.run("print('end')")
    assert streams(messages)["stdout"].replace("end\n", "") == "of the child\n"
    assert "Printed: of the parent" in cards(messages, parent(messages[0]))[0]["text/plain"]


def test_a_call_in_a_cell_that_does_not_await_is_captured_too(kernel):
    """IPython 9 puts a `write` of its own into the streams while such a cell runs, and takes ours out with it."""
    kernel.run(f"{TOOLS}\ngo.set()")
    for name in ("a", "b", "c"):
        asking = (
            f"_ = get_ipython().run_cell_magic('gemini', '--once -w -t say --approve auto', {calls(('say', {'who': name}))!r})"
        )
        messages = kernel.run(f"print('before')\n{asking}\nprint('after')")
        assert streams(messages) == {"stdout": "before\nafter\n", "stderr": ""}
        assert f"Printed: first {name}" in cards(messages, parent(messages[-1]))[0]["text/plain"]
    depth = "stream, depth = sys.stdout.write, 0\nwhile hasattr(stream, 'func'):\n    stream, depth = stream.args[0], depth + 1"
    assert kernel.text(f"await asyncio.sleep(0)\n{depth}\nprint(depth)") in ("0\n", "1\n")


def test_after_unloading_everything_prints_as_before(kernel):
    kernel.run(f"{TOOLS}\ngo.set()")
    kernel.run(f"%%gemini --once -w -t say --approve auto\n{calls(('say', {'who': 'v'}))}")
    kernel.run(
        "%unload_ext nbgemini\nimport nbgemini\nfrom nbgemini.tools.tool import run\nfrom nbgemini.tools.decorator import declare"
    )
    kernel.run("from nbgemini.messages.events import ToolCall")
    assert kernel.text("_ = await run(declare(say), ToolCall('say', {'who': 'u'}))") == "first u\nlast u\ntrouble\n"
    kernel.run("%load_ext nbgemini")
