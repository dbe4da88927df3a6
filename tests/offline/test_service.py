"""The offline service speaks the protocol byte for byte, and refuses what Google refuses."""

from __future__ import annotations

import asyncio
import json

import pytest

from nbgemini.offline.recordings import Cassette
from nbgemini.offline.server import OfflineService
from nbgemini.offline.thought_signatures import genuine, sign
from nbgemini.offline.validation import InvalidRequest, validate
from nbgemini.replay.fingerprint import normalized
from tests.fakes.tape import record

USER = {"role": "user", "parts": [{"text": "hi"}]}
CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}
ANSWER = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 1}}}]}


def model(*parts):
    return {"role": "model", "parts": list(parts)}


async def ask(service, path, body=None, *, key="k", method="POST"):
    """One request over a raw socket: status, headers and body bytes, chunks joined."""
    host, port = service.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    data = json.dumps(body).encode() if body is not None else b""
    named = f"x-goog-api-key: {key}\r\n" if key else ""
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{named}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if "chunked" in head:
        content = b""
        while size := int(await reader.readline(), 16):
            content += (await reader.readexactly(size + 2))[:-2]
    else:
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        content = await reader.readexactly(length)
    writer.close()
    return int(head.split()[1]), head, content


def prompt(text):
    return {"contents": [{"parts": [{"text": text}]}]}


async def test_both_framings_to_the_byte(service):
    path = "/v1beta/models/gemini-2.0-flash:streamGenerateContent"
    directive = prompt('offline: {"parts": [["answer", "a"], ["answer", "b"]], "gap": 0}')
    status, head, body = await ask(service, f"{path}?alt=sse", directive)
    assert (status, "text/event-stream" in head, "nbgemini-offline" in head) == (200, True, True)
    events = body.split(b"\r\n\r\n")
    assert events.pop() == b""
    assert all(event.startswith(b"data: {") and b"\n" not in event for event in events)
    _, head, array = await ask(service, path, directive)
    assert "application/json" in head
    assert array.startswith(b"[{\n  ")
    assert array.endswith(b"}\n]")
    assert array.count(b"}\n,\r\n{") == len(events) - 1
    texts = [
        [frame["candidates"][0]["content"] for frame in frames]
        for frames in (json.loads(array), [json.loads(e[6:]) for e in events])
    ]
    assert texts[0] == texts[1]


async def test_errors_are_wrapped_as_the_framing_asks(service):
    for query, wrapped in (("", True), ("?alt=sse", False)):
        status, _, body = await ask(service, f"/v1beta/models/nope:streamGenerateContent{query}", prompt("x"))
        data = json.loads(body)
        assert (status, isinstance(data, list)) == (404, wrapped)


@pytest.mark.parametrize(("version", "status"), [("v1", 404), ("v1alpha", 404), ("v1beta", 200), ("v2", 404)])
async def test_the_moving_names_live_only_in_v1beta(service, version, status):
    assert (await ask(service, f"/{version}/models/gemini-flash-latest:generateContent", prompt("x")))[0] == status


async def test_keys(service):
    path = "/v1beta/models/gemini-2.0-flash:generateContent"
    assert (await ask(service, path, prompt("x"), key=None))[0] == 403
    assert (await ask(service, f"{path}?key=good", prompt("x"), key=None))[0] == 200
    status, _, body = await ask(service, path, prompt("x"), key="bad1")
    assert (status, json.loads(body)["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")
    assert "good" not in str(list(service.requests))
    assert "bad1" not in str(list(service.requests))


async def test_models_come_in_pages(service):
    names, token = [], ""
    while True:
        _, _, body = await ask(service, f"/v1beta/models?pageSize=7&pageToken={token}", method="GET")
        page = json.loads(body)
        names += [entry["name"] for entry in page["models"]]
        token = page.get("nextPageToken", "").replace("=", "%3D")
        if not token:
            break
    assert len(names) == len(set(names)) > 14


def named(part, name):
    return {"functionCall": {**part["functionCall"], "name": name}}


def with_id(part, id_):
    return {"functionCall": {"id": id_, **part["functionCall"]}}


def answered_as(id_):
    (part,) = ANSWER["parts"]
    return {"role": "user", "parts": [{"functionResponse": {"id": id_, **part["functionResponse"]}}]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "contents is not specified"),
        ({"contents": [USER], "nope": 1}, 'Unknown name "nope"'),
        ({"contents": [USER], "generationConfig": {"tempature": 1}}, "Unknown name"),
        ({"contents": [model({"text": "x"})]}, "begin and end"),
        ({"contents": [USER, model({"text": "x"})]}, "begin and end"),
        ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
        ({"contents": [{"role": "user", "parts": [{}]}]}, "oneof"),
        ({"contents": [USER, model(sign(CALL)), USER]}, "number of function response"),
        ({"contents": [USER, model(sign(CALL), CALL), ANSWER]}, "number of function response"),
        ({"contents": [USER, model(sign(CALL)), ANSWER, ANSWER]}, "function response turn"),
        ({"contents": [USER, model(sign(CALL)), USER, ANSWER]}, "number of function response"),
        ({"contents": [USER, ANSWER]}, "function response turn comes immediately after a function call turn"),
        ({"contents": [USER, model(*ANSWER["parts"]), USER]}, "function response turn"),
        ({"contents": [{"parts": [CALL]}]}, "function call turn comes immediately after a user turn"),
        ({"contents": [USER, model(named(CALL, "")), ANSWER]}, "function_call.name: Name cannot be empty"),
        ({"contents": [USER, model(sign(with_id(CALL, "a"))), answered_as("b")]}, "ids match"),
        ({"contents": [USER, model(sign(CALL)), answered_as("b")]}, "ids match"),
        ({"contents": [USER, model({"text": "x", **CALL}), ANSWER]}, "oneof"),
        ({"contents": [USER, model(CALL), ANSWER]}, "missing a thought_signature"),
        ({"contents": [USER, model({**CALL, "thoughtSignature": "AAAA"}), ANSWER]}, "Invalid thought signature"),
        (
            {"contents": [USER, model({**CALL, "thoughtSignature": sign({"text": ""})["thoughtSignature"]}), ANSWER]},
            "Invalid thought",
        ),
        (
            {"contents": [USER], "generationConfig": {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}},
            "only one",
        ),
        ({"contents": [USER], "generationConfig": {"thinkingConfig": {"thinkingLevel": "XHIGH"}}}, "not supported"),
    ],
)
def test_what_google_refuses_is_refused(body, words):
    with pytest.raises(InvalidRequest, match=words):
        validate(body, "gemini-3.8-flash")


@pytest.mark.parametrize(
    "body",
    [
        {"contents": [USER, model({"text": "a"}, sign({"text": ""})), USER]},
        {"contents": [USER, model({"text": "a"}), model({"text": "b"}), USER]},
        {"contents": [USER, model(sign(CALL)), ANSWER]},
        {"contents": [USER, model(sign(CALL), CALL), {"role": "user", "parts": ANSWER["parts"] * 2}]},
        {"contents": [USER, model(sign(with_id(CALL, "a"))), answered_as("a")]},
        {"contents": [USER, model(sign(with_id(CALL, "a"))), ANSWER]},  # the official client's
        {"contents": [USER, model({**CALL, "thoughtSignature": "skip_thought_signature_validator"}), ANSWER]},
        {"contents": [USER], "generation_config": {"thinking_config": {"include_thoughts": True, "thinking_level": "low"}}},
        {"contents": [USER], "system_instruction": {"parts": [{"text": "x"}]}},
    ],
)
def test_what_google_takes_is_taken(body):
    assert validate(normalized(body), "gemini-3.8-flash") is None


def test_signatures_are_compared_as_bytes():
    part = sign({"text": "x"})
    assert genuine({**part, "thoughtSignature": part["thoughtSignature"].replace("+", "-").replace("/", "_").rstrip("=")})
    assert not genuine({**part, "text": "y"})


async def test_a_client_that_leaves_is_noticed(service):
    host, port = service.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(prompt('offline: {"frames": 9, "stall": 2}')).encode()
    path = "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse"
    writer.write(f"POST {path} HTTP/1.1\r\nx-goog-api-key: k\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    while not service.open_streams:
        await asyncio.sleep(0.001)
    writer.close()
    async with asyncio.timeout(0.5):
        while service.open_streams:
            await asyncio.sleep(0.001)


async def test_the_same_question_has_the_same_answer(service):
    path = "/v1beta/models/gemini-2.0-flash:generateContent"
    first, second = [json.loads((await ask(service, path, prompt("Why is the sky blue?")))[2]) for _ in range(2)]
    assert first["candidates"] == second["candidates"]


async def test_a_cassette_is_played_and_repeats_its_last_answer(tmp_path):
    path, body = tmp_path / "talk.gemini.jsonl", prompt("hi")
    for text in ("one", "two"):
        frame = {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}]}
        record(path, "gemini-2.0-flash", body, [(0.1, frame)])
    assert Cassette(path).play("gemini-2.0-flash", prompt("other")) is None
    with OfflineService(pace=0, cassette=path) as service:
        answers = [(await ask(service, "/v1beta/models/gemini-2.0-flash:generateContent", body))[2] for _ in range(3)]
    assert [json.loads(answer)["candidates"][0]["content"]["parts"][0]["text"] for answer in answers] == ["one", "two", "two"]
