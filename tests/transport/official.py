"""The services' own clients as the tests ask them: all kinds of them the same way."""

from __future__ import annotations

import json
import traceback
from contextlib import aclosing

import pytest
from msgspec import structs

from nbgemini.secrets import Secret
from nbgemini.services import KNOWN
from nbgemini.transport.request import Request
from nbgemini.transport.sdk import AnthropicSdkSource, OpenAiSdkSource
from nbgemini.transport.sdk.google import GoogleSdkSource
from nbgemini.transport.timeouts import Timeouts

KEY = "AIzaCANARYcanaryCANARYcanaryCANARYcanary"
SAID = [{"role": "user", "content": "hi"}]
KINDS = {
    "gemini": (
        GoogleSdkSource,
        Request(
            "v1beta/models/m:streamGenerateContent",
            {"contents": [{"role": "user", "parts": [{"text": "hi"}, {"newPart": {"a": 1}}]}], "newField": [1]},
            {"alt": "sse"},
        ),
    ),
    "anthropic": (
        AnthropicSdkSource,
        Request("v1/messages", {"model": "m", "max_tokens": 9, "messages": SAID, "stream": True, "newField": [1]}),
    ),
    "openai": (OpenAiSdkSource, Request("responses", {"model": "m", "input": SAID, "stream": True, "newField": [1]})),
    "openai-chat": (
        OpenAiSdkSource,
        Request("chat/completions", {"model": "m", "messages": SAID, "stream": True, "newField": [1]}),
    ),
}
PACKAGES = {"gemini": "google.genai", "anthropic": "anthropic", "openai": "openai", "openai-chat": "openai"}
each_kind = pytest.mark.parametrize("kind", KINDS)


def service_at(kind, url):
    return structs.replace(KNOWN[kind], key=Secret(KEY), base_url=url)


def source_of(kind, server, limits=None):
    return KINDS[kind][0](service_at(kind, server.url), limits or Timeouts())


async def frames_of(kind, server, limits=None):
    source = source_of(kind, server, limits)
    try:
        async with aclosing(source.frames(KINDS[kind][1])) as frames:
            return [json.loads(frame) async for frame in frames]
    finally:
        await source.aclose()


def assert_forgets_the_key(error):
    assert KEY not in "".join(traceback.format_exception(error))
    assert (error.__cause__, error.__suppress_context__ or error.__context__) in ((None, None), (None, True))
