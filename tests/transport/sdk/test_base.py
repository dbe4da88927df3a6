"""The services' own clients, held to what our own source promises: the same errors, one request, and no key in sight."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from contextlib import aclosing
from importlib import metadata

import pytest

from nbgemini.errors import ApiError, ConfigurationError, TransportError, WireError
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN
from nbgemini.transport.client import translate_error
from nbgemini.transport.http import HttpSource
from nbgemini.transport.origin import origin_of
from nbgemini.transport.request import Request
from nbgemini.transport.sdk.base import lent_client, library_of
from nbgemini.transport.timeouts import Timeouts
from tests.fakes.raw import CLOSE, END, RESET, STALL, RawServer, chunk, event, head, text_frame
from tests.transport.official import KEY, KINDS, PACKAGES, assert_forgets_the_key, each_kind, frames_of, service_at, source_of


def refusal(status, body, extra=""):
    return [head(status, "application/json", extra), chunk(json.dumps(body).encode()), END]


@each_kind
async def test_frames_come_in_order_and_the_request_goes_out_as_it_was_written(kind):
    sent = [text_frame("a"), text_frame("b", finish="STOP")]
    async with RawServer([head(), *map(event, sent), END]) as server:
        assert await frames_of(kind, server) == sent
    ((request, body),) = server.requests
    assert request.lower().count(KEY.lower().encode()) == 1
    assert KEY.encode() not in body
    told = json.loads(body)
    assert {**told, **KINDS[kind][1].body} == told, "nothing of it is lost or changed"
    assert set(told) - set(KINDS[kind][1].body) <= {"generationConfig"}


@each_kind
@pytest.mark.parametrize(
    ("status", "body", "extra"),
    [
        ("400 No", {"error": {"code": 400, "message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}}, ""),
        ("401 No", {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}, ""),
        ("404 No", {"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}}, ""),
        ("429 No", {"error": {"message": "slow down", "type": "rate_limit_error"}}, "Retry-After: 7\r\n"),
        ("500 No", ["?"], ""),
        ("503 No", {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}, ""),
        ("529 No", {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}, ""),
    ],
)
async def test_what_is_refused_is_told_as_by_rest_after_one_request(kind, status, body, extra):
    errors = []
    for ask in (frames_of, frames_by_rest):
        async with RawServer(refusal(status, body, extra)) as server:
            with pytest.raises(ApiError) as caught:
                await ask(kind, server)
        assert len(server.requests) == 1, "its retries are off"
        errors.append(caught.value)
    ours, rests = errors
    assert (type(ours), str(ours), ours.passing, ours.retry_after) == (
        type(rests),
        str(rests),
        rests.passing,
        rests.retry_after,
    )
    assert_forgets_the_key(ours)


async def frames_by_rest(kind, server):
    source = HttpSource(server.url, Secret(KEY), service=KNOWN[kind])
    try:
        async with aclosing(source.frames(KINDS[kind][1])) as frames:
            return [json.loads(frame) async for frame in frames]
    finally:
        await source.aclose()


@each_kind
async def test_a_redirect_is_not_followed(kind):
    async with RawServer([b"HTTP/1.1 307 Go\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"]) as server:
        with pytest.raises(TransportError, match="evil.example"):
            await frames_of(kind, server)


@each_kind
@pytest.mark.parametrize("ending", [RESET, CLOSE])
async def test_a_broken_connection_gives_the_frames_before_it_and_then_our_error(kind, ending):
    came = []
    async with RawServer([head(), event(text_frame("a")), ending]) as server:
        source = source_of(kind, server)
        with pytest.raises(TransportError) as caught:
            async with aclosing(source.frames(KINDS[kind][1])) as frames:
                async for frame in frames:
                    came.append(json.loads(frame))
        await source.aclose()
    assert came in ([text_frame("a")], [])  # a reset may overtake what was sent before it
    assert_forgets_the_key(caught.value)


@each_kind
@pytest.mark.parametrize(
    ("script", "limits"),
    [([STALL], Timeouts(first=0.1)), ([head(), event(text_frame("a")), STALL], Timeouts(gap=0.1))],
    ids=["before the first byte", "in the middle"],
)
async def test_silence_is_ended_by_our_limits(kind, script, limits):
    async with RawServer(script) as server:
        with pytest.raises(TransportError, match=r"no data from 127\.0\.0\.1 for 0\.1 s"):
            await frames_of(kind, server, limits)
        await asyncio.wait_for(server.gone.wait(), 30)


@each_kind
async def test_nobody_listens(kind):
    async with RawServer([]) as server:
        pass
    with pytest.raises(TransportError, match=r"can't reach 127\.0\.0\.1") as caught:
        await frames_of(kind, server)
    assert_forgets_the_key(caught.value)


@each_kind
async def test_a_page_in_place_of_an_answer_is_told(kind):
    async with RawServer([head(content_type="text/html"), chunk(b"<html>log in to the wifi</html>"), END]) as server:
        with pytest.raises(WireError) as caught:
            await frames_of(kind, server)
    assert_forgets_the_key(caught.value)


@each_kind
async def test_lists_go_by_rest_with_the_key_in_the_services_own_header(kind):
    async with RawServer([head(), chunk(b'{"data": []}'), END]) as server:
        source = source_of(kind, server)
        async with aclosing(source.frames(Request("some/list", None, {"limit": "9"}, "GET"))) as frames:
            assert [frame async for frame in frames] == [b'{"data": []}']
        await source.aclose()
    ((request, _),) = server.requests
    assert request.startswith(b"GET /some/list?limit=9 ")
    service = KNOWN[kind]
    assert f"\r\n{service.header}: {service.scheme}{KEY}\r\n".lower().encode() in request.lower()


@each_kind
def test_one_source_serves_several_loops(kind):
    async def once():
        async with RawServer([head(), event(text_frame("a")), END]) as server:
            sources[0] = sources[0] or source_of(kind, server)
            sources[0]._origin = origin_of(server.url)
            async with aclosing(sources[0].frames(KINDS[kind][1])) as frames:
                found = [json.loads(frame) async for frame in frames]
            await sources[0].aclose()
            return found

    sources = [None]
    assert [asyncio.run(once()) for _ in range(2)] == [[text_frame("a")]] * 2


@each_kind
async def test_the_client_is_made_off_the_loop(kind, monkeypatch):
    cls, made_in = KINDS[kind][0], []
    made = cls._new_sdk
    monkeypatch.setattr(
        cls, "_new_sdk", lambda self, *given: (made_in.append(threading.current_thread().name), made(self, *given))[1]
    )
    async with RawServer([head(), event(text_frame("a")), END]) as server:
        await frames_of(kind, server)
    assert [name.startswith("nbgemini-loading") for name in made_in] == [True]


@each_kind
async def test_a_missing_package_is_named_with_what_brings_it(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGES[kind], None)
    async with RawServer([STALL]) as server:
        with pytest.raises(ConfigurationError, match=r"pip install ('nbgemini\[(anthropic|openai)\]'|google-genai)$") as caught:
            await frames_of(kind, server)
    assert server.requests == []
    assert_forgets_the_key(caught.value)


@each_kind
def test_an_address_that_would_show_the_key_is_refused(kind):
    with pytest.raises(ConfigurationError):
        KINDS[kind][0](service_at(kind, "http://example.org"), Timeouts())


def test_no_official_client_is_imported_before_it_is_asked():
    code = (
        "import sys, nbgemini, nbgemini.client, nbgemini.transport.sdk, nbgemini.transport.sdk.google\n"
        "import nbgemini.transport.sdk, nbgemini.transport.sdk\n"
        "print(sorted({'google.genai', 'anthropic', 'openai', 'httpx2', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_older_clients_get_connections_of_the_library_they_are_made_for(monkeypatch):
    assert library_of("google-genai") == "httpx2"
    for needs, library in (
        (["httpx<1.0.0,>=0.28.1", 'httpx2; extra == "new"'], "httpx"),
        (["httpx2-jsfetch", "httpx>=0.28"], "httpx"),
        (["anyio", "httpx2<3,>=2.16"], "httpx2"),
        (None, "httpx"),
    ):
        monkeypatch.setattr(metadata, "requires", lambda _, needs=needs: needs)
        assert library_of("a-client") == library


@pytest.mark.parametrize("library", ["httpx2", "httpx"])
@pytest.mark.parametrize("kind", ["anthropic"])
async def test_either_library_is_lent_the_same_connections(kind, library):
    """Streams, and errors in our own words: what the one library's client asks, our httpx2 client carries."""
    http = pytest.importorskip(library)
    async with RawServer([head(), event(text_frame("a")), END]) as server:
        source = source_of(kind, server)
        async with lent_client(http, source._carry) as client:
            assert isinstance(client, http.AsyncClient)
            assert not client.follow_redirects
            async with client.stream("POST", server.url, json={"a": 1}) as response:
                assert (response.status_code, b"".join([piece async for piece in response.aiter_bytes()])[:5]) == (
                    200,
                    b"data:",
                )
    with pytest.raises(Exception, match=".") as caught:
        async with lent_client(http, source._carry) as client:
            await client.get("http://127.0.0.1:9")
    assert "can't reach here" in str(translate_error(caught.value, "here", Timeouts()))
    await source.aclose()
