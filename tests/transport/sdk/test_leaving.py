"""However a stream of an official client is left, its connection is closed at once: by us, not by the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import aclosing, contextmanager, suppress

import pytest

from tests.fakes.raw import END, STALL, RawServer, event, head, text_frame
from tests.support.suspensions import Waits, nothing_left
from tests.transport.official import KINDS, each_kind, source_of


@contextmanager
def no_collector():
    """What is closed here is closed by us, not by the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@each_kind
@pytest.mark.parametrize("way", ["break", "aclose", "cancel in the body", "cancel while waiting"])
async def test_leaving_early_closes_the_connection_at_once(kind, way):
    async with RawServer([head(), event(text_frame("a")), event(text_frame("b")), STALL]) as server:
        source = source_of(kind, server)
        came = asyncio.Event()
        task = asyncio.create_task(leave(source.frames(KINDS[kind][1]), way, came))
        with no_collector():
            await asyncio.wait_for(came.wait(), 60)  # the client is imported here
            if way.startswith("cancel"):
                task.cancel()
            await asyncio.wait_for(server.gone.wait(), 30)
        with suppress(asyncio.CancelledError):
            await task
        await source.aclose()


async def leave(frames, way, came):
    async with aclosing(frames):
        if way == "aclose":
            await anext(frames)
            came.set()
            return
        seen = 0
        async for _ in frames:
            seen += 1
            if way == "break":
                came.set()
                break
            if way == "cancel in the body":
                came.set()
                await asyncio.Event().wait()
            if seen == 2:
                asyncio.get_running_loop().call_soon(came.set)  # once the next frame is waited for


@each_kind
async def test_cancelling_at_every_wait_leaves_no_connection_and_the_next_request_comes_through(kind):
    frame = text_frame("a")
    fine = [head(), event(frame), END]
    async with RawServer([head(), event(frame), event(frame), STALL]) as server:
        source = source_of(kind, server)
        at, waits = 0, 1
        while at <= waits:
            at += 1
            with no_collector():
                waits = min(await cancelled_at(source, KINDS[kind][1], at), 200)
                async with asyncio.timeout(30):
                    while server.open:
                        await asyncio.sleep(0)
        assert waits > 3
        server._scripts[:] = [fine]
        async with aclosing(source.frames(KINDS[kind][1])) as frames:
            assert [json.loads(found) async for found in frames] == [frame]
        await source.aclose()


async def cancelled_at(source, request, at):
    """Cancel the reader at its `at`-th wait, or once it has read two frames; return how many waits it had."""
    done = asyncio.Event()

    async def read():
        async with aclosing(source.frames(request)) as frames:
            await anext(frames)
            await anext(frames)
            done.set()
            await asyncio.Event().wait()

    with Waits(at, lambda _: task.cancel()) as waits:
        task = asyncio.create_task(read())
        over = asyncio.create_task(done.wait())
        await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
        for left in (task, over):
            left.cancel()
            with suppress(asyncio.CancelledError):
                await left
        await nothing_left()
    return waits.count if done.is_set() else at


@each_kind
async def test_what_is_not_read_is_not_held(kind):
    """Of an answer without end no more is taken than the sockets hold while nobody reads."""
    written = 0

    def endless():
        nonlocal written
        yield head()
        for written in range(1, 401):  # noqa: B007 - 400 MB
            yield event(text_frame("a" * 1_000_000))

    async with RawServer([]) as server:
        server._scripts[:] = [endless()]
        source = source_of(kind, server)
        async with aclosing(source.frames(KINDS[kind][1])) as frames:
            await anext(frames)
            for _ in range(5_000):
                await asyncio.sleep(0)
            assert written < 100
        await source.aclose()


@each_kind
async def test_a_retired_source_closes_once_its_last_stream_is_over(kind):
    async with RawServer([head(), event(text_frame("a")), END]) as server:
        source = source_of(kind, server)
        async with aclosing(source.frames(KINDS[kind][1])) as frames:
            await anext(frames)
            source.retire()
            assert [frame async for frame in frames] == []
        async with asyncio.timeout(20):
            while server.open:
                await asyncio.sleep(0)
