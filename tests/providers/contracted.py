"""Who keeps the contract of `test_contract.py`: each codec, how its service speaks, and what its service takes.

A codec joins by an entry here and by golden streams `tests/frames/<name>_<what>.sse`, one for each of `WHAT`. In these,
whatever must go back to its own service unchanged and to no other holds the letters SIGNED, and the id of a call CALL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from nbgemini.messages.turns import Usage
from nbgemini.providers.anthropic.codec import AnthropicCodec
from nbgemini.providers.base import Codec
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.providers.interactions.codec import InteractionsCodec
from nbgemini.providers.openai.chat import ChatCodec
from nbgemini.providers.openai.responses import ResponsesCodec

WHAT = ("interleaved", "tools", "unknown", "blocked", "truncated", "error")
Said = list[tuple[str, str]]  # "thought" or "answer", and a piece of its text


class Contracted(NamedTuple):
    """One codec.

    Attributes:
        make: gives the codec.
        model: what is asked; one that thinks, calls tools and sees pictures.
        speak: writes a whole stream that says these pieces, in order, and ends well: its frames.
        usage: what `<name>_interleaved.sse` counts.
        accept: asserts that the service would take the body of a request.
        forgets: whether thoughts, signed or not, are for the turn that they belong to, and do not go back with later prompts.
    """

    make: Callable[[], Codec]
    model: str
    speak: Callable[[Said], list[dict[str, Any]]]
    usage: Usage
    accept: Callable[[Any], None]
    forgets: bool = False


def alternate(roles):
    """The user begins, the sides take turns, and the user has the last word."""
    roles = list(roles)
    assert roles == [roles[n % 2] for n in range(len(roles))]
    assert roles[0] == roles[-1] == "user"


def speak_gemini(said):
    def frame(part, **more):
        return {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0, **more}], "modelVersion": "m"}

    pieces = [frame({"text": text, "thought": True} if kind == "thought" else {"text": text}) for kind, text in said]
    return [*pieces, frame({"text": ""}, finishReason="STOP")]


def accept_gemini(body):
    alternate(content["role"] for content in body["contents"])
    for asked, answered in zip(body["contents"][1::2], body["contents"][2::2], strict=True):
        calls = [part["functionCall"] for part in asked["parts"] if "functionCall" in part]
        answers = [part["functionResponse"] for part in answered["parts"] if "functionResponse" in part]
        assert [call.get("id") for call in calls] == [answer.get("id") for answer in answers]


def speak_interactions(said):
    def step(number, kind, text):
        shown = {"type": "thought_summary", "content": {"type": "text", "text": text}}
        delta = shown if kind == "thought" else {"type": "text", "text": text}
        begun = {"type": "thought" if kind == "thought" else "model_output"}
        yield {"event_type": "step.start", "index": number, "step": begun}
        yield {"event_type": "step.delta", "index": number, "delta": delta}
        yield {"event_type": "step.stop", "index": number}

    steps = [event for number, piece in enumerate(said) for event in step(number, *piece)]
    return [*steps, {"event_type": "interaction.completed", "interaction": {"id": "v1", "model": "m", "status": "completed"}}]


def accept_interactions(body):
    from google.genai._gaos.types.interactions import CreateModelInteraction

    CreateModelInteraction.model_validate(body)
    steps = body["input"]
    sides = [step["type"] in ("user_input", "function_result") for step in steps]
    assert sides[0]
    assert sides[-1]
    spoken = [step["type"] for step in steps if step["type"] in ("user_input", "model_output")]
    assert all(step["content"] for step in steps if step["type"] in spoken)
    calls = [step["id"] for step in steps if step["type"] == "function_call"]
    assert calls == [step["call_id"] for step in steps if step["type"] == "function_result"]


def speak_openai(said):
    frames = []
    for number, (kind, run) in enumerate(groupby(said, key=lambda piece: piece[0])):
        place = {"output_index": number, **({"summary_index": 0} if kind == "thought" else {"content_index": 0})}
        word = "reasoning_summary_text" if kind == "thought" else "output_text"
        frames += [{"type": f"response.{word}.delta", **place, "delta": text} for _, text in run]
    return [*frames, {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}}]


def accept_openai(body):
    from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

    items = body["input"]
    assert all("id" not in item for item in items), "nothing is stored under an id"
    named = [{"id": "x", **item} if item["type"] in ("reasoning", "web_search_call") else item for item in items]
    held_against(ResponseCreateParamsStreaming, {**body, "input": named})  # the types, unlike the service, want an id
    assert "call_id" in items[-1] or items[-1]["role"] == "user"
    calls = [item["call_id"] for item in items if item["type"] == "function_call"]
    assert calls == [item["call_id"] for item in items if item["type"] == "function_call_output"]


def speak_openai_chat(said):
    def chunk(delta, finish=None):
        return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    pieces = [chunk({"reasoning_content" if kind == "thought" else "content": text}) for kind, text in said]
    return [chunk({"role": "assistant", "content": ""}), *pieces, chunk({}, "stop")]


def accept_openai_chat(body):
    from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

    thoughts = ("reasoning_content", "reasoning", "reasoning_details")  # other servers' words
    messages = [{name: value for name, value in message.items() if name not in thoughts} for message in body["messages"]]
    held_against(CompletionCreateParamsStreaming, without({**body, "messages": messages}, "extra_content"))
    assert messages[-1]["role"] in ("user", "tool")
    for before, message in pairwise(messages):
        if message["role"] == "tool":
            assert before["role"] == "tool" or before["tool_calls"]
        else:
            assert message["role"] != before["role"]
            assert "tool_calls" not in before, "calls are answered before anything else is said"
    calls = [call["id"] for message in messages for call in message.get("tool_calls", ())]
    assert calls == [message["tool_call_id"] for message in messages if message["role"] == "tool"]


def speak_anthropic(said):
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 1}}
    frames = [{"type": "message_start", "message": head}]
    for index, (kind, pieces) in enumerate(groupby(said, key=lambda piece: piece[0])):
        name = "thinking" if kind == "thought" else "text"
        frames.append({"type": "content_block_start", "index": index, "content_block": {"type": name, name: ""}})
        deltas = [{"type": f"{name}_delta", name: text} for _, text in pieces]
        deltas += [{"type": "signature_delta", "signature": "SIGNED"}] if kind == "thought" else []
        frames += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        frames.append({"type": "content_block_stop", "index": index})
    return [*frames, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}, {"type": "message_stop"}]


def accept_anthropic(body):
    from anthropic.types.message_create_params import MessageCreateParamsStreaming

    messages = body["messages"]
    known = [{**said, "content": [block for block in said["content"] if block["type"] != "hologram"]} for said in messages]
    held_against(MessageCreateParamsStreaming, {**body, "messages": known})
    alternate(message["role"] for message in messages)
    assert all(block["text"].strip() for message in messages for block in message["content"] if block["type"] == "text")
    for asked, answered in pairwise(messages):
        calls = [block["id"] for block in asked["content"] if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in answered["content"][: len(calls)] if block["type"] == "tool_result"]
        assert calls == results, "every call is answered at once, before anything else is said"


def without(data, key):
    match data:
        case dict():
            return {name: without(value, key) for name, value in data.items() if name != key}
        case list():
            return [without(value, key) for value in data]
    return data


def held_against(kind, body):
    """The official client's own description of a request takes it, lists and all."""

    def listed(value):
        match value:
            case dict():
                return {name: listed(inner) for name, inner in value.items()}
            case list():
                return [listed(inner) for inner in value]
            case Iterable() if not isinstance(value, str):
                return [listed(inner) for inner in value]
        return value

    assert listed(adapter(kind).validate_python(body)) == body


@cache
def adapter(kind):
    from pydantic import TypeAdapter

    return TypeAdapter(kind)  # kept: it reads the lists when they are gone through


CONTRACTED: dict[str, Contracted] = {
    "anthropic": Contracted(
        AnthropicCodec, "claude-sonnet-5-5", speak_anthropic, Usage(25, 7, 12, 10, 0, 44), accept_anthropic, forgets=True
    ),
    "gemini": Contracted(GeminiCodec, "gemini-3.8-flash", speak_gemini, Usage(25, 7, 12, 10, 0, 44), accept_gemini),
    "interactions": Contracted(
        InteractionsCodec, "gemini-3.8-flash", speak_interactions, Usage(25, 7, 12, 10, 0, 44), accept_interactions
    ),
    "openai_chat": Contracted(ChatCodec, "qwen3.5-32b", speak_openai_chat, Usage(25, 7, 12, 10, 0, 44), accept_openai_chat),
    "openai": Contracted(ResponsesCodec, "gpt-5.6-sol", speak_openai, Usage(25, 7, 12, 10, 0, 44), accept_openai),
}
