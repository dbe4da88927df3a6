"""Whatever a frame holds, decoding gives events or one WireError; what goes out is what the API takes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbgemini.errors import PromptError, WireError
from nbgemini.events import AnswerDelta, CodeResult, Fault, Finish, PartReceived, ThoughtDelta, ToolCall, Unknown, UsageReport
from nbgemini.providers.gemini import Gemini
from nbgemini.providers.thinking import thinking_config
from nbgemini.turns import Options, Turn, Usage, merge_text, user_turn
from tests.conftest import golden_frames, golden_names

gemini = Gemini()


def decoded(data):
    return gemini.decode(json.dumps(data).encode())


def part(**fields):
    return {"candidates": [{"content": {"parts": [fields]}}]}


@given(frame=st.binary(max_size=60))
@settings(max_examples=2000)
def test_any_bytes_give_events_or_one_wire_error(frame):
    try:
        gemini.decode(frame)
    except WireError:
        pass


words = st.sampled_from(
    [
        "candidates",
        "content",
        "parts",
        "text",
        "thought",
        "index",
        "finishReason",
        "functionCall",
        "args",
        "name",
        "usageMetadata",
        "promptTokenCount",
        "error",
        "code",
        "details",
        "promptFeedback",
        "blockReason",
        "inlineData",
        "groundingMetadata",
        "groundingChunks",
        "web",
        "uri",
        "executableCode",
        "modelVersion",
    ]
)
shapes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(data=shapes)
@settings(max_examples=2000)
def test_any_json_gives_events(data):
    assert isinstance(decoded(data), list)


@pytest.mark.parametrize("name", golden_names())
def test_parts_are_kept_verbatim(name):
    for frame in golden_frames(name):
        sent = [p for c in frame.get("candidates", ()) if not c.get("index") for p in c.get("content", {}).get("parts", ())]
        kept = [event.part for event in decoded(frame) if isinstance(event, PartReceived)]
        assert kept == [p for p in sent if any(value is not None and value != "" for value in p.values())]


def test_the_kinds_of_parts():
    assert decoded(part(text="a", thought=True))[1:] == [ThoughtDelta("a")]
    assert decoded(part(text="a", thoughtSignature="x"))[1:] == [AnswerDelta("a")]
    assert decoded(part(text="", thoughtSignature="x")) == [PartReceived({"text": "", "thoughtSignature": "x"})]
    assert decoded(part(text="")) == []
    assert decoded(part(functionCall={"name": "f", "args": '{"a": 1}'}))[1:] == [ToolCall("f", {"a": 1})]
    assert decoded(part(functionCall={"id": "1", "name": "f"}))[1:] == [ToolCall("f", {}, "1")]
    assert decoded(part(codeExecutionResult={"outcome": "OUTCOME_FAILED", "output": "no"}))[1:] == [CodeResult("no", ok=False)]
    assert decoded(part(newThing={"a": 1}))[1:] == [Unknown("newThing")]


def test_only_the_first_candidate_is_read():
    frame = {"candidates": [{"index": 1, "content": {"parts": [{"text": "b"}]}}, {"content": {"parts": [{"text": "a"}]}}]}
    assert [event for event in decoded(frame) if isinstance(event, AnswerDelta)] == [AnswerDelta("a")]


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST", "IMAGE_SAFETY"])
def test_withheld_answers_are_blocked(reason):
    assert decoded({"candidates": [{"finishReason": reason}]}) == [Finish("blocked", reason)]


def test_an_error_is_found_wherever_its_key_stands():
    for frame in ({"x": 1, "error": {"message": "m"}}, [{"error": {"message": "m", "code": "bad"}}], {"error": "m"}):
        (fault,) = decoded(frame)
        assert isinstance(fault, Fault)
        assert "m" in str(fault.error)


def test_numbers_may_be_strings():
    assert decoded({"usageMetadata": {"promptTokenCount": "7", "totalTokenCount": 8.0}}) == [
        UsageReport(Usage(input=7, total=8))
    ]


def test_bad_utf8_and_lone_surrogates_are_replaced_not_fatal():
    assert gemini.decode(b'{"candidates":[{"content":{"parts":[{"text":"a\xffb"}]}}]}')[1:] == [AnswerDelta("a\ufffdb")]
    assert len(gemini.decode(rb'{"candidates":[{"content":{"parts":[{"text":"\ud83d"}]}}]}')) == 2


def test_a_request_says_what_the_options_say():
    options = Options(
        model="gemini-2.5-flash", system="short", think="low", temperature=0.0, max_tokens=9, seed=1, stop_at=("X",)
    )
    request = gemini.encode([user_turn("hi")], options)
    assert request.path == "v1beta/models/gemini-2.5-flash:streamGenerateContent"
    assert request.query == {"alt": "sse"}
    assert request.body == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "systemInstruction": {"parts": [{"text": "short"}]},
        "generationConfig": {
            "temperature": 0.0,
            "maxOutputTokens": 9,
            "seed": 1,
            "stopSequences": ["X"],
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1024},
        },
    }


@pytest.mark.parametrize(
    ("model", "think", "said"),
    [
        ("gemini-3.8-flash", None, {"includeThoughts": True}),
        ("gemini-3.8-flash", "off", {"includeThoughts": False, "thinkingLevel": "MINIMAL"}),
        ("gemini-flash-latest", "high", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("gemini-2.5-flash", "off", {"includeThoughts": False, "thinkingBudget": 0}),
        ("gemini-2.5-pro", 500, {"includeThoughts": True, "thinkingBudget": 500}),
        ("gemini-2.0-flash", None, None),
        ("unheard-of", None, None),
    ],
)
def test_thinking_is_said_in_the_words_the_model_takes(model, think, said):
    assert thinking_config(model, think) == said


@pytest.mark.parametrize(
    ("model", "think"),
    [
        ("gemini-4-argon", "off"),
        ("gemini-3-pro-preview", "medium"),
        ("gemini-3.8-flash", 100),
        ("gemini-2.5-pro", 0),
        ("gemini-2.0-flash", "low"),
    ],
)
def test_thinking_a_model_does_not_offer_is_refused_with_what_it_offers(model, think):
    with pytest.raises(PromptError, match=model):
        thinking_config(model, think)


parts = st.lists(
    st.one_of(
        st.fixed_dictionaries({"text": st.text(max_size=3)}),
        st.fixed_dictionaries({"text": st.text(max_size=3), "thought": st.just(True)}),
        st.fixed_dictionaries({"text": st.text(max_size=3), "thoughtSignature": st.text(min_size=1, max_size=3)}),
        st.fixed_dictionaries({"functionCall": st.just({"name": "f"})}),
    ),
    max_size=8,
)


@given(parts=parts)
@settings(max_examples=500)
def test_merging_keeps_signed_parts_and_all_text(parts):
    merged = merge_text(parts)
    assert [p for p in merged if "thoughtSignature" in p or "functionCall" in p] == [
        p for p in parts if "thoughtSignature" in p or "functionCall" in p
    ]
    for thought in (None, True):
        assert "".join(p["text"] for p in merged if "text" in p and p.get("thought") == thought) == "".join(
            p["text"] for p in parts if "text" in p and p.get("thought") == thought
        )
    assert merge_text(merged) == merged
    assert Turn("model", merged)
