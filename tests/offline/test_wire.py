"""The offline service speaks the protocol to the byte."""

from __future__ import annotations

import json

import pytest

from nbgemini.offline.server import OfflineService
from tests.support.raw_requests import ask, connect, directive, model, path, prompt, read, request

ARRAY = path("gemini-2.0-flash", "streamGenerateContent")
SSE = path("gemini-2.0-flash")
WHOLE = path("gemini-2.0-flash", "generateContent")
TWO = directive(parts=[["answer", "a"], ["answer", "é"]], gap=0)


def frame(text, number, **more):
    prompt_tokens = -(-len(json.dumps(TWO["contents"][0]["parts"][0]["text"])) // 4)
    usage = {"promptTokenCount": prompt_tokens, "totalTokenCount": prompt_tokens}
    if more:
        usage = {"promptTokenCount": prompt_tokens, "candidatesTokenCount": 2, "totalTokenCount": prompt_tokens + 2}
    return {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.0-flash",
        "responseId": f"offline-{number}",
    }


async def test_sse_to_the_byte(service):
    answer = await ask(service, SSE, TWO)
    frames = [frame("a", 1), frame("é", 1, finishReason="STOP")]
    assert answer.body == b"".join(b"data: " + json.dumps(f, ensure_ascii=False).encode() + b"\r\n\r\n" for f in frames)
    assert answer.head.startswith("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n")


async def test_the_array_to_the_byte(service):
    answer = await ask(service, ARRAY, TWO)
    first, second = (
        json.dumps(f, indent=2, ensure_ascii=False).encode() for f in (frame("a", 1), frame("é", 1, finishReason="STOP"))
    )
    assert answer.body == b"[" + first + b"\n,\r\n" + second + b"\n]"
    assert first.startswith(b'{\n  "candidates": [\n    {\n')
    assert "\r\nContent-Type: application/json; charset=UTF-8\r\n" in answer.head


async def test_each_frame_is_a_chunk_of_its_own(service):
    reader, writer = await connect(service)
    writer.write(request(SSE, TWO))
    await reader.readuntil(b"\r\n\r\n")
    for _ in range(2):
        event = await reader.readexactly(int(await reader.readline(), 16))
        assert event.startswith(b"data: {")
        assert event.endswith(b"}\r\n\r\n")
        assert await reader.readline() == b"\r\n"
    assert await reader.readexactly(5) == b"0\r\n\r\n"
    writer.close()


async def test_a_stream_without_frames_is_well_formed(service):
    nothing = directive(parts=[])
    assert (await ask(service, ARRAY, nothing)).json == []
    assert (await ask(service, SSE, nothing)).body == b""
    assert (await ask(service, WHOLE, nothing)).status == 200


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        (path("nope"), prompt("x"), 404),
        (path(), {"contents": []}, 400),
        (path(), directive(status=503), 503),
        (path(), b"{", 400),
        (path(), b"[]", 400),
    ],
)
async def test_an_error_is_plain_in_sse_and_wrapped_in_the_array(service, target, body, status):
    plain = await ask(service, target, body)
    assert (plain.status, plain.json["error"]["code"]) == (status, status)
    assert plain.body.startswith(b'{\n  "error": {\n')
    wrapped = await ask(service, target.removesuffix("?alt=sse"), body)
    assert wrapped.status == status
    assert wrapped.json == [plain.json]
    whole = await ask(service, target.replace("streamGenerateContent?alt=sse", "generateContent"), body)
    assert (whole.status, set(whole.json)) == (status, {"error"})


async def test_one_connection_serves_many_requests(service):
    reader, writer = await connect(service)
    for target, status in ((SSE, 200), (path("nope"), 404), (ARRAY, 200), (WHOLE, 200), (SSE, 200)):
        writer.write(request(target, TWO))
        assert (await read(reader)).status == status
    writer.close()


async def test_requests_may_be_sent_ahead(service):
    reader, writer = await connect(service)
    writer.write(request(SSE, directive(frames=30)) + request(SSE, directive(frames=2)) + request(WHOLE, prompt("x")))
    assert [len((await read(reader)).frames) for _ in range(2)] == [30, 2]
    assert (await read(reader)).json["candidates"]
    writer.close()


async def test_a_connection_that_is_to_close_is_closed(service):
    reader, writer = await connect(service)
    writer.write(request(WHOLE, prompt("x"), extra="Connection: close\r\n"))
    assert b'"candidates"' in await reader.read()
    writer.close()


async def test_a_chunked_request_is_read(service):
    data = json.dumps(TWO).encode()
    reader, writer = await connect(service)
    writer.write(f"POST {SSE} HTTP/1.1\r\nx-goog-api-key: k\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    for piece in (data[:7], data[7:]):
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    writer.write(b"0\r\n\r\n")
    assert (await read(reader)).text == "aé"
    writer.close()


@pytest.mark.parametrize("junk", [b"hello\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
async def test_what_is_not_http_is_hung_up_on(service, junk):
    reader, writer = await connect(service)
    writer.write(junk)
    assert await reader.read() == b""
    writer.close()
    assert (await ask(service, WHOLE, prompt("x"))).status == 200


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
async def test_three_versions(service, version):
    assert (await ask(service, path(version=version), prompt("x"))).status == 200


async def test_other_versions_and_addresses_are_not_found(service):
    for target in (path(version="v2"), "/", "/v1/models/gemini-3.8-flash", path(method="embedContent"), "/v1/files"):
        assert (await ask(service, target, prompt("x"))).status == 404


@pytest.mark.parametrize("name", ["gemini-flash-latest", "gemini-flash-lite-latest", "gemini-pro-latest"])
async def test_moving_names_live_only_in_v1beta(service, name):
    for version in ("v1", "v1alpha"):
        answer = await ask(service, path(name, version=version), prompt("x"))
        assert answer.status == 404
        assert answer.json["error"]["message"] == (
            f"models/{name} is not found for API version {version}, or is not supported for streamGenerateContent. "
            "Call ModelService.ListModels to see the list of available models and their supported methods."
        )
    assert (await ask(service, path(name, version="v1beta"), prompt("x"))).frames[0]["modelVersion"] != name


async def test_a_key_in_the_header_or_in_the_address(service):
    assert (await ask(service, WHOLE, prompt("x"))).status == 200
    assert (await ask(service, f"{WHOLE}?key=good", prompt("x"), key=None)).status == 200
    assert (await ask(service, f"{SSE}&key=good", prompt("x"), key=None)).status == 200
    without = await ask(service, WHOLE, prompt("x"), key=None)
    assert (without.status, without.json["error"]["status"]) == (403, "PERMISSION_DENIED")
    for wrong in (await ask(service, WHOLE, prompt("x"), key="bad1"), await ask(service, f"{WHOLE}?key=bad2", key=None)):
        assert wrong.status == 400
        assert wrong.json["error"]["message"] == "API key not valid. Please pass a valid API key."
        assert wrong.json["error"]["details"][0]["reason"] == "API_KEY_INVALID"


async def test_a_key_is_never_remembered(service):
    extra = "Authorization: Bearer SECRET\r\nX-GOOG-API-KEY: SECRET\r\nX-Other: seen\r\n"
    for target in (f"{WHOLE}?key=SECRET&alt=json", f"{path('nope')}&key=SECRET", "/v1/models?key=SECRET&access_token=SECRET"):
        for key in ("SECRET", "badSECRET"):
            await ask(service, target, prompt("x"), key=key, extra=extra)
    assert len(service.requests) == 6
    assert "SECRET" not in repr(list(service.requests))
    assert "SECRET" not in repr(vars(service))
    first = service.requests[0]
    assert (first.method, first.path, first.query, first.body) == ("POST", WHOLE, {"alt": "json"}, prompt("x"))
    assert first.headers["x-other"] == "seen"


async def test_models_come_in_pages(service):
    whole = (await ask(service, "/v1beta/models", method="GET")).json
    assert set(whole) == {"models"}
    names, token = [], ""
    while True:
        page = (await ask(service, f"/v1beta/models?pageSize=7&pageToken={token}", method="GET")).json
        assert len(page["models"]) <= 7
        names += [entry["name"] for entry in page["models"]]
        if not (token := page.get("nextPageToken", "").replace("=", "%3D")):
            break
    assert names == [entry["name"] for entry in whole["models"]]
    entry = (await ask(service, "/v1/models/gemini-3.8-flash", method="GET")).json
    assert entry in whole["models"]
    assert entry["thinking"] is True
    assert all("thinking" not in entry for entry in whole["models"] if "2.0" in entry["name"])


@pytest.mark.parametrize(
    ("query", "status"), [("pageSize=0", 200), ("pageSize=-1", 400), ("pageSize=x", 400), ("pageToken=!", 400)]
)
async def test_a_strange_page(service, query, status):
    answer = await ask(service, f"/v1/models?{query}", method="GET")
    assert answer.status == status
    assert "nextPageToken" not in answer.json


async def test_count_tokens(service):
    contents = {"contents": [{"parts": [{"text": "a" * 400}]}, model({"text": "b" * 40})]}
    for body in (contents, {"generateContentRequest": {"model": "models/x", **contents}}):
        assert 100 < (await ask(service, path(method="countTokens"), body)).json["totalTokens"] < 130
    assert (await ask(service, path(method="countTokens"), {"contents": [{"role": "user"}]})).status == 400


async def test_it_listens_on_loopback_only_and_stops_twice():
    service = OfflineService(pace=0)
    with service:
        assert service.url.startswith("http://127.0.0.1:")
        with pytest.raises(OSError, match="in use"):
            OfflineService(port=int(service.url.rsplit(":")[-1])).start()
    service.stop()
    with pytest.raises(ConnectionRefusedError):
        await connect(service)
