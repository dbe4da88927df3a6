"""What a model sends besides text, and what it may use: read and asked for in the service's words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import PromptError
from nbgemini.messages.events import (
    AnswerDelta,
    Citation,
    Citations,
    CodeResult,
    Finish,
    InlineMedia,
    Page,
    PartReceived,
    Passage,
    Unknown,
)
from nbgemini.messages.turns import NOTE, Declaration, Options, Turn, user_turn
from nbgemini.providers.common.parts import parts_to_events
from nbgemini.providers.gemini.codec import GeminiCodec
from tests.conftest import golden_bytes, golden_frames

gemini = GeminiCodec()
TOOL = Declaration("f", "d", {})


def said(name):
    return [event for frame in golden_frames(name) for event in gemini.decoder()(json.dumps(frame).encode())]


def of_type(events, kind):
    return [event for event in events if isinstance(event, kind)]


def encoded(turns=(), **options):
    return gemini.encode([user_turn("hi"), *turns], Options(**{"model": "gemini-3.8-flash", **options})).body


def test_pictures_come_in_order_and_a_draft_is_a_thought():
    events = [event for event in said("images") if isinstance(event, InlineMedia | AnswerDelta)]
    kinds = [(type(event).__name__, getattr(event, "thought", None)) for event in events]
    assert kinds == [("InlineMedia", True), ("AnswerDelta", None), ("InlineMedia", False), ("InlineMedia", False)]


def test_a_signed_picture_goes_back_as_it_came():
    parts = tuple(event.part for event in said("images") if isinstance(event, PartReceived))
    body = encoded([Turn("model", parts), user_turn("now in red")], model="gemini-3.1-flash-image")
    assert [dict(part) for part in parts] == body["contents"][1]["parts"]
    assert body["contents"][1]["parts"][2]["thoughtSignature"] == "c2ln"


def test_the_model_s_own_sound_does_not_go_back():
    spoken = {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}}
    body = encoded([Turn("model", (spoken,)), Turn("user", (spoken,))])
    assert body["contents"][1]["parts"] == [{"text": "(Sound.)"}]
    assert body["contents"][2]["parts"] == [spoken]


@pytest.mark.parametrize(
    "support",
    [
        {"segment": {"endIndex": 5}, "groundingChunkIndices": []},
        {"segment": {"endIndex": 5}, "groundingChunkIndices": [7, "0", True]},
        {"segment": {"startIndex": 5, "endIndex": 5}, "groundingChunkIndices": [0]},
        {"groundingChunkIndices": [0]},
    ],
)
def test_a_passage_of_nothing_or_on_nothing_is_none(support):
    grounding = {"groundingChunks": [{"web": {"uri": "https://a.example/"}}], "groundingSupports": [support]}
    frame = {"candidates": [{"content": {"parts": [{"text": "Water"}]}, "groundingMetadata": grounding}]}
    (found,) = of_type(gemini.decoder()(json.dumps(frame).encode()), Citations)
    assert (found.sources, found.passages) == ((Citation("https://a.example/"),), ())


def test_sources_passages_queries_and_pages():
    """A chunk of an unknown kind is no source, and what names it names nothing."""
    (found,) = of_type(said("cited"), Citations)
    assert found.sources == (
        Citation("https://a.example/", "A"),
        Citation("https://b.example/"),
        Citation("https://learned.example/"),
    )
    assert found.passages == (Passage(0, 28, "Zürich – 🙂 lies there.", (0, 1)), Passage(29, 39, "It is old.", (1,)))
    assert found.queries == ("zürich",)
    assert found.pages == (Page("https://a.example/"), Page("https://c.example/", "unsafe"))


def test_a_search_that_found_nothing_cites_nothing():
    frame = {"candidates": [{"groundingMetadata": {"searchEntryPoint": {"renderedContent": "<div></div>"}}}]}
    assert gemini.decoder()(json.dumps(frame).encode()) == []


def test_a_passage_without_a_place_or_a_source_is_left_out():
    supports = [{"segment": {"endIndex": 2}}, {"groundingChunkIndices": [0]}, {"segment": 3, "groundingChunkIndices": "x"}]
    grounded = {"groundingChunks": [{"maps": {"uri": "https://a.example"}}], "groundingSupports": supports}
    frame = {"candidates": [{"groundingMetadata": grounded, "citationMetadata": 7, "urlContextMetadata": {"urlMetadata": [1]}}]}
    assert gemini.decoder()(json.dumps(frame).encode()) == [Citations((Citation("https://a.example"),))]


def test_googles_own_html_is_in_no_event():
    assert b"<script>" in golden_bytes("cited")
    assert "<script>" not in repr(said("cited"))


def test_stored_sources_are_read_again_and_broken_ones_are_not():
    note = {NOTE: {"citations": {"sources": [{"uri": "https://a.example"}]}}}
    assert parts_to_events([note])[1:] == [Citations((Citation("https://a.example"),))]
    assert parts_to_events([{NOTE: {"citations": {"sources": 3}}}])[1:] == []


def test_why_something_is_withheld():
    assert of_type(said("withheld"), Finish) == [Finish("blocked", "SAFETY", "dangerous content: high")]
    rated = {"blockReason": "SAFETY", "safetyRatings": [{"category": "HARM_CATEGORY_X_Y", "probability": "MEDIUM"}]}
    (finish,) = gemini.decoder()(json.dumps({"promptFeedback": rated}).encode())
    assert finish == Finish("blocked", "prompt: SAFETY", "x y: medium")


def test_code_that_took_too_long():
    part = {"codeExecutionResult": {"outcome": "OUTCOME_DEADLINE_EXCEEDED"}}
    assert parts_to_events([part])[1:] == [CodeResult("", ok=False, late=True)]


@given(
    part=st.dictionaries(st.text(min_size=1, max_size=8).map("x".__add__), st.integers() | st.text(), min_size=1, max_size=3)
)
def test_unknown_kinds_are_kept_and_counted(part):
    kept, *unknown = parts_to_events([part])
    assert kept == PartReceived(part)
    assert unknown == [Unknown(name) for name in part]


def test_the_service_s_own_calls_are_kept_and_not_counted_as_unknown():
    part = {"toolCall": {"id": "1", "toolType": "GOOGLE_SEARCH_WEB"}, "thoughtSignature": "x"}
    assert parts_to_events([part]) == [PartReceived(part)]


def test_tools_of_the_service_are_asked_for_by_their_names():
    assert "tools" not in encoded()
    body = encoded(search=True, run_code=True, urls=True)
    assert body["tools"] == [{"googleSearch": {}}, {"codeExecution": {}}, {"urlContext": {}}]
    assert "toolConfig" not in body


def test_functions_and_tools_of_the_service_go_together_from_gemini_3_on():
    body = encoded(search=True, tools=(TOOL,))
    assert [*body["tools"][0], *body["tools"][1]] == ["functionDeclarations", "googleSearch"]
    assert body["toolConfig"] == {"includeServerSideToolInvocations": True}
    for model in ("gemini-2.5-flash", "models/gemini-2.0-flash"):
        with pytest.raises(PromptError, match="takes either your tools .* or --search and --run-code; Gemini 3"):
            encoded(model=model, search=True, run_code=True, tools=(TOOL,))
        assert "tools" in encoded(model=model, search=True)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-3.8-flash", None),
        ("gemini-3.1-flash-image", ["TEXT", "IMAGE"]),
        ("gemini-2.5-flash-image", ["TEXT", "IMAGE"]),
        ("models/nano-banana-pro-preview", ["TEXT", "IMAGE"]),
        ("gemini-3.8-flash-tts", ["AUDIO"]),
        ("gemini-3.1-flash-tts-preview", ["AUDIO"]),
    ],
)
def test_a_model_answers_in_what_it_is_made_for(model, expected):
    config = encoded(model=model).get("generationConfig", {})
    assert config.get("responseModalities") == expected
    assert "-tts" not in model or "thinkingConfig" not in config
