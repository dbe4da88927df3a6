"""What the Interactions API takes, as Google's own types say it, and what its streams say, as Google's own client reads them."""

from __future__ import annotations

import base64
import json

import pytest

from nbgemini.errors import ApiError, AuthenticationError, PromptError, RateLimitError, ServerError, WireError
from nbgemini.events import (
    AnswerDelta,
    Citation,
    Citations,
    Code,
    CodeResult,
    Continuation,
    Fault,
    Finish,
    Media,
    Page,
    PartReceived,
    Passage,
    ResponseInfo,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
    UsageReport,
)
from nbgemini.providers.codecs import codec_of
from nbgemini.providers.gemini import Gemini
from nbgemini.providers.interactions import Interactions
from nbgemini.turns import Declaration, Options, Schema, Turn, Usage, user_turn
from nbgemini.wire import Framer
from tests.conftest import golden_bytes
from tests.fakes.raw import END, RawServer, chunk, head
from tests.providers.contracted import WHAT

codec = Interactions()
ASK = Options(model="gemini-3.8-flash")
PNG = base64.b64encode(b"\x89PNG").decode()


def encoded(*turns, **options):
    """The body of a request, which Google's own types take without finding anything unknown in it."""
    from google.genai._gaos.types.interactions import CreateModelInteraction

    body = codec.encode(turns, Options(**{"model": "gemini-3.8-flash", **options})).body
    taken = CreateModelInteraction.model_validate(body)
    assert not list(unknown_to_google(taken))
    assert json.loads(json.dumps(taken.model_dump(mode="json", by_alias=True, exclude_none=True))) == body
    return body


def unknown_to_google(value):
    if type(value).__name__ == "FunctionResultStepResult":
        return  # any object at all
    if getattr(value, "is_unknown", False) or getattr(value, "model_extra", None):
        yield value
    inside = vars(value).values() if hasattr(value, "model_fields_set") else value if isinstance(value, list) else ()
    for item in inside:
        yield from unknown_to_google(item)


def stream(*frames):
    decode = codec.decoder()
    return [event for frame in frames for event in decode(json.dumps(frame).encode())]


def step(block, *deltas, end=True):
    yield {"event_type": "step.start", "index": 0, "step": block}
    for delta in deltas:
        yield {"event_type": "step.delta", "index": 0, "delta": delta}
    if end:
        yield {"event_type": "step.stop", "index": 0}


def completed(status, **more):
    return {"event_type": "interaction.completed", "interaction": {"id": "v1", "status": status, **more}}


def parts(events):
    return tuple(event.part for event in events if isinstance(event, PartReceived))


def without_parts(events):
    return [event for event in events if not isinstance(event, PartReceived)]


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
    assert Interactions("v1").encode([user_turn("hi")], ASK).path == "v1/interactions"
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
        codec.result_part(ToolCall(*calls[2]), {"output": 2}, [Media("image/png", PNG)]),
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


def test_a_thought_opens_nothing_without_a_summary_and_goes_back_signed():
    thought = list(step({"type": "thought"}, {"type": "thought_signature", "signature": "c2ln"}))
    events = stream(*thought)
    assert without_parts(events) == []
    (part,) = parts(events)
    assert (part["text"], part["thought"], part["thoughtSignature"]) == ("", True, "c2ln")
    body = encoded(user_turn("hi"), Turn("model", (part, {"text": "yes"})), user_turn("and?"))
    assert body["input"][1] == {"type": "thought", "signature": "c2ln"}
    assert stream(*step({"type": "thought"})) == []


def test_a_thought_and_an_answer_come_in_pieces():
    shown = {"type": "thought_summary", "content": {"type": "text", "text": "so"}}
    thought = stream(*step({"type": "thought"}, shown, shown, {"type": "thought_signature", "signature": "c2ln"}))
    assert without_parts(thought) == [ThoughtDelta("so"), ThoughtDelta("so")]
    assert parts(thought)[-1]["origin"] == {
        "provider": "interactions",
        "block": {"type": "thought", "summary": [{"type": "text", "text": "soso"}], "signature": "c2ln"},
    }
    answer = stream(*step({"type": "model_output"}, {"type": "text", "text": "ye"}, {"text": "s"}))
    assert answer == [PartReceived({"text": "ye"}), AnswerDelta("ye"), PartReceived({"text": "s"}), AnswerDelta("s")]
    body = encoded(user_turn("hi"), Turn("model", parts([*thought, *answer])), user_turn("and?"))
    assert [said["type"] for said in body["input"]] == ["user_input", "thought", "model_output", "user_input"]
    assert codec.recall(parts([*thought, *answer])) == [*thought, *answer]


def test_a_thought_stays_a_thought_whatever_its_pieces_are_called():
    events = stream(*step({"type": "thought", "summary": [{"type": "text", "text": "a"}]}, {"type": "text", "text": "b"}))
    assert without_parts(events) == [ThoughtDelta("a"), ThoughtDelta("b")]
    late = stream({"event_type": "step.delta", "delta": {"type": "thought_summary", "content": {"type": "text", "text": "c"}}})
    assert without_parts(late) == [ThoughtDelta("c")]
    orphan = stream(
        {"event_type": "step.delta", "delta": {"type": "text", "text": "d"}}, {"event_type": "step.stop", "index": 7}
    )
    assert without_parts(orphan) == [AnswerDelta("d")]
    (unknown,) = stream(*step({"type": "model_output"}, {"type": "thought_signature", "signature": "c2ln"}))
    assert unknown == Unknown("thought_signature")


def test_a_call_grows_by_its_pieces():
    call = {"type": "function_call", "id": "c1", "name": "f", "arguments": {}, "signature": "c2ln"}
    deltas = [{"type": "arguments_delta", "arguments": piece} for piece in ('{"a"', ": 1}")]
    events = stream(*step(call, *deltas))
    kept = {"type": "function_call", "id": "c1", "name": "f", "signature": "c2ln"}
    begun = ToolCallStart("0", "f", "c1", {"origin": {"provider": "interactions", "block": kept}})
    assert events == [begun, ToolArgsDelta("0", '{"a"'), ToolArgsDelta("0", ": 1}"), ToolCallEnd("0")]
    part = codec.call_part(ToolCall("f", {"a": 1}, "c1"), begun.part)
    steps = codec.encode([user_turn("hi"), Turn("model", (part,))], ASK).body["input"]
    assert steps[1] == {**call, "arguments": {"a": 1}}


def test_arguments_that_come_whole_are_replaced_by_pieces_if_these_come_too():
    whole = {"type": "function_call", "id": "c1", "name": "f", "arguments": {"a": 1}}
    piece = {"type": "arguments_delta", "arguments": '{"a": 1}'}
    assert stream(*step(whole))[1:] == [ToolArgsText("0", '{"a": 1}'), ToolCallEnd("0")]
    assert stream(*step(whole, piece, piece))[1:] == [
        ToolArgsText("0", '{"a": 1}'),
        ToolArgsText("0", '{"a": 1}'),
        ToolArgsDelta("0", '{"a": 1}'),
        ToolCallEnd("0"),
    ]
    text = {"type": "function_call", "arguments": '{"a": 1}'}
    assert stream(*step(text, {"type": "other"}, end=False))[1:] == [ToolArgsText("0", '{"a": 1}'), Unknown("other")]
    assert stream(*step(text))[0].id is None


def test_pictures_sound_and_files():
    def shown(**delta):
        return without_parts(stream(*step({"type": "model_output"}, delta)))

    assert shown(type="image", mime_type="image/png", data=PNG) == [Media("image/png", PNG)]
    sound = {"type": "audio", "mime_type": "audio/l16", "data": PNG, "sample_rate": 16000, "channels": 1}
    assert shown(**sound) == [Media("audio/l16;rate=16000;channels=1", PNG)]
    assert shown(type="audio", mime_type="audio/l16", data=PNG, rate=24000) == [Media("audio/l16;rate=24000", PNG)]
    assert shown(type="image", uri="https://a/b") == [Unknown("fileData")]
    assert shown(type="hologram") == [Unknown("hologram")]
    assert shown() == [Unknown("None")]
    draft = stream(*step({"type": "thought"}, {"type": "thought_summary", "content": {"type": "image", "data": PNG}}))
    assert without_parts(draft) == [Media("", PNG, thought=True)]
    assert without_parts(stream(*step({"type": "thought"}, {"type": "thought_summary"}))) == [Unknown("None")]


def test_code_that_the_service_ran_is_shown_and_goes_back_as_it_came():
    call = {"type": "code_execution_call", "id": "x1"}
    ran = {"type": "code_execution_call", "arguments": {"code": "print(1)", "language": "python"}, "signature": "c2ln"}
    result = {"type": "code_execution_result", "call_id": "x1", "result": "1\n", "signature": "c2ln"}
    failed = {"type": "code_execution_result", "call_id": "x1", "is_error": True, "result": [{"type": "text", "text": "no"}]}
    events = [*stream(*step(call, ran)), *stream(*step(result)), *stream(*step(failed)), *stream(*step(call))]
    assert without_parts(events) == [Code("print(1)"), CodeResult("1\n"), CodeResult("no", ok=False), Code("")]
    body = encoded(user_turn("hi"), Turn("model", parts(events[:4])), user_turn("and?"))
    assert body["input"][1:3] == [{**ran, "id": "x1"}, result]
    other = Gemini().encode([user_turn("hi"), Turn("model", parts(events[:4])), user_turn("and?")], ASK).body["contents"][1]
    assert other["parts"] == [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
    ]


def test_searches_and_pages_become_citations_and_their_steps_go_back():
    search = {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["zoo", "zoo", ""]}, "signature": "c2ln"}
    found = {"type": "google_search_result", "call_id": "s1", "result": [{"search_suggestions": "<b>"}], "signature": "c2ln"}
    pages = [{"url": "https://a", "status": "success"}, {"url": "https://b", "status": "paywall"}, {"url": "https://c"}, {}]
    read = {"type": "url_context_result", "call_id": "u1", "result": pages}
    decode = codec.decoder()
    events = [event for block in (search, found, read) for frame in step(block) for event in decode(json.dumps(frame).encode())]
    pages_read = (Page("https://a"), Page("https://b", "paywall"), Page("https://c", "unknown"))
    assert without_parts(events) == [Citations(queries=("zoo",)), Citations(queries=("zoo",), pages=pages_read)]
    carried = parts(events)
    assert [part["origin"]["block"] for part in carried] == [search, found, read]
    assert all(part["thought"] and not part["text"] for part in carried), "nothing of it is shown"
    body = encoded(user_turn("hi"), Turn("model", carried), user_turn("and?"))
    assert body["input"][1:4] == [search, found, read]
    assert stream(*step({"type": "google_search_call", "arguments": 5}))[1:] == []


def test_passages_are_found_in_the_bytes_of_their_text():
    spot = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 3, "end_index": 6}
    place = {"type": "place_citation", "url": "https://m", "name": "M", "start_index": 3, "end_index": 6}
    nowhere = {"type": "url_citation", "title": "without an address"}
    everywhere = {"type": "url_citation", "url": "https://b"}
    events = stream(
        *step(
            {"type": "model_output"},
            {"type": "text", "text": "é "},
            {"type": "text", "text": "Zoo."},
            {"type": "text_annotation_delta", "annotations": [spot, spot, place, nowhere, everywhere]},
        )
    )
    said = Citations(
        (Citation("https://a", "A"), Citation("https://m", "M"), Citation("https://b")), (Passage(3, 6, "Zoo", (0, 1)),)
    )
    assert without_parts(events) == [AnswerDelta("é "), AnswerDelta("Zoo."), said]
    whole = {"type": "text", "text": "é Zoo.", "annotations": [spot]}
    assert without_parts(stream(*step({"type": "model_output", "content": [whole]})))[1].passages == (
        Passage(3, 6, "Zoo", (0,)),
    )


def test_a_step_that_is_newer_goes_back_and_is_counted():
    block = {"type": "dream_call", "id": "d1"}
    events = stream(*step(block, {"type": "dream_call", "of": "sheep"}))
    assert without_parts(events) == [Unknown("dream_call")]
    assert parts(events)[0]["origin"]["block"] == {**block, "of": "sheep"}
    for echo in ("user_input", "function_result"):
        assert stream(*step({"type": echo, "content": [{"type": "text", "text": "what we said"}]})) == []
    assert stream({"event_type": "interaction.weighed"}, {"new": 1}) == [Unknown("interaction.weighed"), Unknown("new")]
    assert stream({}, [], None, [{}]) == []


def usage(total):
    return {"total_input_tokens": total, "total_tokens": total, "total_output_tokens": "x"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("completed", [Finish("complete", "completed")]),
        ("requires_action", [Finish("complete", "requires_action")]),
        ("incomplete", [Finish("truncated", "INCOMPLETE")]),
        ("cancelled", [Finish("truncated", "CANCELLED")]),
        ("budget_exceeded", [Finish("truncated", "BUDGET_EXCEEDED")]),
        ("requires_continuation", [Continuation("t"), Finish("truncated", "CONTINUATION")]),
        ("queued", []),
        ("", []),
    ],
)
def test_how_it_ends(status, said):
    assert stream(completed(status, continuation_token="t")) == said


def test_a_continuation_without_a_token_goes_nowhere():
    assert stream(completed("requires_continuation")) == [Finish("truncated", "CONTINUATION")]


def test_tokens_of_hops_in_one_stream_are_counted_together():
    created = {"event_type": "interaction.created", "interaction": {"id": "v1", "model": "m"}}
    update = {"event_type": "interaction.status_update", "status": "in_progress", "usage": usage(2)}
    events = stream(created, completed("requires_continuation", usage=usage(5)), created, update, completed("completed"))
    assert [event.usage.total for event in events if isinstance(event, UsageReport)] == [5, 7]
    assert events[0] == ResponseInfo("m", "v1")
    assert stream({"event_type": "interaction.status_update"}) == []
    names = ("input", "thought", "output", "cached", "tool_use")
    counted = {f"total_{name}_tokens": number for number, name in enumerate(names, 1)}
    assert stream(completed("", usage={**counted, "total_tokens": 9})) == [UsageReport(Usage(1, 2, 3, 4, 5, 9))]


@pytest.mark.parametrize(
    ("code", "kind", "passing"),
    [
        ("service_unavailable", ServerError, True),
        ("rate_limit_exceeded", RateLimitError, True),
        ("quota_exceeded", RateLimitError, False),
        ("authentication", AuthenticationError, False),
        ("model_not_found", ApiError, False),
        ("invented", ApiError, False),
    ],
)
def test_errors_are_told_by_their_words(code, kind, passing):
    for frame in ({"event_type": "error", "error": {"code": code, "message": "m"}}, [{"error": {"code": code}}]):
        (fault,) = stream(frame)
        assert isinstance(fault, Fault)
        assert (type(fault.error), fault.error.passing) == (kind, passing)
    (failed,) = stream(completed("failed", errors=[{"code": code, "message": "m"}]))
    assert type(failed.error) is kind


def test_errors_without_a_code():
    (plain,) = stream({"error": "no more"})
    assert "no more" in str(plain.error)
    (silent,) = stream(completed("failed"))
    assert "does not say why" in str(silent.error)
    (inside,) = stream(*step({"type": "model_output", "error": {"code": 13, "message": "inner"}}))
    assert "inner" in str(inside.error)


def test_what_is_withheld_or_misshapen_is_an_end_and_no_fault():
    def told(code):
        return stream({"event_type": "error", "error": {"code": code, "message": "m"}})

    assert told("safety") == [Finish("blocked", "SAFETY", "m")]
    assert told("content_blocked") == [Finish("blocked", "CONTENT_BLOCKED", "m")]
    assert told("malformed_function_call") == [Finish("truncated", "MALFORMED_FUNCTION_CALL", "m")]


def test_an_interaction_that_comes_whole_says_the_same():
    steps = [{"type": "thought", "signature": "c2ln"}, {"type": "model_output", "content": [{"type": "text", "text": "yes"}]}]
    events = stream(
        {"id": "v1", "object": "interaction", "model": "m", "status": "completed", "usage": usage(3), "steps": steps}
    )
    assert without_parts(events) == [
        AnswerDelta("yes"),
        UsageReport(Usage(3, 0, 0, 0, 0, 3)),
        ResponseInfo("m", "v1"),
        Finish("complete", "completed"),
    ]
    assert parts(events)[0]["thoughtSignature"] == "c2ln"


def test_what_is_no_json_is_one_wire_error():
    with pytest.raises(WireError):
        codec.decoder()(b"{")


def test_models_are_listed_as_by_gemini():
    assert codec.list_request("t") == Gemini().list_request("t")
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
