"""A burst never holds the loop: streams share a budget a turn and take turns."""

from __future__ import annotations

import asyncio
from time import perf_counter

from nbgemini._async.scheduler import Pace


def work(seconds):
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass


async def test_a_busy_stream_lets_others_run_between_its_budgets():
    pace, turns = Pace(budget=0.001), 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    for _ in range(100):
        await pace.ready()
        work(0.0005)
    running.cancel()
    assert turns >= 20


async def test_streams_take_turns_in_order():
    pace, order = Pace(budget=0.0), []

    async def stream(name):
        for _ in range(3):
            await pace.ready()
            order.append(name)
            work(0.0001)

    await asyncio.gather(*(stream(name) for name in "abc"))
    assert [sorted(order[start : start + 3]) for start in (0, 3, 6)] == [list("abc")] * 3


async def test_a_cancelled_stream_leaves_the_queue():
    pace, order = Pace(budget=0.0), []

    async def stream(name):
        await pace.ready()
        order.append(name)

    waiting = [asyncio.create_task(stream(name)) for name in "abc"]
    await asyncio.sleep(0)
    waiting[1].cancel()
    ended = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
    assert [type(one) for one in ended] == [type(None), asyncio.CancelledError, type(None)]
    await asyncio.wait_for(stream("d"), 30)
    assert order == ["a", "c", "d"]
