"""JSON may say a name twice, and its readers differ in which they believe: what is shown for approval is what runs and goes back."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from nbgemini import Client, Settings
from nbgemini.messages.events import ToolRun
from nbgemini.render.tool_card import card_html
from nbgemini.secrets import Secret
from nbgemini.services import services_from
from tests.fakes.raw import END, RawServer, chunk, head

TEXTS = {
    "twice": '{"cmd": "echo safe", "cmd": "echo evil"}',
    "twice, spelled otherwise": '{"cmd": "echo safe", "\\u0063md": "echo evil"}',
    "twice inside": '{"cmd": "echo", "more": {"a": "safe", "a": "evil"}}',
    "twice in a list": '{"cmd": "echo", "more": {"a": [{"b": "safe", "b": "evil"}]}}',
    "in another case": '{"cmd": "echo safe", "CMD": "echo evil"}',
    "with a blank": '{"cmd": "echo safe", "cmd ": "echo evil"}',
    "with nothing to see": '{"cmd": "echo safe", "cmd\\u200b": "echo evil"}',
    "of another kind": '{"cmd": "echo safe", "cmd": ["echo evil"]}',
}


def gemini(text):
    frame = {"candidates": [{"content": {"role": "model", "parts": [{"functionCall": {"name": "f", "args": "@"}}]}}]}
    return [json.dumps(frame).replace('"@"', text), FINISHED]


def anthropic(text):
    half = len(text) // 2
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
        for piece in (text[:half], text[half:])
    ]
    block = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
    message = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    return [
        json.dumps(said)
        for said in (
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            *deltas,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        )
    ]


def openai(text):
    item = {"type": "function_call", "id": "i1", "call_id": "c1", "name": "f", "arguments": ""}
    whole = {**item, "arguments": text, "status": "completed"}
    return [
        json.dumps(said)
        for said in (
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "i1", "delta": text},
            {"type": "response.function_call_arguments.done", "output_index": 0, "item_id": "i1", "arguments": text},
            {"type": "response.output_item.done", "output_index": 0, "item": whole},
            {"type": "response.completed", "response": {"id": "r1", "model": "m", "status": "completed", "output": [whole]}},
        )
    ]


def openai_chat(text):
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": text}}
    return [
        json.dumps({"id": "r1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]})
        for delta, end in (({"role": "assistant", "tool_calls": [call]}, None), ({}, "tool_calls"))
    ]


FINISHED = json.dumps({"candidates": [{"finishReason": "STOP"}]})
SERVICES = {"gemini": gemini, "anthropic": anthropic, "openai": openai, "openai-chat": openai_chat}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("text", TEXTS)
async def test_what_is_shown_is_what_runs_and_what_goes_back(service, text):
    shown, ran = [], []

    def f(cmd: str, more: dict | None = None) -> str:
        """Run it."""
        ran.append({"cmd": cmd, **({"more": more} if more else {})})
        return "done"

    async def approve(_tool, call, _number):
        shown.append((call.args, card_html(ToolRun(call, "asking"))))
        return True

    frames = [chunk(f"data: {frame}\n\n".encode()) for frame in SERVICES[service](TEXTS[text])]
    async with RawServer([head(), *frames, END], [head("400 No"), chunk(b"{}"), END]) as server:
        known = services_from({})
        asked = (
            {service: structs.replace(known[service], key=Secret("k" * 20), base_url=server.url)} if service in known else {}
        )
        settings = Settings(key=Secret("k" * 20), base_url=server.url, services={**known, **asked}, retries=0)
        async with Client(settings) as client:
            chat = client.chat("c", tools=[f], approve=approve, model="m" if service == "gemini" else f"{service}:m")
            reply = chat.begin("x")
            await chat.drive(reply)
    (call,) = reply.tool_calls
    assert len(server.requests) == 2, "the answer of the call goes out"
    assert len(shown) == len(ran)
    if shown:
        ((args, card),) = shown
        assert args == call.args == ran[0]
        assert ("safe" in card, "evil" in card) == ("safe" in str(ran), "evil" in str(ran))
    back = server.requests[1][1].decode().replace('\\"', '"')
    assert ("evil" in back, "safe" in back) == ("evil" in json.dumps(call.args), "safe" in json.dumps(call.args))
    if not ran:
        assert "bad arguments" in back, "an argument that nobody would see the effect of is no argument"
