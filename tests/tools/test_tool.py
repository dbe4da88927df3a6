"""Functions run beside the loop, and are answered whatever they do."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import Annotated

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field, field_validator

from nbgemini.errors import ToolError
from nbgemini.messages.events import ToolCall
from nbgemini.tools import tool as tool_module
from nbgemini.tools.decorator import declare
from nbgemini.tools.tool import canonical_json, run
from tests.fakes.functions import (
    FORECAST,
    Spot,
    Unit,
    called,
    no_parameters,
    raising,
)


@given(st.dictionaries(st.text(), st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.integers() | st.none())))
def test_canonical_arguments_ignore_order_and_nothing_else(args):
    backwards = json.loads(json.dumps(args), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert canonical_json(args) == canonical_json(backwards)
    assert json.loads(canonical_json(args)) == args
    assert canonical_json(args) != canonical_json({**args, "one more": 1} if "one more" not in args else {})


def test_canonical_arguments_are_compact():
    assert canonical_json({"b": [1, 2], "a": "é"}) == '{"a":"\\u00e9","b":[1,2]}'


# --- how it runs


async def test_tools_that_are_not_async_run_at_the_same_time():
    barrier = threading.Barrier(40)  # more than any pool of threads holds
    meet = declare(lambda: barrier.wait(30), name="meet")
    results = await asyncio.gather(*(called(meet) for _ in range(40)))
    assert sorted(result.response["output"] for result in results) == list(range(40))


async def test_an_async_tool_lives_on_the_loop_with_its_tasks():
    queue = asyncio.Queue()

    async def ask():
        return [await queue.get(), threading.current_thread() is threading.main_thread()]

    waiting = asyncio.create_task(called(declare(ask)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.put("from another task")
    assert (await waiting).response == {"output": ["from another task", True]}


async def test_the_loop_beats_on_while_a_tool_blocks():
    started, release = threading.Event(), threading.Event()

    def block():
        started.set()
        return release.wait(30)

    waiting = asyncio.create_task(called(declare(block)))
    for _ in range(100):
        await asyncio.sleep(0.01)
    assert started.is_set()
    assert not waiting.done()
    release.set()
    result = await waiting
    assert (result.state, result.response) == ("done", {"output": True})
    assert result.seconds >= 0.9


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_result_is_converted_off_the_loop(kind):
    release = threading.Event()

    class Slow:
        def __repr__(self):
            return f"shown {release.wait(30)}"

    def sync():
        return Slow()

    async def on_the_loop():
        return Slow()

    waiting = asyncio.create_task(called(declare(sync if kind == "sync" else on_the_loop)))
    for _ in range(20):
        await asyncio.sleep(0.005)
    release.set()
    assert (await waiting).response == {"output": "shown True"}


async def test_context_variables_are_seen_and_stay_apart():
    who = contextvars.ContextVar("who")
    who.set("me")

    def look():
        seen = who.get()
        who.set("a tool")
        return seen

    async def look_async():
        return look()

    assert [(await called(declare(function))).response for function in (look, look_async)] == [{"output": "me"}] * 2
    assert who.get() == "me"


async def test_an_iterator_is_read_in_the_thread_that_made_it():
    def rows():
        with closing(sqlite3.connect(":memory:")) as base:
            yield from base.execute("select 1, 'a' union select 2, 'b'")  # only in the thread that opened it

    def count():
        yield from range(3)

    assert (await called(declare(count))).response == {"output": [0, 1, 2]}
    assert (await called(declare(rows))).response == {"output": [[1, "a"], [2, "b"]]}


# --- how it ends


class Rude(BaseException):
    pass


class WordlessError(Exception):
    def __str__(self):
        raise ValueError


def endless():
    return endless()


@pytest.mark.parametrize("kind", [0, 1], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (ValueError("no such town"), "failed", "ValueError: no such town"),
        (KeyError("x"), "failed", "KeyError: 'x'"),
        (ToolError("say it so"), "failed", "say it so"),
        (ValueError(), "failed", "ValueError"),
        (WordlessError(), "failed", "WordlessError"),
        (Rude("!"), "failed", "Rude: !"),
        (SystemExit(3), "failed", "SystemExit: 3"),
        (GeneratorExit(), "failed", "GeneratorExit"),
        (StopIteration(7), "failed", "StopIteration: 7"),
        (StopAsyncIteration(7), "failed", "StopAsyncIteration: 7"),
        (KeyboardInterrupt(), "stopped", "the tool was interrupted"),
        (asyncio.CancelledError(), "stopped", "the tool cancelled itself"),
        (TimeoutError("its own"), "failed", "TimeoutError: its own"),
        (ExceptionGroup("several", [ValueError()]), "failed", "ExceptionGroup: several (1 sub-exception)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_whatever_a_tool_raises_becomes_an_answer(kind, error, state, text):
    result = await called(declare(raising(error)[kind]))
    assert (result.state, result.response) == (state, {"error": text})


async def test_endless_recursion_becomes_an_answer():
    result = await called(declare(endless))
    assert result.state == "failed"
    assert result.response["error"].startswith("RecursionError: maximum recursion depth exceeded")


async def test_an_unknown_tool_becomes_an_answer():
    result = await run(None, ToolCall("nope", {}))
    assert (result.state, result.response) == ("failed", {"error": "there is no tool named 'nope'; use one that is declared"})


async def test_each_wrong_argument_is_named_and_nothing_runs():
    ran = []

    def book(city: str, days: Annotated[int, Field(le=7)], spot: Spot, unit: Unit = Unit.METRIC):
        ran.append((city, days, spot, unit))

    result = await called(declare(book), days=9, spot={"lat": "x" * 999}, unit="feet", colour=1)
    said = result.response["error"]
    assert result.state == "failed"
    assert said.startswith(
        "bad arguments for book: city: Field required; days: Input should be less than or equal to 7, got 9;"
    )
    assert "spot.lat: Input should be a valid number" in said
    assert "unit: Input should be 'metric' or 'imperial', got 'feet'" in said
    assert said.endswith("colour: Extra inputs are not permitted, got 1")
    assert len(said) < 600
    assert "\n" not in said
    assert ran == []


async def test_many_wrong_arguments_are_counted():
    result = await called(declare(no_parameters), **{f"x{i}": 1 for i in range(30)})
    assert result.response["error"].endswith("; and 22 more")


async def test_what_is_no_json_is_a_bad_argument():
    circle = []
    circle.append(circle)
    deep = functools.reduce(lambda inner, _: [inner], range(100_000), [])
    for value in (object(), circle, deep):
        with pytest.raises(ToolError, match="^bad arguments for echo: "):
            await declare(lambda x: x, name="echo").call({"x": value})


async def test_a_type_of_the_users_may_refuse_in_any_way():
    class Odd(BaseModel):
        x: int

        @field_validator("x")
        @classmethod
        def check(cls, x):
            raise ZeroDivisionError("odd") if x else ValueError("zero")

    def odd(it): ...

    odd.__annotations__["it"] = Odd
    tool = declare(odd)
    assert (await called(tool, it={"x": 1})).response == {"error": "ZeroDivisionError: odd"}
    assert "it.x: Value error, zero" in (await called(tool, it={"x": 0})).response["error"]


@given(st.dictionaries(st.sampled_from(["city", "days", "spots", "tree", "x"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["lat", "title"]), inner)
)))  # fmt: skip
def test_any_arguments_are_answered(args):
    result = asyncio.run(run(FORECAST, ToolCall("forecast", args)))
    assert result.state in {"done", "failed"}
    json.dumps(result.response, allow_nan=False)


# --- when it takes too long


async def test_an_async_tool_is_cancelled_in_time_and_may_tidy_up():
    tidied = asyncio.Event()

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.set()

    result = await called(declare(wait, timeout=0.01))
    assert (result.state, result.response["error"]) == (
        "timed out",
        "no result after 0.01 s; what it had done by then is not known",
    )
    assert tidied.is_set()


async def test_a_tool_that_will_not_be_cancelled_is_left_behind(monkeypatch):
    monkeypatch.setattr(tool_module, "GRACE", 0.01)
    release = asyncio.Event()

    async def stubborn():
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    assert (await called(declare(stubborn, timeout=0.01))).state == "timed out"
    (left,) = tool_module._abandoned
    release.set()
    await left
    await asyncio.sleep(0)
    assert not tool_module._abandoned


async def test_a_stuck_tool_is_answered_and_its_late_result_is_nobodys():
    release, ended = threading.Event(), threading.Event()

    def stuck():
        release.wait(30)
        ended.set()

    result = await called(declare(stuck, timeout=0.01))
    assert result.state == "timed out"
    release.set()
    assert await asyncio.to_thread(ended.wait, 30)
    await asyncio.sleep(0.01)


async def test_a_result_that_is_never_shown_is_answered_too():
    release = threading.Event()

    class Stuck:
        def __repr__(self):
            return f"shown {release.wait(30)}"

    def stuck():
        return Stuck()

    assert (await called(declare(stuck, timeout=0.01))).state == "timed out"
    release.set()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_cancelling_from_outside_cancels_the_tool(kind):
    started, ended, release = asyncio.Event(), [], threading.Event()
    loop = asyncio.get_running_loop()

    def sync():
        loop.call_soon_threadsafe(started.set)
        release.wait(30)

    async def on_the_loop():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("tidied")

    waiting = asyncio.create_task(called(declare(sync if kind == "sync" else on_the_loop)))
    await started.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    assert ended == ([] if kind == "sync" else ["tidied"])
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_stuck_tool_does_not_hold_up_the_end_of_python():
    code = (
        "import asyncio, threading\n"
        "from nbgemini.messages.events import ToolCall\n"
        "from nbgemini.tools.decorator import declare\nfrom nbgemini.tools.tool import run\n"
        "def stuck(): threading.Event().wait()\n"
        "print(asyncio.run(run(declare(stuck, timeout=0.01), ToolCall('stuck', {}))).state)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("timed out\n", "")


def test_a_tool_outlives_its_loop_quietly():
    release, ended = threading.Event(), threading.Event()

    def stuck():
        release.wait(30)
        ended.set()

    asyncio.run(called(declare(stuck, timeout=0.01)))
    release.set()
    assert ended.wait(30)


def test_importing_pulls_in_nothing_heavy():
    code = "import sys, nbgemini.tools.decorator; print({'pydantic', 'numpy', 'pandas', 'PIL', 'matplotlib', 'httpx2'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "set()\n"
