"""Every place at which a task can be suspended, to act at one of them."""

from __future__ import annotations

import asyncio
import types


class Waits:
    """Counts the suspensions of all tasks that begin inside, and acts at one of them."""

    def __init__(self, at, act):
        self.count = 0
        self._at = at
        self._act = act

    def __enter__(self):
        self._loop = asyncio.get_running_loop()
        self._loop.set_task_factory(lambda loop, coroutine, **more: asyncio.Task(self._all(coroutine), loop=loop, **more))
        return self

    def __exit__(self, *_):
        self._loop.set_task_factory(None)

    async def _all(self, coroutine):
        return await self._counted(coroutine)

    @types.coroutine
    def _counted(self, coroutine):
        going = coroutine.send
        what = None
        while True:
            try:
                waited = going(what)
            except StopIteration as end:
                return end.value
            self.count += 1
            if self.count == self._at:
                self._act(waited)
            try:
                what, going = (yield waited), coroutine.send
            except BaseException as error:  # noqa: BLE001 - goes on as it came
                what, going = error, coroutine.throw


async def nothing_left():
    """Until no other task is left."""
    async with asyncio.timeout(20):
        while asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.sleep(0)
