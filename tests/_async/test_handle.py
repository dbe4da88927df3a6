"""Whoever reads what is whole only at the end waits for it in a thread, lets a resting loop turn, or is told why neither can be."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading

import pytest

from nbgemini._async import handle
from nbgemini._async.handle import Lifecycle, StreamHandle, complete
from nbgemini._environment import HOST
from nbgemini.bulk.table import MapResult
from nbgemini.chat.reply import Reply
from nbgemini.errors import UnfinishedError


class Handle(StreamHandle):
    """A handle that a test ends itself."""

    @property
    def lifecycle(self):
        """The writer's side."""
        return self._lifecycle


def begun():
    """One that runs on the running loop."""
    lifecycle = Lifecycle()
    lifecycle.start()
    return Handle(lifecycle)


async def test_a_coroutine_is_told_to_await():
    with pytest.raises(UnfinishedError, match="this code can't wait for it → await it first"):
        begun().wait_here()


async def test_a_thread_waits():
    one, reading = begun(), threading.Event()

    def read():
        reading.set()
        one.wait_here()
        return one.done

    waiting = asyncio.create_task(asyncio.to_thread(read))
    await asyncio.to_thread(reading.wait)
    assert not waiting.done()
    one.lifecycle.finish()
    assert await waiting


async def test_a_thread_that_the_loop_waits_for_is_told(monkeypatch):
    """Nobody would ever wake it: the cell waits for the thread, and the thread for the stream."""
    monkeypatch.setattr(handle, "_BEAT", 0.01)
    monkeypatch.setattr(handle, "_PATIENCE", 0.05)
    one, said = begun(), []

    def read():
        try:
            one.wait_here()
        except UnfinishedError as error:
            said.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert "its event loop is blocked" in said[0]


async def test_a_thread_bears_a_loop_that_turns_seldom(monkeypatch):
    monkeypatch.setattr(handle, "_BEAT", 0.001)
    one = begun()
    waiting = asyncio.create_task(asyncio.to_thread(one.wait_here))
    for _ in range(20):
        await asyncio.sleep(0.001)
    one.lifecycle.finish()
    await waiting


def test_a_loop_that_rests_is_let_turn_by_its_own_thread():
    loop = asyncio.new_event_loop()

    async def start():
        one = begun()
        loop.call_later(0.01, one.lifecycle.finish)
        return one

    try:
        one = loop.run_until_complete(start())
        assert not one.done
        one.wait_here()
        assert one.done
    finally:
        loop.close()


def test_what_a_closed_loop_ran_never_ends():
    with pytest.raises(UnfinishedError, match="its event loop is closed"):
        asyncio.run(_begun()).wait_here()


async def _begun():
    return begun()


def test_what_nobody_has_begun_is_not_waited_for():
    with pytest.raises(UnfinishedError, match="it has not been started"):
        Handle(Lifecycle()).wait_here()


def always():
    return "looks"


async def test_a_notebook_says_who_reads(monkeypatch):
    one = begun()
    with monkeypatch.context() as patch:
        patch.setattr(HOST, "reader", always)
        with pytest.raises(UnfinishedError):
            await asyncio.to_thread(one.wait_here)
    waiting = asyncio.create_task(asyncio.to_thread(one.wait_here))
    one.lifecycle.finish()
    await waiting


@pytest.mark.parametrize("deed", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_only_what_is_over_is_copied(deed):
    one = begun()
    one.lifecycle.on_stop(lambda: None)
    with pytest.raises(UnfinishedError, match="a running one can't be copied or stored"):
        deed(one)
    one.lifecycle.finish()
    again = deed(one)
    again = pickle.loads(again) if isinstance(again, bytes) else again
    assert again.done
    again.stop()
    again.wait_here()


@pytest.mark.parametrize("kind", [Reply, MapResult])
def test_each_value_says_what_it_is(kind):
    """As help, `?` and the documentation show it: in words of its own, although all wait in the same way."""
    values = [value for part in kind.__mro__ for value in vars(part).values() if isinstance(value, complete)]
    assert len(values) > 5
    assert [value.__doc__ for value in values if value.__doc__ in (None, complete.__doc__)] == []
