"""One client for each event loop, or the user's own; whoever asks shares its connections and its end."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import httpx2
import pytest
from msgspec import structs

from nbgemini import Client, Settings
from nbgemini.errors import TransportError
from nbgemini.secrets import Secret
from nbgemini.transport.client import HttpClients, translate_error
from nbgemini.transport.http import HttpSource
from nbgemini.transport.request import Request
from nbgemini.transport.timeouts import Timeouts
from tests.fakes import script
from tests.fakes.fault_server import FaultServer
from tests.fakes.raw import END, STALL, RawServer, event, head, text_frame
from tests.transport.official import KINDS, service_at

FINE = [head(), event(text_frame("a", finish="STOP")), END]
SAID = [{"role": "user", "parts": [{"text": "hi"}]}]
REQUEST = Request("v1beta/models/m:streamGenerateContent", {"contents": SAID}, {"alt": "sse"})


async def frames_of(source):
    async with aclosing(source.frames(REQUEST)) as frames:
        return [json.loads(frame) async for frame in frames]


class Counting(httpx2.AsyncHTTPTransport):
    """A user's transport, which may be anything."""

    def __init__(self):
        super().__init__()
        self.sent = []

    async def handle_async_request(self, request):
        self.sent.append(request)
        return await super().handle_async_request(request)


@pytest.mark.parametrize("source", ["rest", "sdk"])
async def test_a_users_client_sends_all_requests_and_stays_open(source):
    transport = Counting()
    async with httpx2.AsyncClient(transport=transport, follow_redirects=True) as mine, RawServer(FINE) as server:
        settings = Settings(key=Secret("k" * 20), base_url=server.url, source=source)
        async with Client(settings, http_client=mine) as client:
            assert (await client.generate("x", model="gemini:m")).text == "a"
            client.use(structs.replace(settings, retries=0))
            assert (await client.generate("x", model="gemini:m")).text == "a"
        assert [request.url.path for request in transport.sent] == ["/v1beta/models/m:streamGenerateContent"] * 2
        assert not mine.is_closed


async def test_a_users_client_follows_no_redirect_with_the_key():
    async with RawServer(FINE) as other:
        moved = f"HTTP/1.1 307 Go\r\nLocation: {other.url}/x\r\nContent-Length: 0\r\n\r\n".encode()
        async with RawServer([moved]) as server, httpx2.AsyncClient(follow_redirects=True) as mine:
            for source in (
                HttpSource(server.url, Secret("k" * 20), clients=HttpClients(mine)),
                KINDS["gemini"][0](service_at("gemini", server.url), Timeouts(), HttpClients(mine)),
            ):
                with pytest.raises(TransportError, match="redirect"):
                    await frames_of(source)
        assert other.requests == []


async def test_sources_share_connections():
    clients = HttpClients()
    async with FaultServer(after=script.FINE) as server:
        for _ in range(2):
            await frames_of(HttpSource(server.url, Secret("k" * 20), clients=clients))
        await frames_of(KINDS["gemini"][0](service_at("gemini", server.url), Timeouts(), clients))
        assert (len(server.hits), server.connections) == (3, 1)
        await clients.aclose()


def test_each_loop_has_a_transport_of_its_own():
    clients, found = HttpClients(), []

    async def get():
        send = await clients.sender()
        assert await clients.sender() == send
        await clients.aclose()
        found.append(send)

    for _ in range(2):
        asyncio.run(get())
    assert found[0] != found[1]


async def test_what_is_retired_waits_for_the_streams_of_all():
    clients = HttpClients()
    async with RawServer([head(), event(text_frame("a")), STALL]) as server:
        one, other = (HttpSource(server.url, Secret("k" * 20), clients=clients) for _ in range(2))
        async with aclosing(one.frames(REQUEST)) as frames:
            await anext(frames)
            other.retire()
            await asyncio.sleep(0)
            assert server.open == 1, "the stream of the one goes on"
        async with asyncio.timeout(20):
            while server.open:
                await asyncio.sleep(0)


async def test_what_is_not_the_networks_is_handed_back():
    with pytest.raises(ZeroDivisionError):
        translate_error(ZeroDivisionError(), "here", Timeouts())
