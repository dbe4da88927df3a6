"""Over real sockets: connections serve again where they may, are closed at once where they must, and no request costs the others."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from importlib.metadata import version
from types import SimpleNamespace

import httpx2
import pytest
import uvloop

from nbgemini.errors import ApiError, ConfigurationError, TransportError
from nbgemini.secrets import Secret
from nbgemini.transport import asyncio_transport
from nbgemini.transport.http import AGENT, HttpSource
from nbgemini.transport.request import Request
from nbgemini.transport.timeouts import Timeouts
from tests.canary import CANARY, found_in, said_by
from tests.fakes.fault_server import FaultServer
from tests.fakes.raw import RawServer
from tests.fakes.script import END, FINE, Chunk, Close, Send, Stall, Until, head

ASKED = Request("v1beta/models", method="GET")
BIG = Request("v1beta/models/m:countTokens", {"contents": ["x" * 20_000_000]})
WHOLE = (head(), Chunk(b'{"a": 1}'), END)


@asynccontextmanager
async def source_at(server, **limits):
    source = HttpSource(server.url, Secret("k" * 20), timeouts=Timeouts(**limits))
    try:
        yield source
    finally:
        await source.aclose()


async def asked(source, request=ASKED):
    async with aclosing(source.frames(request)) as frames:
        return [json.loads(frame) async for frame in frames if frame != b"[DONE]"]


async def until(fact):
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.001)


async def test_a_connection_serves_one_request_after_the_other():
    async with FaultServer(after=WHOLE) as server, source_at(server) as source:
        for _ in range(3):
            assert await asked(source) == [{"a": 1}]
        assert (len(server.hits), server.connections) == (3, 1)


@pytest.mark.parametrize(
    "script",
    [
        (head(Connection="close"), *WHOLE[1:]),
        (head(framing=""), Send(b'{"a": 1}'), Close()),
        (*WHOLE, Send(b"and more")),
        (head(framing="Content-Length: 8"), Send(b'{"a": 1}and more')),
    ],
    ids=["close", "without end", "more after it", "more than its length"],
)
async def test_a_connection_in_doubt_serves_once(script):
    async with FaultServer(after=script) as server, source_at(server) as source:
        for _ in range(2):
            assert await asked(source) == [{"a": 1}]
        assert server.connections == 2


@pytest.mark.parametrize("then", [(Close(),), (Send(b"HTTP/1.1 408 Too Late\r\n\r\n"),)], ids=["closed", "said something"])
async def test_a_connection_that_heard_anything_at_rest_is_let_go(then):
    go = asyncio.Event()
    async with FaultServer(after=(*WHOLE, Until(go), *then)) as server, source_at(server) as source:
        await asked(source)
        assert server.open == 1
        go.set()
        await until(lambda: not server.open)
        assert await asked(source) == [{"a": 1}]
        assert server.connections == 2


async def test_a_connection_that_ended_while_the_loop_was_busy_is_let_go():
    whole = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'
    may_end, ended = threading.Event(), threading.Event()

    def serve():
        for _ in range(2):
            connection = server.accept()[0]
            with connection:
                while b"\r\n\r\n" not in connection.recv(65_536):
                    pass
                connection.sendall(whole)
                may_end.wait(20)
            ended.set()

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as threads:
        server.settimeout(20)
        served = threads.submit(serve)
        async with source_at(SimpleNamespace(url=f"http://127.0.0.1:{server.getsockname()[1]}")) as source:
            assert await asked(source) == [{"a": 1}]
            may_end.set()
            assert ended.wait(20)  # the loop hears nothing meanwhile
            assert await asked(source) == [{"a": 1}]
        served.result()


async def test_a_connection_that_rested_too_long_is_let_go(monkeypatch):
    async with FaultServer(after=WHOLE) as server, source_at(server) as source:
        await asked(source)
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + 6)
        await asked(source)
        assert server.connections == 2
        await until(lambda: server.open == 1)


async def test_who_rests_longest_is_let_go_while_others_serve(monkeypatch):
    gate, loop = asyncio.Event(), asyncio.get_running_loop()
    now, later = loop.time, 0
    monkeypatch.setattr(loop, "time", lambda: now() + later)
    async with FaultServer(after=(head(), Until(gate), *WHOLE[1:])) as server, source_at(server) as source:
        asking = asyncio.gather(asked(source), asked(source))
        await until(lambda: len(server.hits) == 2)
        gate.set()
        await asking
        for later in (3, 6):  # noqa: B007 - the clock reads it
            await asked(source)
        await until(lambda: server.open == 1)
        assert server.connections == 2


async def test_what_comes_between_the_end_and_the_leaving_is_no_answer_to_the_next():
    go = asyncio.Event()
    stale = Send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + b'{"b": 2}')
    async with FaultServer(after=(*WHOLE, Until(go), stale)) as server, source_at(server) as source:
        send = await source._clients.sender()
        response = await send(httpx2.Request("GET", f"{server.url}/v1beta/models"))
        assert [piece async for piece in response.stream] == [b'{"a": 1}']
        go.set()
        await until(lambda: response.stream._connection.readable)
        await response.aclose()
        assert await asked(source) == [{"a": 1}]
        assert server.connections == 2


async def test_the_connections_of_a_burst_are_kept_for_the_next_one_and_none_after_the_end(monkeypatch):
    monkeypatch.setattr(asyncio_transport, "_MOST_IDLE", 20)
    gate = asyncio.Event()
    async with FaultServer(after=(head(), Until(gate), *WHOLE[1:])) as server:
        async with source_at(server) as source:
            asking = asyncio.gather(*(asked(source) for _ in range(30)))
            await until(lambda: len(server.hits) == 30)
            gate.set()
            assert await asking == [[{"a": 1}]] * 30
            await until(lambda: server.open == 20)
            assert await asyncio.gather(*(asked(source) for _ in range(20))) == [[{"a": 1}]] * 20
            assert server.connections == 30
        await until(lambda: server.open == 0)


async def test_what_rests_is_closed_though_nobody_asks_again(monkeypatch):
    monkeypatch.setattr(asyncio_transport, "_IDLE_SECONDS", 0.05)
    async with FaultServer(after=WHOLE) as server, source_at(server) as source:
        await asked(source)
        await until(lambda: server.open == 0)


async def test_what_is_closed_ends_its_streams():
    async with FaultServer(after=(head(), Stall())) as server, source_at(server) as source:
        asking = asyncio.create_task(asked(source))
        await until(lambda: server.hits)
        await source.aclose()
        with pytest.raises(TransportError, match="broke"):
            await asking
        await asyncio.wait_for(server.gone.wait(), 20)


@pytest.mark.parametrize("script", [(Stall(),), (head(), Stall()), (head(), Chunk(b'{"a":'), Stall())])
async def test_a_cancel_closes_the_connection_at_once(script):
    async with FaultServer(after=script) as server, source_at(server) as source:
        asking = asyncio.create_task(asked(source))
        await until(lambda: server.hits)
        asking.cancel()
        await asyncio.wait_for(server.gone.wait(), 20)
        with pytest.raises(asyncio.CancelledError):
            await asking


@asynccontextmanager
async def listening(talk):
    """A server that `talk` serves, and its address."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


async def test_a_cancel_while_the_request_goes_out_closes_the_connection_at_once():
    begun, gone = asyncio.Event(), asyncio.Event()

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        while await reader.read(65_536):
            await asyncio.sleep(0.05)  # it takes seconds for all of it
        gone.set()
        writer.close()

    async with listening(talk) as server, source_at(server) as source:
        asking = asyncio.create_task(asked(source, BIG))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(gone.wait(), 30)


@pytest.mark.parametrize("closes", [True, False])
async def test_an_answer_before_the_request_is_out_is_read(closes):
    refusal = b'HTTP/1.1 413 Large\r\nContent-Length: 35\r\n\r\n{"error": {"code": 413, "message": '
    refusal = refusal.replace(b"35", b"%d" % (35 + 13)) + b'"too large"}}'
    over = asyncio.Event()

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()
        if not closes:
            await over.wait()
        writer.close()

    async with listening(talk) as server, source_at(server) as source:
        for request in (BIG, ASKED):  # the rest of the first is still due on its connection
            with pytest.raises(ApiError, match="too large"):
                await asyncio.wait_for(asked(source, request), 30)
        over.set()


async def test_a_reader_in_no_hurry_holds_the_service_back():
    """Two reads and what the system's buffers take; not 64 MB."""
    sent = 0

    async def talk(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 64_000_000 and not writer.is_closing():
            writer.write(b'{"a": 1}' * 8000)
            sent += 64_000
            await writer.drain()

    async with listening(talk) as server, source_at(server) as source:
        async with aclosing(source.frames(ASKED)) as frames:
            await anext(frames)
            before = -1
            while sent != before:
                before = sent
                await asyncio.sleep(0.3)
            assert sent < 32_000_000
            count = 1
            async for _ in frames:
                count += 1
                if count == 1_000_000:
                    break
            assert sent > before


@pytest.mark.parametrize("key", ["a\r\nx-evil: 1", "a\nb", "ключ", "a\x00b", "a\x7f"])
async def test_no_header_holds_more_than_its_value(key):
    async with FaultServer(after=WHOLE) as server:
        source = HttpSource(server.url, Secret(CANARY + key))
        with pytest.raises(ConfigurationError, match="key") as caught:
            await asked(source)
        await source.aclose()
        assert server.hits == []
    assert not found_in(said_by(caught.value))


@pytest.mark.parametrize("name", ["a:b", "a\r\nb", "", "a b", "é"])
async def test_no_header_has_another_name(name):
    async with FaultServer(after=WHOLE) as server, source_at(server) as source:
        with pytest.raises(ConfigurationError):
            await source.call("GET", "v1beta/models", {name: "x"})
        assert server.hits == []


PATHS = [
    "v1beta/models/é ü:x",
    "v1beta/a%20b",
    "/upload/x?a=b&c=d",
    "a+b,c;d=e@f!$'()*~",
    "x?y=z w",
    'q"<>^`{|}\\',
    "a\r\nb: c",
]


@pytest.mark.parametrize("path", PATHS)
async def test_both_ways_ask_for_the_same_place(path, ask_by_httpx2):
    lines = []
    for by_httpx2 in (False, True):
        if by_httpx2:
            ask_by_httpx2()
        async with RawServer([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]) as server:
            source = HttpSource(f"{server.url}/base", Secret("k" * 20))
            try:
                await source.call("POST", path, {"Content-Type": "a/b"}, b"body")
            except (ConfigurationError, TransportError) as error:
                lines.append(type(error))
            await source.aclose()
            lines += [request.partition(b" HTTP/")[0] for request, _ in server.requests]
    assert lines[0] == lines[1]


async def test_query_and_body_are_written_as_they_are():
    async with FaultServer(after=WHOLE) as server, source_at(server) as source:
        await asked(source, Request("v1/m", {"a": "é"}, {"alt": "sse", "b c": "d&e=é"}))
        await asked(source, Request("v1/m", None, {}, method="GET"))
        await source.call("POST", "v1/m")
    first, second, third = (hit.request for hit in server.hits)
    assert first.body == '{"a":"é"}'.encode()
    assert first.headers["content-type"] == "application/json"
    assert first.headers["user-agent"] == AGENT
    assert "content-length" not in second.headers
    assert third.headers["content-length"] == "0"


def test_it_names_itself_with_its_version():
    assert f"nbgemini/{version('nbgemini')}" == AGENT


async def test_streams_at_once_do_not_share_a_connection():
    async with FaultServer(after=FINE) as server, source_at(server) as source:
        gate = asyncio.Event()
        server.play(*[(head(), Until(gate), *WHOLE[1:])] * 5)
        asking = [asyncio.create_task(asked(source)) for _ in range(5)]
        await until(lambda: len(server.hits) == 5)
        assert len({hit.connection for hit in server.hits}) == 5
        gate.set()
        await asyncio.gather(*asking)


def test_other_loops_carry_it_too_and_leave_nothing_open(service):
    """A name, a pool, a stream that is left, and an end: nothing complains."""
    url = service.url.replace("127.0.0.1", "localhost")

    async def talk():
        source = HttpSource(url, Secret("k" * 20))
        models = [await asked(source) for _ in range(3)]
        async with aclosing(source.frames(ASKED)) as frames:
            await anext(frames)
        await source.aclose()
        return models

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = uvloop.run(talk())
        assert found[0] == found[2] == asyncio.run(talk())[0]
        gc.collect()
