"""OpenAI's Responses API: what goes out is what it takes, what comes is what its own client makes of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

import pytest

from nbgemini.chat.response import ResponseAccumulator
from nbgemini.chat.structured_output import answer_schema
from nbgemini.errors import PromptError, RateLimitError
from nbgemini.messages.events import (
    AnswerDelta,
    Citation,
    Citations,
    CodeResult,
    ExecutedCode,
    Fault,
    Finish,
    PartReceived,
    ResponseInfo,
    ThoughtDelta,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
    UsageReport,
)
from nbgemini.messages.segments import Segmenter
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Declaration, Options, Turn, Usage, merge_text, user_turn
from nbgemini.providers.base import codec_of
from nbgemini.providers.common.parts import parts_to_events
from nbgemini.providers.openai.responses import ResponsesCodec
from tests.conftest import golden_bytes
from tests.fakes.raw import END, RawServer, chunk, head
from tests.support.provider_talk import cut

openai = ResponsesCodec()
MODEL = "gpt-5.6-sol"
NAMES = ["interleaved", "tools", "unknown", "blocked", "truncated", "searched"]


def encoded(*turns, **options):
    options = {"model": MODEL, **options}
    return openai.encode([*turns, user_turn("Go on.")], Options(**options)).body


def decoded(*frames):
    decode = openai.decoder()
    return [event for frame in frames for event in decode(json.dumps(frame).encode())]


def shown(events):
    return [event for event in events if not isinstance(event, PartReceived)]


def event(kind, **fields):
    return {"type": f"response.{kind}", "sequence_number": 1, **fields}


def item(kind, index=0, step="done", **fields):
    return event(f"output_item.{step}", output_index=index, item={"type": kind, "id": "i", **fields})


def message(text, index=0, **fields):
    return item("message", index, content=[{"type": "output_text", "text": text, **fields}])


# --- beside the official client


async def as_the_client_has_it(name):
    """Text, summaries, calls and usage of a golden stream, added up by the official client from its bytes on the wire."""
    import openai as official

    async with RawServer([head(), chunk(golden_bytes(f"openai_{name}")), END]) as server:
        async with official.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
            async with await client.responses.create(model=MODEL, input="Go on.", stream=True) as stream:
                events = [event async for event in stream]
    response = events[-1].response
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    thoughts = [event.delta for event in events if event.type == "response.reasoning_summary_text.delta"]
    calls = [one for one in response.output if one.type == "function_call"]
    said = [part.text for one in response.output if one.type == "message" for part in one.content if part.type == "output_text"]
    assert "".join(texts) == "".join(said)
    usage = response.usage
    reasoned = usage.output_tokens_details.reasoning_tokens
    counted = Usage(
        usage.input_tokens,
        reasoned,
        usage.output_tokens - reasoned,
        usage.input_tokens_details.cached_tokens,
        0,
        usage.total_tokens,
    )
    made = [(call.call_id, call.name, json.loads(call.arguments)) for call in calls]
    return "".join(said), "".join(thoughts), made, counted


def as_we_have_it(name):
    incoming, decode = ResponseAccumulator(Exchange(user_turn("Go on.")), openai, MODEL), openai.decoder()
    events = [event for frame in cut(golden_bytes(f"openai_{name}")) for event in incoming.fold(decode(frame))]
    texts = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    thoughts = "".join(event.text for event in events if isinstance(event, ThoughtDelta)).replace("\n\n", "")
    return texts, thoughts, [(call.id, call.name, call.args) for call in incoming.calls()], incoming.usage


@pytest.mark.parametrize("name", NAMES)
async def test_the_official_client_makes_the_same_of_the_same_bytes(name):
    assert as_we_have_it(name) == await as_the_client_has_it(name)


# --- what comes


def test_summaries_are_paragraphs_and_searches_and_code_are_shown():
    decode = openai.decoder()
    events = [event for frame in cut(golden_bytes("openai_searched")) for event in decode(frame)]
    thoughts = "".join(event.text for event in events if isinstance(event, ThoughtDelta))
    assert thoughts == "**Looking** it up\n\nThen counting"
    assert ExecutedCode("print(161.53 * 2)") in events
    assert CodeResult("323.06\n") in events
    *_, said = [event for event in events if isinstance(event, Citations)]
    assert said.queries == ("height of Ulm Minster",)
    assert said.sources == (Citation("https://ulm.de/x", "Ulmer Münster"),)
    (passage,) = said.passages
    answer = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert answer.encode()[passage.start : passage.end].decode() == passage.text == "([ulm.de](https://ulm.de/x))"


def test_places_of_sources_count_from_the_beginning_of_the_answer():
    note = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://a"}
    events = decoded(message("ü1", annotations=[note]), message("ü2", 1, annotations=[{**note, "url": "https://b"}]))
    *_, said = [event for event in events if isinstance(event, Citations)]
    answer = "".join(event.text for event in events if isinstance(event, AnswerDelta)).encode()
    assert [(answer[p.start : p.end].decode(), p.sources) for p in said.passages] == [("ü1", (0,)), ("ü2", (1,))]


def test_a_place_outside_of_the_text_is_none_but_its_source_counts():
    notes = [
        {"type": "url_citation", "start_index": 5, "end_index": 99, "url": "https://a", "title": "A"},
        {"type": "file_citation"},
    ]
    *_, said = decoded(message("short", annotations=notes))
    assert said == Citations((Citation("https://a", "A"),))


@pytest.mark.parametrize("action", [None, {}, {"queries": "a"}, {"query": 3}, {"type": "open_page", "url": "https://a"}])
def test_a_search_without_a_query_is_no_news(action):
    assert shown(decoded(item("web_search_call", action=action))) == []
    (said,) = shown(decoded(item("web_search_call", action={"query": "why"})))
    assert said == Citations(queries=("why",))


def test_text_of_which_no_delta_came_is_taken_from_the_end():
    """As from servers that stream items, not letters."""
    thought = item("reasoning", summary=[{"text": "A."}, {"text": "B."}], content=[{"type": "reasoning_text", "text": "C."}])
    events = decoded(thought, message("Yes.", 1), item("message", 2, content=[{"type": "refusal", "refusal": "No."}]))
    assert shown(events) == [ThoughtDelta("A."), ThoughtDelta("\n\nB."), ThoughtDelta("\n\nC."), AnswerDelta("Yes.")]


def test_raw_reasoning_is_a_thought_and_a_call_begins_a_new_one():
    think = event("reasoning_text.delta", output_index=0, content_index=0, delta="Hm.")
    call = item("function_call", 1, "added", name="f", call_id="c", arguments="")
    later = event("reasoning_text.delta", output_index=2, content_index=0, delta="So.")
    assert shown(decoded(think, call, later)) == [ThoughtDelta("Hm."), ToolCallStart("1", "f", "c"), ThoughtDelta("So.")]


def test_a_call_that_comes_in_one_piece_is_a_call():
    events = decoded(item("function_call", name="f", call_id="c", arguments='{"a": 1}'), item("function_call", 1, name="g"))
    assert events[:3] == [ToolCallStart("0", "f", "c"), ToolArgsText("0", '{"a": 1}'), ToolCallEnd("0")]
    assert events[3:] == [ToolCallStart("1", "g", None), ToolCallEnd("1")]


def test_what_the_end_says_of_arguments_replaces_their_deltas():
    """Some gateways send deltas that are enciphered."""
    delta = event("function_call_arguments.delta", output_index=0, delta="x8/+")
    done = event("function_call_arguments.done", output_index=0, arguments='{"a": 1}')
    frames = [
        item("function_call", 0, "added", name="f", call_id="c"),
        delta,
        done,
        item("function_call", name="f", call_id="c"),
    ]
    incoming = ResponseAccumulator(Exchange(user_turn("")), openai, MODEL)
    incoming.fold(decoded(*frames, event("completed", response={})))
    assert incoming.calls() == [ToolCall("f", {"a": 1}, "c")]


def test_a_whole_response_is_read_though_a_stream_was_asked_for():
    answer = {"type": "message", "content": [{"type": "output_text", "text": "Yes."}]}
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    response = {"id": "r", "object": "response", "model": "m", "status": "completed", "output": [answer], "usage": usage}
    assert shown(decoded(response)) == [
        ResponseInfo("m", "r"),
        AnswerDelta("Yes."),
        UsageReport(Usage(3, 0, 4, 0, 0, 7)),
        Finish("complete", "completed"),
    ]


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "insufficient_quota"])
def test_an_error_may_stand_by_itself_inside_an_event_or_a_response(code):
    error = {"code": code, "message": "no"}
    frames = [
        {"type": "error", **error},
        {"type": "error", "error": error},
        {"error": error},
        event("failed", response={"error": error}),
    ]
    for frame in frames:
        (fault,) = decoded(frame)
        assert isinstance(fault, Fault)
        assert isinstance(fault.error, RateLimitError)
        assert fault.error.passing == (code == "rate_limit_exceeded")
    assert "no reason" in str(decoded(event("failed", response={}))[0].error)


@pytest.mark.parametrize(
    ("reason", "state"),
    [("max_output_tokens", "truncated"), ("content_filter", "blocked"), ("steered", "truncated"), (None, "truncated")],
)
def test_why_an_answer_is_incomplete(reason, state):
    details = {"reason": reason} if reason else None
    (finish,) = decoded(event("incomplete", response={"incomplete_details": details}))
    assert finish == Finish(state, reason or "incomplete")


def test_code_that_failed_says_so_and_what_says_nothing_is_left_out():
    failed = item("code_interpreter_call", code="1/0", status="failed", outputs=None)
    assert shown(decoded(failed)) == [ExecutedCode("1/0"), CodeResult("", ok=False)]
    assert decoded(item("code_interpreter_call", code=None, outputs=[{"type": "image", "url": "x"}], status="completed")) == []


def test_what_is_newer_is_counted_and_what_is_known_to_say_nothing_is_not():
    assert decoded(event("dreamt")) == [Unknown("response.dreamt")]
    assert decoded(item("dream")) == [Unknown("dream")]
    assert decoded(event("in_progress"), {"type": "keepalive"}, {}, [], event("created", response={})) == []


def test_a_refusal_is_an_end_and_an_empty_one_is_none():
    refusal = [event("refusal.delta", output_index=0, content_index=0, delta=text) for text in ("I ", "can't.")]
    assert decoded(*refusal, event("completed", response={})) == [Finish("blocked", "refusal", "I can't.")]
    empty = item("message", content=[{"type": "refusal", "refusal": ""}])
    assert decoded(empty, event("completed", response={})) == [Finish("complete", "completed")]


def test_a_delta_that_is_no_text_says_nothing():
    kinds = ["output_text.delta", "reasoning_text.delta", "refusal.delta"]
    assert (
        decoded(*(event(kind, output_index=0, content_index=0, delta=delta) for kind in kinds for delta in ("", None, 3))) == []
    )


def test_what_was_stored_is_read_again_as_it_came():
    parts = [event.part for event in decoded_golden("searched") if isinstance(event, PartReceived)]
    segmenter, again = Segmenter(), Segmenter()
    segmenter.feed(event for event in decoded_golden("searched") if not isinstance(event, Citations))
    again.feed(parts_to_events(merge_text(parts)))
    assert [(one.kind, one.text, one.content) for one in again.segments] == [
        (one.kind, one.text, one.content) for one in segmenter.segments
    ]


# --- what goes out


def test_a_request_says_what_the_options_say():
    add = Declaration("add", "Add.", {"type": "object", "properties": {}})
    body = encoded(system="Be kind.", max_tokens=9, tools=(add,), search=True, run_code=True, think="high")
    assert body == {
        "model": MODEL,
        "instructions": "Be kind.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]}],
        "max_output_tokens": 9,
        "tools": [
            {"type": "function", "name": "add", "description": "Add.", "parameters": add.schema, "strict": False},
            {"type": "web_search"},
            {"type": "code_interpreter", "container": {"type": "auto"}},
        ],
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content", "code_interpreter_call.outputs"],
        "stream": True,
        "store": False,
    }
    request = openai.encode([user_turn("Go on.")], Options(model=MODEL))
    assert (request.path, request.method) == ("responses", "POST")
    assert encoded(urls=True, search=True)["tools"] == [{"type": "web_search"}], "which opens pages too"


@pytest.mark.parametrize(
    ("model", "think", "reasoning"),
    [
        ("gpt-5.6-sol", None, None),
        ("gpt-5.6-sol", "off", {"effort": "none"}),
        ("gpt-5.6-sol", 0, {"effort": "none"}),
        ("gpt-5.6-sol", "xhigh", {"effort": "xhigh", "summary": "auto"}),
        ("gpt-5-mini", "off", {"effort": "minimal"}),
        ("o3", "low", {"effort": "low", "summary": "auto"}),
        ("gpt-4.1", None, None),
        ("of-my-own", None, None),
        ("of-my-own", "low", {"effort": "low", "summary": "auto"}),
        ("of-my-own", "off", {"effort": "none"}),
        ("openai/gpt-5.6-sol", "minimal", {"effort": "minimal", "summary": "auto"}),
    ],
)
def test_models_are_told_to_reason_in_their_words(model, think, reasoning):
    body = encoded(model=model, think=think)
    assert body.get("reasoning") == reasoning
    assert ("include" in body) == (model in ("gpt-5.6-sol", "gpt-5-mini", "o3"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": 0}, "--seed"),
        ({"stop_at": ("x",)}, "--stop-at"),
        ({"urls": True}, "--search reads web pages"),
        ({"model": "gpt-4.1", "think": "low"}, "does not think"),
        ({"model": "gpt-6-astra", "think": "off"}, "it offers: low, medium, high"),
        ({"model": "gpt-5.6-sol", "think": "minimal"}, "it offers: off, low"),
        ({"think": 512}, "not a budget"),
        ({"model": "of-my-own", "think": 512}, "not a budget"),
        ({"temperature": 0.0}, "leave out --temperature, or add --think off"),
        ({"model": "o3", "temperature": 0.5}, "leave out --temperature$"),
    ],
)
def test_what_a_model_would_refuse_is_refused_before_it_is_sent(options, says):
    with pytest.raises(PromptError, match=says):
        encoded(**options)


def test_a_temperature_goes_to_models_that_take_it():
    assert encoded(temperature=0.0, model="gpt-4.1")["temperature"] == 0.0
    assert encoded(temperature=0.5, think="off")["temperature"] == 0.5
    assert encoded(temperature=0.5, model="of-my-own")["temperature"] == 0.5


@dataclass
class World:
    name: str


def test_answers_may_have_to_be_json():
    body = encoded(schema=answer_schema(World, "my world!"))
    form = body["text"]["format"]
    assert (form["type"], form["name"], form["strict"]) == ("json_schema", "my_world_", False)
    assert form["schema"]["properties"]["name"]["type"] == "string"
    assert "instructions" not in body
    free = encoded(format="json")
    assert free["text"] == {"format": {"type": "json_object"}}
    assert "JSON" in free["input"][0]["content"], "the service looks for the word"
    listed = encoded(schema=answer_schema(list[int], "numbers"))
    assert "text" not in listed, "it takes schemas of objects alone"
    assert '"integer"' in listed["instructions"]


def file(mime, data=b"x"):
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}}


def content(*parts):
    (item,) = openai.encode([Turn("user", parts)], Options(model=MODEL)).body["input"]
    return item["content"]


def test_files_go_along_in_the_form_of_their_kind():
    assert content(file("image/png")) == [{"type": "input_image", "image_url": "data:image/png;base64,eA==", "detail": "auto"}]
    assert content(file("application/pdf")) == [
        {"type": "input_file", "filename": "attached.pdf", "file_data": "data:application/pdf;base64,eA=="}
    ]
    assert content(file("text/csv", "ü,1".encode()), {"text": ""}) == [{"type": "input_text", "text": "ü,1"}]
    assert content({"inlineData": {"mimeType": "text/csv", "data": "a"}}) == [{"type": "input_text", "text": ""}]
    there = {"fileUri": "https://a/b"}
    assert content({"fileData": {**there, "mimeType": "image/png"}})[0]["image_url"] == "https://a/b"
    assert content({"fileData": {**there, "mimeType": "application/pdf"}}) == [
        {"type": "input_file", "file_url": "https://a/b"}
    ]
    assert content({"text": "a"}, {"strange": 1}) == [{"type": "input_text", "text": "a"}]


@pytest.mark.parametrize("part", [file("video/mp4"), file("audio/wav"), {"fileData": {"fileUri": "https://youtu.be/x"}}])
def test_a_file_that_it_does_not_take_is_refused_when_it_is_asked_and_named_later(part):
    """So that a chat goes on here that began with a service that takes it."""
    with pytest.raises(PromptError, match="attach pictures, PDF or text"):
        content({"text": "Look!"}, part)
    body = encoded(Turn("user", ({"text": "Look!"}, part)), Turn("model", ({"text": "Yes."},)))
    assert "(attached: " in body["input"][0]["content"][1]["text"]


def test_what_the_model_made_elsewhere_becomes_words():
    made = [
        {"text": "hidden", "thought": True},
        {"text": "See: "},
        file("image/png"),
        file("audio/wav"),
        {"executableCode": {"language": "PYTHON", "code": "1 + 1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
        {"strange": 1},
    ]
    said = encoded(user_turn("Do."), Turn("model", tuple(made)))["input"][1]
    text = "See: (A picture.)(Sound.)\n```python\n1 + 1\n```\n\n```\n2\n```\n"
    assert said == {"type": "message", "role": "assistant", "content": text}


def test_calls_without_ids_are_given_some_and_their_results_the_same():
    call = {"functionCall": {"name": "f", "args": {"a": "é"}}}
    answers = [{"functionResponse": {"name": "f", "response": {"output": n}}} for n in (1, 2, 3)]
    items = encoded(user_turn("Do."), Turn("model", (call, call)), Turn("user", tuple(answers)))["input"][1:6]
    assert [item["call_id"] for item in items] == ["call_1", "call_2", "call_1", "call_2", ""]
    assert [item.get("arguments", item.get("output")) for item in items[1:3]] == ['{"a": "é"}', '{"output": 1}']


def test_what_a_tool_attached_goes_along_if_it_can_be_seen():
    answer = {
        "functionResponse": {"name": "f", "id": "c", "response": {"output": 1}, "parts": [file("image/png"), file("audio/wav")]}
    }
    body = encoded(user_turn("Do."), Turn("model", ({"functionCall": {"name": "f", "id": "c"}},)), Turn("user", (answer,)))
    said, picture, sound = body["input"][2]["output"]
    assert (said["text"], picture["type"]) == ('{"output": 1}', "input_image")
    assert "audio/wav" in sound["text"]
    assert body["input"][1]["arguments"] == "{}"


def test_reasoning_goes_back_to_models_that_reason_alone():
    """Others refuse it."""
    turn = Turn("model", tuple(event.part for event in decoded_golden("interleaved") if isinstance(event, PartReceived)))
    kinds = [item["type"] for item in encoded(user_turn("Do."), turn)["input"]]
    assert kinds == ["message", "reasoning", "message", "reasoning", "message", "message"]
    assert [item.get("phase") for item in encoded(user_turn("Do."), turn)["input"] if item["type"] == "message"] == [
        None,
        "commentary",
        "final_answer",
        None,
    ]
    plain = encoded(user_turn("Do."), turn, model="gpt-4.1")["input"]
    assert [item["type"] for item in plain] == ["message"] * 4


def decoded_golden(name):
    decode = openai.decoder()
    return [event for frame in cut(golden_bytes(f"openai_{name}")) for event in decode(frame)]


def test_searches_go_back_and_reasoning_that_can_not_be_read_again_does_not():
    turn = Turn("model", tuple(event.part for event in decoded_golden("searched") if isinstance(event, PartReceived)))
    items = encoded(user_turn("Do."), turn)["input"]
    assert [item["type"] for item in items] == ["message", "reasoning", "web_search_call", "message", "message"]
    assert items[2] == {"type": "web_search_call", "action": items[2]["action"]}
    assert "encrypted_content" in items[1]
    assert decoded(item("reasoning", summary=[])) == []


# --- models


def test_the_models_that_a_server_lists():
    entries = [
        {"id": "gpt-5.6-sol", "object": "model", "owned_by": "openai"},
        {"id": "text-embedding-3-small", "object": "model"},
        {"id": "qwen", "max_model_len": 32768, "object": "model"},
        {
            "id": "deepseek/deepseek-v4",
            "name": "DeepSeek V4",
            "description": "Thinks.",
            "context_length": 1_000_000,
            "top_provider": {"max_completion_tokens": 64_000, "context_length": None},
            "supported_parameters": ["reasoning", "tools"],
        },
        "odd",
        {},
    ]
    models, following = openai.decode_models(json.dumps({"object": "list", "data": entries}).encode())
    assert following == ""
    assert [(m.name, m.thinking, m.answers) for m in models[:3]] == [
        ("gpt-5.6-sol", True, True),
        ("text-embedding-3-small", False, False),
        ("qwen", False, True),
    ]
    assert (models[2].input_limit, models[3].input_limit, models[3].output_limit) == (32768, 1_000_000, 64_000)
    assert (models[3].title, models[3].description, models[3].thinking) == ("DeepSeek V4", "Thinks.", True)
    assert openai.decode_models(b"[]") == ([], "")
    assert (openai.list_request().path, openai.list_request().method) == ("models", "GET")


def test_it_is_found_by_its_name():
    assert codec_of("openai", "").name == "openai"
    assert codec_of("openai-chat", "").name == "openai-chat"
