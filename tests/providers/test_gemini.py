"""Whatever a frame holds, decoding gives events or one WireError; what goes out is what the API takes."""

from __future__ import annotations

import json
from contextlib import aclosing, suppress

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.errors import PromptError, WireError
from nbgemini.messages.events import (
    AnswerDelta,
    CodeResult,
    ExecutedCode,
    Fault,
    Finish,
    InlineMedia,
    PartReceived,
    ThoughtDelta,
    ToolArgsPiece,
    ToolCall,
    ToolCallEnd,
    ToolCallGrowing,
    ToolCallStart,
    Unknown,
    UsageReport,
)
from nbgemini.messages.tool_call_assembler import ToolCallAssembler
from nbgemini.messages.turns import Declaration, Options, Turn, Usage, merge_text, user_turn
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.providers.gemini.models import thinking_config, thinking_text
from nbgemini.secrets import Secret
from nbgemini.transport.http import HttpSource
from tests.conftest import golden_frames, golden_names

gemini = GeminiCodec()


def decoded(data):
    return gemini.decoder()(json.dumps(data).encode())


def part(**fields):
    return {"candidates": [{"content": {"parts": [fields]}}]}


@given(frame=st.binary(max_size=60))
@settings(max_examples=2000)
def test_any_bytes_give_events_or_one_wire_error(frame):
    with suppress(WireError):
        assert isinstance(gemini.decoder()(frame), list)


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
        "partialArgs",
        "jsonPath",
        "stringValue",
        "willContinue",
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
    assert gemini.decoder()(b'{"candidates":[{"content":{"parts":[{"text":"a\xffb"}]}}]}')[1:] == [AnswerDelta("a\ufffdb")]
    assert len(gemini.decoder()(rb'{"candidates":[{"content":{"parts":[{"text":"\ud83d"}]}}]}')) == 2


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
        ("gemini-2.5-flash-lite", 0, {"includeThoughts": False, "thinkingBudget": 0}),
        ("gemini-2.5-flash", "xhigh", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-flash", "max", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-flash", "minimal", {"includeThoughts": True, "thinkingBudget": 512}),
        ("unheard-of", None, None),
        ("unheard-of", "low", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("unheard-of", 9, {"includeThoughts": True, "thinkingBudget": 9}),
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
        ("gemini-2.5-flash", "deep"),
        ("gemini-2.5-flash-lite", 100),
        ("gemini-2.0-flash", "low"),
    ],
)
def test_thinking_a_model_does_not_offer_is_refused_with_what_it_offers(model, think):
    with pytest.raises(PromptError, match=model):
        thinking_config(model, think)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("gemini-4-argon", "low, medium, high"),
        ("gemini-2.5-pro", "128 to 32,768 tokens"),
        ("gemini-2.5-flash-lite", "off, 512 to 24,576 tokens"),
        ("gemini-2.5-flash", "off, 1 to 24,576 tokens"),
        ("gemini-2.0-flash", ""),
        ("unheard-of", "yes"),
    ],
)
def test_what_a_model_takes_is_said_in_words(model, text):
    assert thinking_text(model) == text


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


PIECES = [  # as the service sends them: the last one may hold a value or nothing
    {"functionCall": {"id": "c9", "name": "book", "willContinue": True}, "thoughtSignature": "AAAA"},
    {"functionCall": {"willContinue": True}},
    {
        "functionCall": {
            "partialArgs": [{"jsonPath": "$.seats[0].no", "stringValue": "12", "willContinue": True}],
            "willContinue": True,
        }
    },
    {
        "functionCall": {
            "partialArgs": [{"jsonPath": "$.seats[0].no", "stringValue": "A", "willContinue": True}],
            "willContinue": True,
        }
    },
    {"functionCall": {"partialArgs": [{"jsonPath": "$.seats[0].no"}], "willContinue": True}},
    {"functionCall": {"partialArgs": [{"jsonPath": "$.n", "numberValue": 2}, {"jsonPath": "$.z", "nullValue": "NULL_VALUE"}]}},
]
BOOKED = ToolCall("book", {"seats": [{"no": "12A"}], "n": 2, "z": None}, "c9")


def grown(parts):
    growing, news = ToolCallAssembler(), []
    for sent in parts:
        for event in decoded({"candidates": [{"content": {"parts": [sent]}}]}):
            news += growing.feed(event)
    return growing, [item for item in news if isinstance(item, ToolCall)]


def test_arguments_in_pieces_are_events_of_their_own():
    (start,) = decoded(part(**PIECES[0]))
    kept = {"functionCall": {"id": "c9", "name": "book"}, "thoughtSignature": "AAAA"}
    assert start == ToolCallStart("", "book", "c9", kept)
    assert decoded(part(**PIECES[2])) == [ToolArgsPiece("", "$.seats[0].no", "12", more=True)]
    assert decoded(part(**PIECES[5])) == [ToolArgsPiece("", "$.n", 2), ToolArgsPiece("", "$.z", None), ToolCallEnd("")]
    assert decoded(part(functionCall={})) == [ToolCallEnd("")]
    assert [type(event) for event in decoded(part(functionCall={"name": "f", "partialArgs": [{}]}))] == [
        ToolCallStart,
        ToolArgsPiece,
        ToolCallEnd,
    ]


@pytest.mark.parametrize("parts", [PIECES, [PIECES[0], {"functionCall": {"args": BOOKED.args}}], [*PIECES, *PIECES]])
def test_a_call_in_pieces_goes_back_whole_with_its_id_and_signature(parts):
    growing, calls = grown(parts)
    assert calls == [BOOKED]
    assert gemini.call_part(calls[0], growing.part) == {
        "functionCall": {"id": "c9", "name": "book", "args": BOOKED.args},
        "thoughtSignature": "AAAA",
    }


def test_a_signature_may_come_at_the_end_of_a_call():
    growing, calls = grown(
        [{"functionCall": {"name": "f", "willContinue": True}}, {"functionCall": {}, "thoughtSignature": "AAAA"}]
    )
    assert gemini.call_part(calls[0], growing.part) == {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "AAAA"}


def test_a_call_that_is_cut_off_is_none():
    growing, calls = grown(PIECES[:-1])
    assert calls == []
    assert growing.close() == [ToolCallGrowing("", "book", '{"seats": [{"no": "12A"}]}', "c9", "broken")]


def test_calls_and_results_as_parts():
    with_id, without = ToolCall("f", {"a": 1}, "c1"), ToolCall("f", {})
    assert gemini.call_part(with_id, None) == {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}}
    assert gemini.call_part(without, None) == {"functionCall": {"name": "f", "args": {}}}
    assert gemini.result_part(without, {"output": 1}, ()) == {"functionResponse": {"name": "f", "response": {"output": 1}}}
    assert gemini.result_part(with_id, {"error": "no"}, [InlineMedia("image/png", "AA==")]) == {
        "functionResponse": {
            "id": "c1",
            "name": "f",
            "response": {"error": "no"},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}],
        }
    }


def test_tools_are_declared():
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    nothing = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    tools = (Declaration("weather", "tells it", schema), Declaration("now", "the time", nothing))
    request = gemini.encode([user_turn("hi")], Options(model="gemini-3.8-flash", tools=tools), continuation="t")
    assert request.body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "weather", "description": "tells it", "parametersJsonSchema": schema},
                {"name": "now", "description": "the time"},
            ]
        }
    ]
    assert "tools" not in gemini.encode([user_turn("hi")], Options(model="gemini-3.8-flash")).body


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("call", "gemini-3.8-flash"),
        ("call", "gemini-2.5-flash"),
        ("streamed_call", "gemini-2.0-flash"),
        ("streamed_call", "gemini-3.8-flash"),
    ],
)
async def test_the_service_takes_calls_back_with_their_results(service, kind, model):
    """Declared, called, answered: each request is one the service takes."""
    args = {"flight": {"seat": "12A", "stops": ["Rome", None]}, "a b": 1.5}
    prompt = user_turn("offline: " + json.dumps({"parts": [[kind, "book", args], ["call", "now", {}]], "pieces": 2}))
    options = Options(model=model, tools=(Declaration("book", "books", {"type": "object", "properties": {"n": {}}}),))
    sent, results, growing = [], [], ToolCallAssembler()
    async for event in events_of(service, gemini.encode([prompt], options)):
        if isinstance(event, PartReceived):
            sent.append(event.part)
        for call in growing.feed(event):
            if isinstance(call, ToolCall):
                sent += [] if growing.part is None else [gemini.call_part(call, growing.part)]
                results.append(gemini.result_part(call, {"output": call.args}, ()))
    assert [result["functionResponse"]["response"]["output"] for result in results] == [args, {}]
    turns = [prompt, Turn("model", tuple(sent)), Turn("user", tuple(results))]
    said = [event.text async for event in events_of(service, gemini.encode(turns, options)) if isinstance(event, AnswerDelta)]
    assert "12A" in "".join(said)


async def events_of(service, request):
    source = HttpSource(service.url, Secret("a-good-key"))
    try:
        async with aclosing(source.frames(request)) as frames:
            async for frame in frames:
                for event in gemini.decoder()(frame):
                    yield event
    finally:
        await source.aclose()


def test_what_no_later_request_could_carry_is_mended_as_it_comes():
    """Lone surrogates, and arguments that are no object."""
    frame = b'{"candidates": [{"content": {"parts": [{"text": "a\\ud800b"}]}}]}'
    assert GeminiCodec().decoder()(frame)[1] == AnswerDelta("a?b")
    for args in ("[1]", '"{\\"a\\": 1}"', "5"):
        frame = (
            f'{{"candidates": [{{"content": {{"parts": [{{"functionCall": {{"name": "f", "args": {args}}}}}]}}}}]}}'.encode()
        )
        received, call = GeminiCodec().decoder()(frame)
        assert received.part["functionCall"]["args"] == call.args
    with pytest.raises(WireError):
        GeminiCodec().decoder()(b"[" * 100_000)


def test_of_other_providers_turns_goes_back_what_is_neutral():
    """Their thoughts and signatures mean nothing here; a first call without a signature is excused in Gemini's own words."""
    origin = {"provider": "anthropic", "block": {"type": "thinking", "thinking": "Hm.", "signature": "s"}}
    call = {"functionCall": {"id": "c1", "name": "f", "args": {}}, "origin": {"provider": "anthropic"}}
    other = {**call, "functionCall": {"id": "c2", "name": "f", "args": {"x": 1}}}
    thinking = {"text": "", "thought": True, "thoughtSignature": "s", "origin": origin}
    turns = [
        user_turn("a"),
        Turn("model", ({"text": "Hm.", "thought": True, "origin": origin}, thinking, {"text": "b"}, call, other)),
    ]

    def parts(model):
        return GeminiCodec().encode(turns, Options(model=model)).body["contents"][1]["parts"]

    excused = {"thoughtSignature": "skip_thought_signature_validator"}
    bare = [{"functionCall": part["functionCall"]} for part in (call, other)]
    assert parts("gemini-3.5-flash") == [{"text": "b"}, {**bare[0], **excused}, bare[1]]
    assert parts("gemini-2.5-flash") == [{"text": "b"}, *bare]


def test_a_signature_of_ours_stays_where_it_was():
    parts = ({"text": "", "thoughtSignature": "g"}, {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "h"})
    turns = [user_turn("a"), Turn("model", parts)]
    assert GeminiCodec().encode(turns, Options(model="gemini-3.5-flash")).body["contents"][1]["parts"] == list(parts)


@pytest.mark.parametrize(
    ("part", "event"),
    [
        ({"executableCode": {"code": "1+1"}}, ExecutedCode("1+1")),
        ({"inlineData": {"mimeType": "image/png", "data": "eA=="}}, InlineMedia("image/png", "eA==")),
        ({"functionCall": {"name": "f", "args": "no JSON"}}, ToolCall("f", {"": "no JSON"})),
    ],
)
def test_a_part_is_the_event_that_it_means(part, event):
    frame = {"candidates": [{"content": {"parts": [part]}}]}
    assert event in GeminiCodec().decoder()(json.dumps(frame).encode())


@pytest.mark.parametrize("frame", [b"[]", b"1", b'"x"', b"null"])
def test_a_frame_that_is_no_object_says_nothing(frame):
    assert GeminiCodec().decoder()(frame) == []


@pytest.mark.parametrize(
    ("model", "think", "said"),
    [
        ("unheard-of", "high", "a level"),
        ("unheard-of", 5, {"includeThoughts": True, "thinkingBudget": 5}),
        ("gemini-2.5-pro", 5, "128 to 32,768 tokens"),
        ("gemini-3-pro", "medium", "low, high"),
        ("gemini-3-pro", 5, "not a budget"),
        ("gemini-2.0-flash", "low", "does not think"),
    ],
)
def test_a_model_is_asked_to_think_in_words_that_it_takes(model, think, said):
    if isinstance(said, dict):
        assert thinking_config(model, think) == said
    elif said == "a level":
        assert thinking_config(model, think)["includeThoughts"]
    else:
        with pytest.raises(PromptError, match=said):
            thinking_config(model, think)
