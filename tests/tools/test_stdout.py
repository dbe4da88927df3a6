"""What a call prints: bounded, as a terminal would show it, and nothing any more once the call is over."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading

import pytest
from hypothesis import given, strategies as st

from nbgemini._environment import HOST
from nbgemini.messages.events import ToolCall
from nbgemini.tools.decorator import declare
from nbgemini.tools.stdout import LONGEST_PRINT, PRINTED, PrintedText
from nbgemini.tools.tool import run


def say(text):
    """Print as a notebook's streams do; return whether a card took it."""
    printed = PRINTED.get()
    return printed is not None and printed.write(text)


async def call(function, report=lambda _: None):
    return await run(declare(function), ToolCall(function.__name__, {}), report)


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["10 %\r", "20 %\r", "done\n"], "done\n"),
        (["10 %\r"], "10 %\r"),
        (["a\r\nb\r\r\n", "c"], "a\nb\nc"),
        (["\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07"], "red link"),
        (["\x1b[3", "1mred"], "red"),
        ([], ""),
    ],
)
async def test_it_reads_as_in_a_terminal(texts, shown):
    printed = PrintedText(lambda _: None)
    assert all(map(printed.write, texts))
    assert printed.text == shown


@given(st.lists(st.text("ab\n", max_size=3_000), max_size=30))
def test_the_end_of_much_is_kept(texts):
    async def collect():
        printed = PrintedText(lambda _: None)
        assert all(map(printed.write, texts))
        return printed.text

    whole = "".join(texts)
    assert asyncio.run(collect()) == (whole if len(whole) <= LONGEST_PRINT else f"…{whole[-LONGEST_PRINT:]}")


async def test_a_bar_of_a_million_steps_stays_small():
    printed = PrintedText(lambda _: None)
    for step in range(100_000):
        printed.write(f"\r{step}")
    assert printed.text.endswith("99999")
    assert len(printed.text) < LONGEST_PRINT


@pytest.mark.parametrize("is_async", [False, True])
async def test_it_is_reported_while_the_call_runs_and_is_in_its_result(is_async):
    heard, go = [], threading.Event()

    def shout():
        say("first\n")
        go.wait(20)
        say("last\n")

    async def shout_async():
        await asyncio.create_task(asyncio.to_thread(shout))

    def report(text):
        heard.append(text)
        go.set()

    result = await call(shout_async if is_async else shout, report)
    assert heard[0] == "first\n"
    assert result.printed == "first\nlast\n"


async def test_what_a_call_left_behind_prints_as_if_there_had_been_no_call():
    contexts, taken = [], []

    async def leave():
        contexts.append(contextvars.copy_context())
        taken.append(say("mine"))

    heard = []
    result = await call(leave, heard.append)
    thread = threading.Thread(target=contexts[0].copy().run, args=(lambda: taken.append(say("of a thread")),))
    thread.start()
    thread.join()
    await asyncio.create_task(asyncio.to_thread(lambda: None), context=contexts[0].copy())
    taken.append(contexts[0].run(say, "of a callback"))
    assert (result.printed, taken, PRINTED.get()) == ("mine", [True, False, False], None)
    await asyncio.sleep(0.4)
    assert heard == []


async def test_a_forked_child_keeps_nothing(monkeypatch):
    printed = PrintedText(lambda _: None)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert not printed.write("x")


async def test_streams_are_prepared_before_each_call(monkeypatch):
    prepared = []

    def prepare():
        prepared.append(len(prepared))

    monkeypatch.setattr(HOST, "before_call", prepare)
    await call(say_nothing)
    await call(say_nothing)
    assert prepared == [0, 1]


def say_nothing():
    """Do nothing."""


def test_a_loop_that_is_closed_hears_nothing():
    async def begin():
        return PrintedText(lambda _: None)

    printed = asyncio.run(begin())
    assert printed.write("x")
    assert printed.text == "x"
