"""Whatever JSON a client sends in any of the protocols, it gets a well-formed answer, or an error of that protocol's shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings, strategies as st

from tests.fakes.services import FakeServices
from tests.support.any_json import ANYTHING, FITTING, places, replaced
from tests.support.dialect_prompts import CALLS, SCHEMA
from tests.support.raw_requests import ask

USER = {"role": "user", "content": CALLS}
FORM = {"type": "json_schema", "schema": SCHEMA}
CALLED = {
    "anthropic": {
        "model": "claude-offline",
        "max_tokens": 4096,
        "stream": True,
        "system": [{"type": "text", "text": "x"}],
        "thinking": {"type": "adaptive", "display": "summarized"},
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
        "output_config": {"effort": "low", "format": FORM},
        "messages": [
            USER,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "weather", "input": {}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "x"}]}],
            },
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "x"}}],
            },
        ],
    },
    "chat": {
        "model": "gpt-offline",
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
        "messages": [
            {"role": "system", "content": "x"},
            USER,
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "a", "content": "x"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,x"}}]},
        ],
    },
    "responses": {
        "model": "gpt-offline",
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {**FORM, "name": "x"}},
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
        "input": [
            USER,
            {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "x"},
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,x"}]},
        ],
    },
    "interactions": {
        "model": "gemini-3.8-flash",
        "stream": True,
        "generation_config": {"thinking_summaries": "auto"},
        "response_format": [{"type": "text", "mime_type": "application/json", "schema": SCHEMA}],
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
        "input": [
            {"type": "user_input", "content": [{"type": "text", "text": CALLS}]},
            {"type": "function_call", "id": "a", "name": "weather", "arguments": {}},
            {"type": "function_result", "call_id": "a", "result": [{"type": "text", "text": "x"}]},
            {"type": "user_input", "content": [{"type": "image", "data": "x", "mime_type": "image/png"}]},
        ],
    },
}
PATHS = {
    "anthropic": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "interactions": "/v1/interactions",
}
HEADERS = {
    "anthropic": "x-api-key: k\r\nanthropic-version: 2026-10-21\r\n",
    "interactions": "x-goog-api-key: k\r\n",
    **dict.fromkeys(("chat", "responses"), "Authorization: Bearer k\r\n"),
}
HISTORY = {"anthropic": "messages", "chat": "messages", "responses": "input", "interactions": "input"}


def directed(name, told, whole):
    words = f"offline: {json.dumps(told)}"
    body = {**CALLED[name], "stream": not whole}
    if name == "chat" and whole:
        del body["stream_options"]
    return {**body, HISTORY[name]: words if name == "interactions" else [{"role": "user", "content": words}]}


def spoilt(name):
    whole = {**CALLED[name]}
    return st.builds(replaced, st.just(whole), st.sampled_from(list(places(whole))), ANYTHING)


TOLD = st.fixed_dictionaries({}, optional={**FITTING, "status": st.integers(400, 599)})
ASKED = st.sampled_from(list(CALLED)).flatmap(
    lambda name: st.tuples(
        st.just(name), st.one_of(ANYTHING, spoilt(name), st.builds(directed, st.just(name), TOLD, st.booleans()))
    )
)


@pytest.fixture(scope="module")
def running():
    with FakeServices(pace=0) as service:
        yield service


def message_of(name, data):
    if name == "anthropic":
        assert (data["type"], type(data["error"]["type"])) == ("error", str)
    elif name == "interactions":
        assert data["error"].keys() == {"code", "message"}
    else:
        assert data["error"].keys() == {"message", "type", "param", "code"}
    return data["error"]["message"]


def check_events(name, body):
    events = body.decode().split("\n\n")
    assert events.pop() == ""
    for event in events:
        *named, data = event.split("\n")
        assert len(named) == (name != "chat")
        assert data == "data: [DONE]" or isinstance(json.loads(data.removeprefix("data: ")), dict)


@settings(max_examples=400, deadline=None)
@given(ASKED)
@example(("anthropic", CALLED["anthropic"]))
@example(("chat", CALLED["chat"]))
@example(("responses", CALLED["responses"]))
@example(("interactions", CALLED["interactions"]))
@example(("chat", {**CALLED["chat"], "response_format": {"type": "json_schema", "json_schema": 5}}))
@example(("anthropic", {**CALLED["anthropic"], "output_config": {"format": {**FORM, "schema": 5}}}))
@example(("interactions", {**CALLED["interactions"], "response_format": {"mime_type": "application/json", "schema": []}}))
@example(("anthropic", {**CALLED["anthropic"], "output_config": {"format": {**FORM, "schema": {"type": []}}}}))
@example(
    ("anthropic", {**CALLED["anthropic"], "output_config": {"format": {**FORM, "schema": {"type": "array", "items": True}}}})
)
def test_every_body_is_answered(running, asked):
    import asyncio

    name, body = asked
    answer = asyncio.run(ask(running, PATHS[name], body, key=None, extra=HEADERS[name]))
    assert answer.whole
    if answer.status != 200:
        assert answer.status in range(400, 600)
        assert isinstance(message_of(name, answer.json), str)
    elif "text/event-stream" in answer.head:
        check_events(name, answer.body)
    else:
        assert answer.json["id"].startswith("offline-")


@pytest.mark.parametrize("name", list(CALLED))
async def test_the_examples_are_valid(running, name):
    assert (await ask(running, PATHS[name], CALLED[name], key=None, extra=HEADERS[name])).status == 200


@pytest.mark.parametrize("name", list(CALLED))
@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 5000, b'{"a": 1e999}', b""])
async def test_what_is_no_json(running, name, body):
    answer = await ask(running, PATHS[name], body, key=None, extra=HEADERS[name])
    assert answer.status == 400
    assert message_of(name, answer.json)
