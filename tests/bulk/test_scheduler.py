"""The order of rows in line: as many at once as may be, those that come back first, and never too many ahead."""

from __future__ import annotations

import asyncio
from time import monotonic
from types import SimpleNamespace

import pytest

from nbgemini.bulk.aimd import AimdLimiter
from nbgemini.bulk.scheduler import Scheduler


class Map:
    """Rows that are over when they are told to be."""

    def __init__(self, most):
        self.asked, self.most_at_once, self.over = [], 0, asyncio.Event()
        self.scheduler = Scheduler(AimdLimiter(most, monotonic, lambda: 0.5), self.ask)
        self.back = set()

    async def ask(self, item):
        self.asked.append(item.number)
        self.most_at_once = max(self.most_at_once, self.scheduler.running)
        if item.number in self.back:
            self.back.discard(item.number)
            self.scheduler.put_back(item, item.later)
            return
        await self.over.wait()


def rows(*numbers, later=0.0, stop=lambda: None):
    return [SimpleNamespace(number=n, later=later, row=SimpleNamespace(), reply=SimpleNamespace(stop=stop)) for n in numbers]


@pytest.fixture
async def begun():
    """A map of two at once that runs."""
    one = Map(2)
    task = asyncio.create_task(one.scheduler.run())
    yield one, task
    one.over.set()
    one.scheduler.stop()
    await asyncio.gather(task, return_exceptions=True)


async def finish(one, task):
    one.scheduler.complete()
    one.over.set()
    await asyncio.wait_for(task, 30)


async def test_all_are_asked_in_order_and_no_more_at_once_than_may_be(begun):
    one, task = begun
    await one.scheduler.add(rows(0, 1, 2))
    await finish(one, task)
    assert one.asked == [0, 1, 2]
    assert one.most_at_once == 2


@pytest.mark.parametrize("later", [0.0, 0.001])
async def test_a_row_that_comes_back_is_asked_again(begun, later):
    one, task = begun
    one.back.add(0)
    await one.scheduler.add(rows(0, 1, 2, later=later))
    await finish(one, task)
    assert sorted(one.asked) == [0, 0, 1, 2]
    assert later or one.asked[:3] in ([0, 1, 0], [0, 0, 1])


async def test_rows_wait_for_room_before_more_are_added(begun):
    one, task = begun
    adding = asyncio.create_task(one.scheduler.add(rows(*range(20))))
    while one.scheduler.running < 2:
        await asyncio.sleep(0)
    assert not adding.done()
    await finish(one, task)
    await asyncio.wait_for(adding, 30)
    assert one.asked == [*range(20)]


async def test_a_stop_reaches_those_that_run_and_asks_no_other(begun):
    one, task = begun
    stopped = []
    await one.scheduler.add(rows(0, 1, 2, stop=lambda: (stopped.append(None), one.over.set())))
    while one.scheduler.running < 2:
        await asyncio.sleep(0)
    one.scheduler.stop()
    await asyncio.wait_for(task, 30)
    assert (one.asked, len(stopped)) == ([0, 1], 2)


async def test_a_cancelled_run_leaves_nothing_running(begun):
    one, task = begun
    await one.scheduler.add(rows(0, 1, stop=one.over.set))
    while one.scheduler.running < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert one.scheduler.running == 0
