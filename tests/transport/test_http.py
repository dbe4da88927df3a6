"""Over real sockets: the key stays in its header, errors are ours, and leaving closes the connection at once."""

from __future__ import annotations

import asyncio
import json
import os
import traceback
import warnings
from contextlib import aclosing

import pytest

from nbgemini.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    ServerError,
    TransportError,
    WireError,
)
from nbgemini.secrets import Secret
from nbgemini.transport.http import HttpSource
from nbgemini.transport.request import Request
from nbgemini.transport.timeouts import Timeouts
from tests.conftest import as_array, golden_frames
from tests.fakes.raw import CLOSE, END, RESET, STALL, RawServer, chunk, event, head, text_frame

pytestmark = pytest.mark.usefixtures("way")
KEY = "AIzaCANARYcanaryCANARYcanaryCANARYcanary"
REQUEST = Request("v1beta/models/m:streamGenerateContent", {"contents": []}, {"alt": "sse"})


async def frames_of(server, limits=None):
    source = HttpSource(server.url, Secret(KEY), timeouts=limits)
    try:
        async with aclosing(source.frames(REQUEST)) as frames:
            return [json.loads(frame) async for frame in frames]
    finally:
        await source.aclose()


def refusal(status, body, content_type="application/json"):
    return [head(status, content_type), chunk(body), END]


async def test_frames_come_in_order_and_the_key_only_in_its_header():
    sent = [text_frame("a"), text_frame("b", finish="STOP")]
    async with RawServer([head(), *map(event, sent), END]) as server:
        assert await frames_of(server) == sent
    request, body = server.requests[0]
    assert request.lower().count(KEY.lower().encode()) == 1
    assert f"x-goog-api-key: {KEY}".lower().encode() in request.lower()
    assert request.startswith(b"POST /v1beta/models/m:streamGenerateContent?alt=sse ")
    assert KEY.encode() not in body


async def test_the_framing_is_told_by_the_bytes_not_by_the_content_type():
    sent = golden_frames("interleaved")
    async with RawServer([head(content_type="text/event-stream"), chunk(as_array(sent)), END]) as server:
        assert await frames_of(server) == sent


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            "400 Bad Request",
            {
                "code": 400,
                "message": "API key not valid.",
                "status": "INVALID_ARGUMENT",
                "details": [{"reason": "API_KEY_INVALID"}],
            },
            AuthenticationError,
            "%gemini key",
        ),
        ("403 Forbidden", {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}, AuthenticationError, "403"),
        ("404 Not Found", {"code": 404, "message": "models/x is not found", "status": "NOT_FOUND"}, ApiError, "%gemini models"),
        ("429 Too Many Requests", {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}, RateLimitError, "429"),
        ("503 Unavailable", {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}, ServerError, "again"),
        ("500 Oops", {"code": "internal", "message": "x"}, ServerError, "x"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_an_error_body_becomes_one_of_ours(status, body, kind, words, wrapped):
    data = json.dumps([{"error": body}] if wrapped else {"error": body}, indent=2).encode()
    async with RawServer(refusal(status, data)) as server:
        with pytest.raises(kind, match=words) as caught:
            await frames_of(server)
    assert "\n" not in str(caught.value)


async def test_retry_info_and_daily_quotas_are_told():
    details = [{"retryDelay": "42s"}, {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]
    async with RawServer(refusal("429 No", json.dumps({"error": {"code": 429, "details": details}}).encode())) as server:
        with pytest.raises(RateLimitError) as caught:
            await frames_of(server)
    assert (caught.value.retry_after, caught.value.daily) == (42.0, True)


@pytest.mark.parametrize("body", [b"<html><h1>502</h1></html>", b"", b"[]", b"null", b'{"error": "text"}', b"\xff\xfe"])
async def test_an_error_body_of_any_kind_is_an_api_error(body):
    async with RawServer(refusal("502 Bad Gateway", body, "text/html")) as server:
        with pytest.raises(ServerError):
            await frames_of(server)


async def test_a_page_in_place_of_an_answer_is_told():
    async with RawServer(refusal("200 OK", b"<html>log in to the wifi</html>", "text/html")) as server:
        with pytest.raises(WireError, match="text/html"):
            await frames_of(server)


@pytest.mark.parametrize("ending", [RESET, CLOSE])
async def test_a_broken_connection_gives_the_frames_before_it_and_then_our_error(ending):
    came = []
    async with RawServer([head(), event(text_frame("a")), ending]) as server:
        source = HttpSource(server.url, Secret(KEY))
        with pytest.raises(TransportError) as caught:
            async with aclosing(source.frames(REQUEST)) as frames:
                async for frame in frames:
                    came.append(json.loads(frame))
        await source.aclose()
    assert came in ([text_frame("a")], [])  # a reset may overtake what was sent before it
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None


async def test_silence_is_ended_by_the_gap_limit():
    async with RawServer([head(), event(text_frame("a")), STALL]) as server:
        with pytest.raises(TransportError, match="no data"):
            await frames_of(server, Timeouts(gap=0.1))


async def test_nobody_listens():
    async with RawServer([]) as server:
        pass
    with pytest.raises(TransportError, match="can't reach 127.0.0.1"):
        await frames_of(server)


async def test_a_redirect_is_not_followed():
    async with RawServer([b"HTTP/1.1 307 Go\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"]) as server:
        with pytest.raises(TransportError, match="evil.example"):
            await frames_of(server)


async def test_leaving_early_closes_the_connection_at_once():
    async with RawServer([head(), event(text_frame("a")), STALL]) as server:
        source = HttpSource(server.url, Secret(KEY))
        async with aclosing(source.frames(REQUEST)) as frames:
            await anext(frames)
        await asyncio.wait_for(server.gone.wait(), 30)
        await source.aclose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
async def test_a_forked_child_holds_no_stream_open():
    async with RawServer([head(), event(text_frame("a")), STALL]) as server:
        source = HttpSource(server.url, Secret(KEY))
        async with aclosing(source.frames(REQUEST)) as frames:
            await anext(frames)
            reading, writing = os.pipe()
            with warnings.catch_warnings(
                action="ignore", category=DeprecationWarning
            ):  # of threads, which the child has no use for
                child = os.fork()
            if not child:
                os.read(reading, 1)
                os._exit(0)
        try:
            await asyncio.wait_for(server.gone.wait(), 30)
        finally:
            os.write(writing, b".")
            await asyncio.to_thread(os.waitpid, child, 0)
        await source.aclose()


async def test_cancelling_closes_the_connection_at_once():
    async with RawServer([head(), event(text_frame("a")), STALL]) as server:
        task = asyncio.create_task(frames_of(server))
        while not server.requests:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait_for(server.gone.wait(), 30)
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("url", ["http://example.org", "ftp://x", "example.org", ""])
def test_an_address_that_would_show_the_key_is_refused(url):
    with pytest.raises(ConfigurationError):
        HttpSource(url, Secret(KEY))


def test_one_source_serves_several_loops(service):
    source = HttpSource(service.url, Secret("k"))

    async def models():
        async with aclosing(source.frames(Request("v1beta/models", method="GET"))) as frames:
            found = [frame async for frame in frames]
        await source.aclose()
        return found

    assert asyncio.run(models()) == asyncio.run(models())
