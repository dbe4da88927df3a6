"""Permits: never more than there are, first come, first served, and none is lost."""

from __future__ import annotations

import asyncio
import random

from nbgemini.transport.limiter import ConcurrencyLimiter


async def hold(limiter, log, name, until):
    async with limiter.permit() as permit:
        while not permit.granted:
            await permit.wait(10)
        log.append(name)
        await until.wait()


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_so_many_at_once_and_the_others_in_order():
    limiter, log, gates = ConcurrencyLimiter(2), [], [asyncio.Event() for _ in range(5)]
    tasks = [asyncio.create_task(hold(limiter, log, number, gate)) for number, gate in enumerate(gates)]
    await settled()
    assert log == [0, 1]
    gates[1].set()
    await settled()
    assert log == [0, 1, 2]
    for gate in gates:
        gate.set()
    await asyncio.gather(*tasks)
    assert log == [0, 1, 2, 3, 4]


async def test_who_waits_knows_how_many_are_ahead():
    limiter = ConcurrencyLimiter(1)
    held, second, third = limiter.permit(), limiter.permit(), limiter.permit()
    for permit in (held, second, third):
        await permit.__aenter__()
    assert (held.granted, second.ahead, third.ahead) == (True, 0, 1)
    await second.__aexit__(None, None, None)
    assert third.ahead == 0
    await held.__aexit__(None, None, None)
    assert third.granted


async def test_waiting_ends_to_look_again():
    limiter = ConcurrencyLimiter(1)
    async with limiter.permit(), limiter.permit() as permit:
        await asyncio.wait_for(permit.wait(0.001), 5)
        assert not permit.granted


async def test_no_place_is_lost_in_a_storm_of_cancellations():
    limiter, log, gate = ConcurrencyLimiter(3), [], asyncio.Event()
    chance = random.Random(7)
    for _ in range(100):
        tasks = [asyncio.create_task(hold(limiter, log, None, gate)) for _ in range(20)]
        await settled()
        for task in chance.sample(tasks, 20):
            task.cancel()
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
    gate.set()
    log.clear()
    await asyncio.wait_for(asyncio.gather(*(hold(limiter, log, n, gate) for n in range(10))), 5)
    assert len(log) == 10
