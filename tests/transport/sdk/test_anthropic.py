"""Anthropic through its official client: the same bytes as by REST, with what its types don't know."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest
from msgspec import structs

from nbgemini.messages.turns import Options, user_turn
from nbgemini.providers.anthropic.codec import AnthropicCodec
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN
from nbgemini.transport.http import HttpSource
from nbgemini.transport.sdk import AnthropicSdkSource
from nbgemini.transport.timeouts import Timeouts
from tests.conftest import golden_bytes
from tests.fakes.raw import END, RawServer, chunk, head
from tests.providers.contracted import CONTRACTED, WHAT

ANTHROPIC = KNOWN["anthropic"]
codec = AnthropicCodec()


async def frames_of(source, request):
    try:
        async with aclosing(source.frames(request)) as frames:
            return [frame async for frame in frames]
    finally:
        await source.aclose()


def official(url):
    return AnthropicSdkSource(structs.replace(ANTHROPIC, key=Secret("a-good-key"), base_url=url), Timeouts())


@pytest.mark.parametrize("what", WHAT)
async def test_golden_streams_come_as_by_rest(what):
    request = codec.encode([user_turn("hi")], Options(model=CONTRACTED["anthropic"].model, think="low", max_tokens=9000))
    async with RawServer([head(), chunk(golden_bytes(f"anthropic_{what}")), END]) as server:
        theirs = await frames_of(official(server.url), request)
        ours = await frames_of(HttpSource(server.url, Secret("a-good-key"), service=ANTHROPIC), request)
    assert theirs == ours != []
    (by_client, told), (by_rest, expected) = server.requests
    assert json.loads(told) == json.loads(expected)
    assert b"\r\nanthropic-version: 2023-06-01\r\n" in by_client.lower()
    assert by_client.split(b" ")[:2] == by_rest.split(b" ")[:2] == [b"POST", b"/v1/messages"]


async def test_models_are_listed_with_the_key_in_its_header():
    page = b'{"data": [{"id": "claude-x", "type": "model"}], "has_more": false}'
    async with RawServer([head(content_type="application/json"), chunk(page), END]) as server:
        (frame,) = await frames_of(official(server.url), codec.list_request())
    assert [model.name for model in codec.decode_models(frame)[0]] == ["claude-x"]
    assert b"\r\nx-api-key: a-good-key\r\n" in server.requests[0][0].lower()
