"""A service that answers a stream request at once, or ends without a reason, is understood and asked but once."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from nbgemini import Client, Settings
from nbgemini.errors import ApiError, TransportError
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN
from tests.conftest import soon
from tests.fakes.raw import CLOSE, END, RawServer, chunk, head

WHOLE = {
    "gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}}]},
    "interactions": {"steps": [{"type": "model_output", "content": [{"type": "text", "text": "Hi"}]}]},
    "anthropic": {"type": "message", "model": "m", "content": [{"type": "text", "text": "Hi"}], "usage": {}},
    "openai": {"object": "response", "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]},
    "openai-chat": {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "Hi"}}]},
}
PIECES = {
    "gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}}]},
    "interactions": {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Hi"}},
    "anthropic": {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}},
    "openai": {"type": "response.output_text.delta", "item_id": "m", "delta": "Hi"},
    "openai-chat": {"choices": [{"index": 0, "delta": {"content": "Hi"}}]},
}


async def asked(name, *script, **options):
    """The reply of a service that answers so, and how often it was asked."""
    async with RawServer([*script]) as server:
        services = {name: structs.replace(KNOWN[name], base_url=server.url, key=Secret("k"))}
        async with Client(Settings(key=Secret("k"), base_url=server.url, services=services), sleep=soon) as client:
            chat = client.one_shot()
            reply = chat.begin("Hi", model=f"{name}:m", **options)
            await chat.drive(reply)
        return reply, len(server.requests)


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
async def test_a_whole_answer_is_read_and_never_asked_again(name, content_type):
    reply, times = await asked(name, head(content_type=content_type), chunk(json.dumps(WHOLE[name], indent=1).encode()), END)
    assert (reply.state, reply.text, times) == ("complete", "Hi", 1)


@pytest.mark.parametrize("name", sorted(WHOLE))
async def test_a_whole_answer_that_says_nothing_is_not_asked_again_either(name):
    """Each answer is paid."""
    whole = json.loads(json.dumps(WHOLE[name]).replace('"Hi"', '""'))
    whole |= {"usageMetadata": {"candidatesTokenCount": 3}, "usage": {"output_tokens": 3, "total_output_tokens": 3}}
    if name == "openai-chat":
        whole["usage"] = {"completion_tokens": 3}
    reply, times = await asked(name, head(), chunk(json.dumps(whole).encode()), END)
    assert (reply.text, times) == ("", 1)


@pytest.mark.parametrize("name", sorted(PIECES))
@pytest.mark.parametrize("end", [END, CLOSE], ids=["whole", "cut"])
async def test_done_is_the_end_of_an_answer_without_a_reason(name, end):
    said = f"data: {json.dumps(PIECES[name])}\n\n".encode()
    reply, times = await asked(name, head(), chunk(said), chunk(b"data: [DONE]\n\n"), end)
    assert (reply.state, reply.text, times) == ("complete", "Hi", 1)
    cut, times = await asked(name, head(), chunk(said), END)
    assert (cut.state, cut.text, times) == ("truncated", "Hi", 1)


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("body", [b"data: [DONE]\n\n", b'{"something": "else"}'])
async def test_what_is_whole_and_says_nothing_is_an_empty_answer_and_paid(name, body):
    reply, times = await asked(name, head(), chunk(body), END)
    assert (reply.state, times) == ("failed", 1)
    assert isinstance(reply.error, TransportError)
    reply, times = await asked(name, head(), END)
    assert (reply.state, times) == ("failed", 3), "nothing came at all"


@pytest.mark.parametrize("name", sorted(WHOLE))
async def test_an_error_that_comes_as_an_answer_is_told_once(name):
    reply, times = await asked(name, head(), chunk(b'{"message": "No way.", "code": 400}'), END)
    assert (reply.state, times) == ("failed", 1)
    assert isinstance(reply.error, ApiError)
    assert "No way." in str(reply.error)


async def test_what_was_held_back_is_kept_when_the_connection_breaks():
    said = b'data: {"choices":[{"index":0,"delta":{"content":"<thi"}}]}\n\n'
    for end in (END, CLOSE):
        reply, times = await asked("openai-chat", head(), chunk(said), end)
        assert (reply.state, reply.text, times) == ("truncated", "<thi", 1)


async def test_a_thought_between_tags_is_no_part_of_the_object():
    said = {"choices": [{"index": 0, "message": {"content": "<think>[1]?</think>\n[1, 2]"}, "finish_reason": "stop"}]}
    reply, _ = await asked("openai-chat", head(), chunk(json.dumps(said).encode()), END, schema=list[int])
    assert (reply.parsed, reply.thoughts, reply.text) == ([1, 2], "[1]?", "[1, 2]")
