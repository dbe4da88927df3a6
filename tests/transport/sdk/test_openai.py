"""OpenAI through its official client, Responses and Chat Completions: the same bytes as by REST."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest
from msgspec import structs

from nbgemini.messages.turns import Options, user_turn
from nbgemini.providers.base import codec_of
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN
from nbgemini.transport.http import HttpSource
from nbgemini.transport.sdk import OpenAiSdkSource
from nbgemini.transport.timeouts import Timeouts
from tests.conftest import golden_bytes
from tests.fakes.raw import END, RawServer, chunk, head
from tests.providers.contracted import CONTRACTED, WHAT

PATHS = {"openai": b"/v1/responses", "openai-chat": b"/v1/chat/completions"}


async def frames_of(source, request):
    try:
        async with aclosing(source.frames(request)) as frames:
            return [frame async for frame in frames]
    finally:
        await source.aclose()


def official(dialect, url, key="a-good-key"):
    return OpenAiSdkSource(structs.replace(KNOWN[dialect], key=Secret(key), base_url=f"{url}/v1"), Timeouts())


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("what", WHAT)
async def test_golden_streams_come_as_by_rest(dialect, what):
    request = codec_of(dialect, "").encode(
        [user_turn("hi")], Options(model=CONTRACTED[dialect.replace("-", "_")].model, max_tokens=9)
    )
    async with RawServer([head(), chunk(golden_bytes(f"{dialect.replace('-', '_')}_{what}")), END]) as server:
        theirs = await frames_of(official(dialect, server.url), request)
        ours = await frames_of(HttpSource(f"{server.url}/v1", Secret("a-good-key"), service=KNOWN[dialect]), request)
    assert theirs == ours != []
    (by_client, told), (by_rest, expected) = server.requests
    assert json.loads(told) == json.loads(expected)
    assert by_client.split(b" ")[:2] == by_rest.split(b" ")[:2] == [b"POST", PATHS[dialect]]


async def test_a_server_of_ones_own_needs_no_key():
    async with RawServer([head(), chunk(golden_bytes("openai_chat_truncated")), END]) as server:
        request = codec_of("openai-chat", "").encode([user_turn("hi")], Options(model="m"))
        assert await frames_of(official("openai-chat", server.url, key=""), request) != []
