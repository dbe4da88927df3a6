"""The offline service answers programs of its own machine, reads nothing in two ways, and holds no more than its limit."""

from __future__ import annotations

import asyncio
import json

import pytest

from nbgemini.offline.files import FileStore
from nbgemini.offline.http_server import LARGEST_BODY, BodyBudget, HttpRequest, read_requests
from nbgemini.offline.requests import InvalidRequest, Refused, decode_json
from nbgemini.offline.server import OfflineService

PATH = "/v1beta/models/gemini-3.8-flash:generateContent"
BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).encode()


async def status(service, *headers, host=None, target=PATH):
    """What the service answers to a request with these headers; PORT stands for its own."""
    place = service.url.removeprefix("http://")
    port = place.partition(":")[2]
    lines = [f"Host: {host or place}", *headers, f"Content-Length: {len(BODY)}", "x-goog-api-key: k"]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write("\r\n".join([f"POST {target} HTTP/1.1", *lines, "", ""]).replace("PORT", port).encode() + BODY)
    line = await reader.readline()
    writer.close()
    return int(line.split()[1]) if line else 0


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Origin: http://127.0.0.1:PORT",),
        ("Sec-Fetch-Site: none",),
        ("Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin"),
    ],
)
async def test_programs_of_this_machine_are_answered(service, headers):
    assert await status(service, *headers) == 200


@pytest.mark.parametrize(
    "host", ["localhost:PORT", "LOCALHOST:PORT", "[::1]:PORT", "127.0.0.1:PORT", "127.0.0.1", "localhost:8888"]
)
async def test_loopback_may_be_called_by_its_names(service, host):
    assert await status(service, host=host) == 200


STRANGERS = [
    "evil.example:PORT",
    "evil.example",
    "127.0.0.1.evil.example:PORT",
    "localhost.evil.example",
    "evil.localhost:PORT",
]
STRANGERS += ["127.0.0.1:PORT@evil.example", "0x7f000001:PORT", "127.0.0.1:PORT, evil.example", "127.0.0.1:PORT.evil.example"]


@pytest.mark.parametrize("host", STRANGERS)
async def test_whoever_calls_it_otherwise_is_refused(service, host):
    """A name that leads here is how a page of another site gets past a browser's rules."""
    assert await status(service, host=host) == 403
    assert await status(service, target=f"http://{host}{PATH}") in (403, 0)


@pytest.mark.parametrize(
    "headers",
    [
        ("Origin: http://evil.example",),
        ("Origin: null",),
        ("Origin: ",),
        ("Origin: https://127.0.0.1:PORT",),
        ("Origin: http://127.0.0.1:8888",),
        ("Origin: http://localhost:PORT",),
        ("Origin: http://127.0.0.1:PORT.evil.example",),
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: same-site",),
    ],
)
async def test_pages_of_other_sites_are_refused(service, headers):
    asked = len(service.requests)
    assert await status(service, *headers) == 403
    assert len(service.requests) == asked, "nor is what they say remembered"


def requests_in(data, room=None):
    reader = asyncio.StreamReader(limit=2**16)
    reader.feed_data(data)
    reader.feed_eof()
    return read_requests(reader, room or BodyBudget())


async def read(data, room=None):
    return await anext(requests_in(data, room), None)


TWO_WAYS = {
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a signed length": b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
    "a negative length": b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\na",
    "a length in underscores": b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n0123456789",
    "a length of other digits": "POST / HTTP/1.1\r\nContent-Length: \u00b2\r\n\r\nab".encode("latin-1"),
    "a negative chunk": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
    "a chunk in underscores": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0_1\r\na\r\n0\r\n\r\n",
    "a chunk with a prefix": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "a chunk without its end": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "a blank before the colon": b"POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\na",
    "a folded header": b"POST / HTTP/1.1\r\nX: a\r\n Content-Length: 1\r\n\r\na",
    "a bare line end": b"POST / HTTP/1.1\r\nX: a\nContent-Length: 1\r\n\r\na",
    "two hosts": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    "two origins": b"POST / HTTP/1.1\r\nOrigin: http://127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n",
    "another version": b"POST / HTTP/2.0\r\n\r\n",
    "a blank in the address": b"GET /a b HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("data", TWO_WAYS.values(), ids=TWO_WAYS)
async def test_what_can_be_read_in_two_ways_is_read_in_none(data):
    room = BodyBudget(100)
    assert await read(data, room) is None
    room.take(100)  # all of it is free


async def test_chunks_make_one_body():
    sent = b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert (await read(sent)).body == b"abcde"


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_bodies_have_one_largest_size_together(framing):
    room = BodyBudget(100_000)
    kinds = {
        "length": b"POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000,
        "chunks": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"2710\r\n%s\r\n" % (b"x" * 10_000) * 7
        + b"0\r\n\r\n",
    }
    first = requests_in(kinds[framing], room)
    assert len((await anext(first)).body) == 70_000
    assert await read(kinds[framing], room) is None, "while the first is here"
    assert await anext(first, None) is None
    assert len((await read(kinds[framing], room)).body) == 70_000


async def test_requests_that_follow_each_other_at_once_are_read_one_by_one():
    sent = b"POST /%d HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    found = [request async for request in requests_in(sent % 1 + sent % 2 + b"GET /3 HTTP/1.1\r\n\r\n" + b"POST")]
    assert [(request.path, request.body) for request in found] == [("/1", b"abc"), ("/2", b"abc"), ("/3", b"")]


@pytest.mark.parametrize("size", [2**17, 2**20])
async def test_a_head_that_does_not_end_is_not_read_on(size):
    assert await read(b"GET / HTTP/1.1\r\nX: " + b"x" * size + b"\r\n\r\n") is None


async def test_a_request_to_speak_another_protocol_is_answered_in_this_one():
    asked = b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert (await read(asked)).path == "/a"


def test_what_is_remembered_has_a_largest_size():
    service = OfflineService()
    big = HttpRequest("POST", "/x", {}, {}, b'{"a": "' + b"x" * (LARGEST_BODY // 4) + b'"}')
    for _ in range(10):
        service._remember(big)
    assert (
        sum(len(asked.body["a"]) for asked in service.requests if isinstance(asked.body, dict) and "a" in asked.body)
        <= LARGEST_BODY
    )


def test_a_body_of_too_many_values_is_not_read():
    for text in (b"[" + b"[],[]," * 200_000 + b"0]", "[" + "0," * 500_001 + "0]"):
        with pytest.raises(InvalidRequest, match="Too many values"):
            decode_json(text)
    assert decode_json(b'["' + b"x" * 1_000_000 + b'"]')


def test_files_have_a_largest_size_together(monkeypatch):
    monkeypatch.setattr("nbgemini.offline.files._MOST", 1000)
    store = FileStore()

    def upload(size):
        said = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
        said |= {"x-goog-upload-header-content-length": str(size), "x-goog-upload-header-content-type": "image/png"}
        url = store.answer(HttpRequest("POST", "/upload/v1beta/files", {}, said, b"{}"), "").headers["X-Goog-Upload-URL"]
        key = url.partition("upload_id=")[2].partition("&")[0]
        head = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
        sent = HttpRequest("POST", "/upload/v1beta/files", {"upload_id": key}, head, b"x" * size)
        return store.answer(sent, "").data["file"]["name"]

    first = upload(600)
    with pytest.raises(Refused, match="quota"):
        upload(600)
    store.answer(HttpRequest("DELETE", f"/v1beta/{first}", {}, {}, b""), "")
    upload(600)
    monkeypatch.setattr("nbgemini.offline.files._MOST_FILES", 1)
    with pytest.raises(Refused, match="quota"):
        upload(1)
