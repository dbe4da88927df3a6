"""What the Interactions API takes, as Google's own types say it; and what Google's own client hears in the golden streams."""

from __future__ import annotations

import json

import pytest

from nbgemini.errors import PromptError
from nbgemini.messages.events import (
    AnswerDelta,
    Fault,
    Finish,
    InlineMedia,
    ThoughtDelta,
    ToolArgsDelta,
    ToolCall,
    ToolCallStart,
    UsageReport,
)
from nbgemini.messages.turns import Declaration, Options, Schema, Turn, user_turn
from nbgemini.providers.base import codec_of
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.providers.interactions.codec import InteractionsCodec
from nbgemini.transport.framing import Framer
from tests.conftest import golden_bytes
from tests.fakes.raw import END, RawServer, chunk, head
from tests.providers.contracted import WHAT
from tests.providers.interacting import ASK, PNG, codec, encoded, parts


def test_a_request_says_what_the_options_say_and_stores_nothing():
    request = codec.encode(
        [user_turn("hi")],
        Options(
            model="models/gemini-3.8-flash",
            system="short",
            think="low",
            temperature=0.0,
            max_tokens=9,
            seed=1,
            stop_at=("X",),
        ),
        continuation="token",
    )
    assert (request.path, request.method, dict(request.query)) == ("v1beta/interactions", "POST", {})
    assert request.body == {
        "model": "gemini-3.8-flash",
        "input": [{"type": "user_input", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
        "store": False,
        "system_instruction": "short",
        "generation_config": {
            "temperature": 0.0,
            "max_output_tokens": 9,
            "seed": 1,
            "stop_sequences": ["X"],
            "thinking_summaries": "auto",
            "thinking_level": "low",
        },
        "continuation_token": "token",
    }


def test_the_version_is_the_path():
    assert InteractionsCodec("v1").encode([user_turn("hi")], ASK).path == "v1/interactions"
    assert codec_of("interactions", "v1").encode([user_turn("hi")], ASK).path == "v1/interactions"


@pytest.mark.parametrize(
    ("model", "think", "said"),
    [
        ("gemini-3.8-flash", None, {"thinking_summaries": "auto"}),
        ("gemini-3.8-flash", "off", {"thinking_summaries": "none", "thinking_level": "minimal"}),
        ("gemini-2.5-flash", "high", {"thinking_summaries": "auto", "thinking_level": "high"}),
        ("gemini-2.5-flash", "off", {"thinking_summaries": "none", "thinking_level": "minimal"}),
        ("gemini-2.0-flash", None, None),
        ("unheard-of", None, None),
        ("unheard-of", "medium", {"thinking_summaries": "auto", "thinking_level": "medium"}),
    ],
)
def test_thinking_is_said_in_levels(model, think, said):
    assert encoded(user_turn("hi"), model=model, think=think).get("generation_config") == said


@pytest.mark.parametrize(
    ("model", "think"), [("gemini-2.5-flash", 100), ("gemini-2.0-flash", "low"), ("gemini-4-argon", "off")]
)
def test_thinking_that_is_not_offered_is_refused(model, think):
    with pytest.raises(PromptError):
        codec.encode([user_turn("hi")], Options(model=model, think=think))


def test_tools_are_offered_in_googles_words():
    add = Declaration("add", "Adds.", {"type": "object", "properties": {"a": {"type": "number"}}})
    body = encoded(user_turn("hi"), tools=(add,), search=True, run_code=True, urls=True)
    assert body["tools"] == [
        {"type": "function", "name": "add", "description": "Adds.", "parameters": add.schema},
        {"type": "google_search"},
        {"type": "code_execution"},
        {"type": "url_context"},
    ]
    with pytest.raises(PromptError):
        encoded(user_turn("hi"), model="gemini-2.5-flash", tools=(add,), search=True)


def test_the_form_of_the_answer():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    json_text = {"type": "text", "mime_type": "application/json"}
    assert encoded(user_turn("hi"), format="json")["response_format"] == json_text
    body = encoded(user_turn("hi"), schema=Schema("N", schema, json.loads))
    assert body["response_format"] == {**json_text, "schema": schema}
    pictures = encoded(user_turn("hi"), model="gemini-3.1-flash-image")["response_format"]
    assert pictures == [{"type": "text"}, {"type": "image"}]
    assert encoded(user_turn("hi"), model="gemini-3.8-flash-tts")["response_format"] == [{"type": "audio"}]
    assert "response_format" not in encoded(user_turn("hi"))


def inline(mime, data=PNG):
    return {"inlineData": {"mimeType": mime, "data": data}}


def file(mime):
    return {"fileData": {"fileUri": "https://files/1", **({"mimeType": mime} if mime else {})}}


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (inline("image/png"), {"type": "image", "data": PNG, "mime_type": "image/png"}),
        (inline("audio/mp3"), {"type": "audio", "data": PNG, "mime_type": "audio/mp3"}),
        (inline("video/mp4"), {"type": "video", "data": PNG, "mime_type": "video/mp4"}),
        (inline("application/pdf"), {"type": "document", "data": PNG, "mime_type": "application/pdf"}),
        (inline("text/csv"), {"type": "document", "data": PNG, "mime_type": "text/csv"}),
        (inline("text/x-python", "eCA9IDE="), {"type": "text", "text": "x = 1"}),
        (inline("text/plain", "n"), {"type": "text", "text": ""}),
        (file("image/png"), {"type": "image", "uri": "https://files/1", "mime_type": "image/png"}),
        (file("text/plain"), {"type": "document", "uri": "https://files/1", "mime_type": "text/plain"}),
        (file(""), {"type": "video", "uri": "https://files/1"}),
    ],
)
def test_files_become_content(part, content):
    body = encoded(Turn("user", ({"text": "See:"}, part)))
    assert body["input"] == [{"type": "user_input", "content": [{"type": "text", "text": "See:"}, content]}]


def test_a_file_that_the_service_does_not_take_is_refused_in_a_line():
    with pytest.raises(PromptError, match="application/zip"):
        encoded(Turn("user", (inline("application/zip"),)))


def test_what_other_apis_ran_or_thought_becomes_text_or_nothing():
    said = (
        {"text": "so", "thought": True},
        {"text": "", "thoughtSignature": "Zm9yZWlnbg=="},
        {"text": "Look:"},
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        inline("image/png"),
        inline("audio/l16"),
        {"newThing": 1},
    )
    body = encoded(user_turn("hi"), Turn("model", said), user_turn("and?"))
    assert [step["type"] for step in body["input"]] == ["user_input", "model_output", "user_input"]
    assert body["input"][1]["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "text", "text": "```python\nprint(1)\n```"},
        {"type": "text", "text": "```\n1\n```"},
        {"type": "image", "data": PNG, "mime_type": "image/png"},
        {"type": "text", "text": "(Sound.)"},
    ]


def test_calls_and_results_name_each_other():
    """Families without ids get some: results come in the order of the calls of their name."""
    calls = [("f", {"a": 1}, None), ("g", {}, "g1"), ("f", {"a": 2}, None)]
    said = tuple(codec.call_part(ToolCall(*call), None) for call in calls)
    results = (
        codec.result_part(ToolCall(*calls[0]), {"output": 1}, ()),
        codec.result_part(ToolCall(*calls[1]), {"error": "no"}, ()),
        codec.result_part(ToolCall(*calls[2]), {"output": 2}, [InlineMedia("image/png", PNG)]),
    )
    steps = encoded(user_turn("hi"), Turn("model", said), Turn("user", results))["input"][1:]
    assert [(step["id"], step["arguments"]) for step in steps[:3]] == [("call_1", {"a": 1}), ("g1", {}), ("call_2", {"a": 2})]
    assert [step["call_id"] for step in steps[3:]] == ["call_1", "g1", "call_2"]
    assert [step.get("is_error") for step in steps[3:]] == [None, True, None]
    assert [step["result"] for step in steps[3:5]] == [{"output": 1}, {"error": "no"}]
    assert steps[5]["result"] == [
        {"type": "text", "text": '{"output": 2}'},
        {"type": "image", "data": PNG, "mime_type": "image/png"},
    ]


def test_a_stored_turn_of_nonsense_is_still_a_request():
    nonsense = (
        {"functionCall": {"args": [1]}, "origin": {"provider": "interactions", "block": {"type": 1}}},
        {"text": 5},
        {"inlineData": {"mimeType": 1}},
        {"x": 1, "origin": {"provider": "interactions", "block": {"type": "model_output"}}},
    )
    results = ({"functionResponse": {"response": "?", "parts": [1]}}, {"functionResponse": {}})
    steps = codec.encode([Turn("model", nonsense), Turn("user", results)], ASK).body["input"]
    assert [step["type"] for step in steps] == ["function_call", "model_output", "function_result", "function_result"]
    assert steps[0]["arguments"] == {}


def test_models_are_listed_as_by_gemini():
    assert codec.list_request("t") == GeminiCodec().list_request("t")
    page = json.dumps({"models": [{"name": "models/gemini-4-argon"}], "nextPageToken": "n"}).encode()
    models, following = codec.decode_models(page)
    assert ([model.name for model in models], following) == (["gemini-4-argon"], "n")


@pytest.mark.parametrize("what", WHAT)
async def test_googles_own_client_reads_the_golden_streams_as_we_do(what):
    """The same bytes: the same thoughts, answers, calls and tokens; and our request is taken by its types."""
    body = golden_bytes(f"interactions_{what}")
    theirs = await heard_by_google(body)
    framer, decode = Framer(), codec.decoder()
    events = [event for frame in (*framer.feed(body), *framer.close()) for event in decode(frame)]
    ours = {
        "thought": "".join(event.text for event in events if isinstance(event, ThoughtDelta)),
        "answer": "".join(event.text for event in events if isinstance(event, AnswerDelta)),
        "calls": [(event.name, event.id) for event in events if isinstance(event, ToolCallStart)],
        "arguments": "".join(event.text for event in events if isinstance(event, ToolArgsDelta)),
        "signatures": [part["thoughtSignature"] for part in parts(events) if part.get("thoughtSignature")],
        "total": next((event.usage.total for event in events if isinstance(event, UsageReport)), 0),
        "errors": sum(isinstance(event, Fault) or (isinstance(event, Finish) and event.state == "blocked") for event in events),
    }
    assert ours == theirs


async def heard_by_google(body):
    import httpx2
    from google import genai
    from google.genai import types

    found = {"thought": "", "answer": "", "calls": [], "arguments": "", "signatures": [], "total": 0, "errors": 0}
    async with RawServer([head(), chunk(body), END]) as server, httpx2.AsyncClient() as http:
        options = types.HttpOptions(base_url=server.url, api_version="v1beta", httpx_async_client=http)
        client = genai.Client(api_key="a-good-key", http_options=options)
        stream = await client.aio.interactions.create(**codec.encode([user_turn("hi")], ASK).body, automatic_continuation=False)
        async for event in stream:
            hear(event, found)
    return found


def hear(event, found):
    match event.event_type:
        case "step.start" if event.step.type == "function_call":
            found["calls"].append((event.step.name, event.step.id))
        case "step.delta":
            hear_delta(event.delta, found)
        case "interaction.completed":
            found["total"] = event.interaction.usage.total_tokens
        case "error":
            found["errors"] += 1


def hear_delta(delta, found):
    match delta.type:
        case "thought_summary":
            found["thought"] += delta.content.text
        case "text":
            found["answer"] += delta.text
        case "arguments_delta":
            found["arguments"] += delta.arguments
        case "thought_signature":
            found["signatures"].append(delta.signature)
        case "UNKNOWN" if "signature" in delta.raw:
            found["signatures"].append(delta.raw["signature"])
