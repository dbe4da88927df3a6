"""Silence is counted while the loop is awake and the network is waited for, and no other time."""

from __future__ import annotations

import asyncio
import time

import pytest

from nbgemini.errors import TransportError
from nbgemini.secrets import Secret
from nbgemini.transport.http import HttpSource
from nbgemini.transport.request import Request
from nbgemini.transport.timeouts import Timeouts
from tests.fakes.raw import END, STALL, RawServer, chunk, event, head, text_frame

pytestmark = pytest.mark.usefixtures("way")
REQUEST = Request("v1beta/models/m:streamGenerateContent", {"contents": []}, {"alt": "sse"})
SHORT = 0.2
ONE = event(text_frame("one", finish="STOP"))


class Comments:
    """A server that keeps a connection alive with comments and says nothing else."""

    def __init__(self, before=()):
        self._before = before

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._drip, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _drip(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head())
        for step in self._before:
            writer.write(step)
        while not reader.at_eof() and not writer.is_closing():
            writer.write(chunk(b": still here\n\n"))
            await asyncio.wait([asyncio.ensure_future(reader.read(1))], timeout=0.02)
        writer.close()


async def frames_of(url, limits):
    source, came = HttpSource(url, Secret("k" * 39), timeouts=limits), []
    try:
        async for frame in source.frames(REQUEST):
            came.append(frame)
    finally:
        await source.aclose()
    return came


async def failure(url, limits):
    with pytest.raises(TransportError) as caught:
        await asyncio.wait_for(frames_of(url, limits), 20)
    assert asyncio.current_task().cancelling() == 0
    return caught.value


async def test_an_answer_that_never_begins():
    async with RawServer([STALL]) as server:
        error = await failure(server.url, Timeouts(first=SHORT))
        assert "no data from 127.0.0.1 for 0.2 s" in str(error)
        assert error.passing
        await asyncio.wait_for(server.gone.wait(), 30)


async def test_an_answer_that_falls_silent():
    async with RawServer([head(), event(text_frame("one")), STALL]) as server:
        assert "no data" in str(await failure(server.url, Timeouts(gap=SHORT)))
        await asyncio.wait_for(server.gone.wait(), 30)


@pytest.mark.parametrize("before", [(), (event(text_frame("one")),)])
async def test_signs_of_life_are_no_content(before):
    async with Comments(before) as server:
        error = await failure(server.url, Timeouts(gap=5, content=SHORT))
        assert "nothing but signs of life from 127.0.0.1 for 0.2 s" in str(error)


async def test_signs_of_life_are_data():
    async with Comments() as server:
        assert "signs of life" in str(await failure(server.url, Timeouts(gap=SHORT, first=SHORT, content=4 * SHORT)))


async def test_a_loop_that_was_held_up_is_no_silence():
    """A cell that computed far beyond the limit: what came meanwhile waits in the socket."""
    async with RawServer([head(), event(text_frame("one")), ONE, END]) as server:
        source = HttpSource(server.url, Secret("k" * 39), timeouts=Timeouts(first=SHORT, gap=SHORT, content=SHORT))
        came = []
        async for frame in source.frames(REQUEST):
            came.append(frame)
            asyncio.get_running_loop().call_soon(time.sleep, 5 * SHORT)
            await asyncio.sleep(0)
        await source.aclose()
        assert len(came) == 2


async def test_a_reader_in_no_hurry_is_no_silence():
    async with RawServer([head(), event(text_frame("one")), ONE, END]) as server:
        source = HttpSource(server.url, Secret("k" * 39), timeouts=Timeouts(first=SHORT, gap=SHORT, content=SHORT))
        came = 0
        async for _ in source.frames(REQUEST):
            came += 1
            await asyncio.sleep(3 * SHORT)  # the time is the fact
        await source.aclose()
        assert came == 2


async def test_a_request_that_nobody_takes():
    """The other side accepts the connection and reads nothing: 20 MB don't fit into the buffers."""
    async with asyncio.timeout(20):
        gate = asyncio.Event()

        async def deaf(_reader, writer):
            await gate.wait()
            writer.close()

        server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        source = HttpSource(url, Secret("k" * 39), timeouts=Timeouts(write=SHORT))
        big = Request("v1beta/models/m:generateContent", {"contents": ["x" * 20_000_000]})
        with pytest.raises(TransportError, match=r"took nothing of the request for 0.2 s"):
            [frame async for frame in source.frames(big)]
        gate.set()
        server.close()
        await source.aclose()
