"""Silence: an answer that does not come, or stops coming, ends; one that is merely long does not."""

from __future__ import annotations

import asyncio

import pytest

from nbgemini.errors import TransportError
from tests.fakes.invariants import assert_all
from tests.fakes.script import END, Chunk, Drip, Pause, ReadNothing, Stall, Until, event, events, frame, head, thought
from tests.fakes.watched import watched

TWO = (frame(thought("T1 ")), frame("A1 "))
SHORT = 0.2


async def told(*script, **settings):
    async with watched(script, **settings) as chat:
        asked = await asyncio.wait_for(chat.ask(), 30)
        await asyncio.wait_for(chat.server.gone.wait(), 10)  # the connection was closed, not kept
        await assert_all(chat, asked)
    return asked.reply


@pytest.mark.parametrize("script", [(Stall(),), (head(), Stall())], ids=["no head", "no byte"])
async def test_an_answer_that_never_begins(script):  # T1
    reply = await told(*script, first_timeout=SHORT, gap_timeout=SHORT)
    assert (reply.state, reply.segments) == ("failed", [])
    assert isinstance(reply.error, TransportError)
    assert "no data from 127.0.0.1 for 0.2 s" in str(reply.error)


@pytest.mark.parametrize("half", [b"", event(frame("A2"))[:30]], ids=["between events", "inside an event"])
async def test_an_answer_that_falls_silent(half):  # T2
    more = [Chunk(half)] if half else []
    reply = await told(head(), *events(*TWO), *more, Stall(), gap_timeout=SHORT)
    assert (reply.state, reply.text, reply.thoughts) == ("truncated", "A1 ", "T1 ")
    assert "no data" in str(reply.error)


async def test_silence_after_the_end_spoils_nothing():  # T2
    reply = await told(head(), *events(*TWO, frame("A2", finish="STOP")), Stall(), gap_timeout=SHORT)
    assert (reply.state, reply.text, reply.error) == ("complete", "A1 A2", None)


@pytest.mark.parametrize("sign", [b": keep-alive\r\n\r\n", b"\r\n", b"event: ping\r\n"])
async def test_signs_of_life_are_no_answer(sign):  # T3
    reply = await told(head(), *events(*TWO), Drip(sign), gap_timeout=5, content_timeout=SHORT)
    assert (reply.state, reply.text) == ("truncated", "A1 ")
    assert "signs of life" in str(reply.error)


async def test_a_long_answer_is_no_silence():  # T4
    """It takes several times as long as any single limit."""
    pieces = [step for n in range(12) for step in (Pause(0.1), *events(frame(f"A{n} ")))]
    script = (head(), *pieces, *events(frame(finish="STOP")), END)
    async with watched(script, first_timeout=0.5, gap_timeout=0.5, content_timeout=0.5) as chat:
        asked = await chat.ask()
        assert (asked.reply.state, asked.reply.text) == ("complete", "".join(f"A{n} " for n in range(12)))
        await assert_all(chat, asked)


async def test_a_request_that_nobody_takes():  # T5
    async with watched((ReadNothing(),), write_timeout=SHORT) as chat:
        asked = await asyncio.wait_for(chat.ask("x" * 20_000_000), 30)
        assert asked.reply.state == "failed"
        assert "took nothing of the request" in str(asked.reply.error)
        await assert_all(chat, asked, requests=0)


@pytest.mark.parametrize(("ending", "state"), [((END,), "complete"), ((Stall(),), "truncated")])
async def test_a_machine_that_slept_goes_on_where_it_was(ending, state):  # T6
    """Two hours in which nobody was awake are no silence; what is dead afterwards ends as ever."""
    awake = asyncio.Event()
    last = frame("A2", finish="STOP" if state == "complete" else None)
    async with watched((head(), *events(*TWO), Until(awake), *events(last), *ending), gap_timeout=SHORT * 5) as chat:
        asked = chat.begin()
        driving = asyncio.create_task(chat.chat.drive(asked.reply, asked.apply))
        while not asked.reply.so_far.text:
            await asyncio.sleep(0.001)
        loop = asyncio.get_running_loop()
        real = loop.time
        loop.time = lambda: real() + 7200
        try:
            await asyncio.sleep(0.01)
            assert not asked.reply.done
            awake.set()
            await driving
        finally:
            loop.time = real
        assert (asked.reply.state, asked.reply.text) == (state, "A1 A2")
        await assert_all(chat, asked)
