"""What the streams of the Interactions API say: steps that begin, go on and end, under their numbers."""

from __future__ import annotations

import json

import pytest

from nbgemini.errors import ApiError, AuthenticationError, RateLimitError, ServerError, WireError
from nbgemini.messages.events import (
    AnswerDelta,
    Citation,
    Citations,
    CodeResult,
    Continuation,
    ExecutedCode,
    Fault,
    Finish,
    InlineMedia,
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
from nbgemini.messages.turns import Turn, Usage, user_turn
from nbgemini.providers.common.parts import parts_to_events
from nbgemini.providers.gemini.codec import GeminiCodec
from tests.providers.interacting import ASK, PNG, codec, completed, encoded, parts, step, stream, without_parts


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
    assert parts_to_events(parts([*thought, *answer])) == [*thought, *answer]


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
    assert stream(*step(text, {"type": "other"}, end=False))[1:] == [ToolArgsText("0", '{"a": 1}'), Unknown("delta other")]
    assert stream(*step(text))[0].id is None


def test_pictures_sound_and_files():
    def shown(**delta):
        return without_parts(stream(*step({"type": "model_output"}, delta)))

    assert shown(type="image", mime_type="image/png", data=PNG) == [InlineMedia("image/png", PNG)]
    sound = {"type": "audio", "mime_type": "audio/l16", "data": PNG, "sample_rate": 16000, "channels": 1}
    assert shown(**sound) == [InlineMedia("audio/l16;rate=16000;channels=1", PNG)]
    assert shown(type="audio", mime_type="audio/l16", data=PNG, rate=24000) == [InlineMedia("audio/l16;rate=24000", PNG)]
    assert shown(type="image", uri="https://a/b") == [Unknown("fileData")]
    assert shown(type="hologram") == [Unknown("hologram")]
    assert shown() == [Unknown("None")]
    draft = stream(*step({"type": "thought"}, {"type": "thought_summary", "content": {"type": "image", "data": PNG}}))
    assert without_parts(draft) == [InlineMedia("", PNG, thought=True)]
    assert without_parts(stream(*step({"type": "thought"}, {"type": "thought_summary"}))) == [Unknown("None")]


def test_code_that_the_service_ran_is_shown_and_goes_back_as_it_came():
    call = {"type": "code_execution_call", "id": "x1"}
    ran = {"type": "code_execution_call", "arguments": {"code": "print(1)", "language": "python"}, "signature": "c2ln"}
    result = {"type": "code_execution_result", "call_id": "x1", "result": "1\n", "signature": "c2ln"}
    failed = {"type": "code_execution_result", "call_id": "x1", "is_error": True, "result": [{"type": "text", "text": "no"}]}
    events = [*stream(*step(call, ran)), *stream(*step(result)), *stream(*step(failed)), *stream(*step(call))]
    assert without_parts(events) == [ExecutedCode("print(1)"), CodeResult("1\n"), CodeResult("no", ok=False), ExecutedCode("")]
    body = encoded(user_turn("hi"), Turn("model", parts(events[:4])), user_turn("and?"))
    assert body["input"][1:3] == [{**ran, "id": "x1"}, result]
    other = (
        GeminiCodec().encode([user_turn("hi"), Turn("model", parts(events[:4])), user_turn("and?")], ASK).body["contents"][1]
    )
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
