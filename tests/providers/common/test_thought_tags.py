"""Thoughts that a server leaves in the text of an answer: tags in any case, and tags that the server's template has swallowed."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from nbgemini.messages.events import AnswerDelta, ThoughtDelta
from nbgemini.providers.base import codec_of
from nbgemini.providers.common.thought_tags import TaggedText, begins_in_thought

R1 = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"
REASONED = "Okay, 1 + 1.\n\nThat is 2.\n</think>\n\nIt is 2."
WORDS = ["<think>", "</think>", "</THINK>", "<THINK>", "[think]", "<", "</th", "a", "İ", "\n", " ", "b c"]


def told(dialect, frames):
    """What is thought and what is answered, each joined."""
    decode = codec_of(dialect, "v1beta").decoder()
    events = [event for frame in frames for event in decode(frame if isinstance(frame, bytes) else json.dumps(frame).encode())]
    return tuple("".join(event.text for event in events if isinstance(event, kind)) for kind in (ThoughtDelta, AnswerDelta))


def chat(pieces, finish="stop", model=R1, **last):
    deltas = [piece if isinstance(piece, dict) else {"content": piece} for piece in pieces]
    frames = [{"model": model, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return told(
        "openai-chat", [*frames, {"model": model, "choices": [{"index": 0, "delta": {}, "finish_reason": finish, **last}]}]
    )


def responses(pieces, status="completed", model=R1):
    place = {"item_id": "m1", "output_index": 0, "content_index": 0}
    deltas = [{"type": "response.output_text.delta", **place, "delta": piece} for piece in pieces]
    begin = {"type": "response.created", "response": {"id": "r1", "model": model}}
    details = {"incomplete_details": {"reason": "max_output_tokens"}} if status == "incomplete" else {}
    return told("openai", [begin, *deltas, {"type": f"response.{status}", "response": {"status": status, **details}}])


SPEAK = pytest.mark.parametrize("speak", [chat, responses])


@pytest.mark.parametrize(
    ("model", "opens"),
    [
        ("deepseek-r1-distill-qwen-7b", True),
        ("DeepSeek-R1-UD-IQ2_XXS-00001-of-00004.gguf", True),
        ("qwq-32b", True),
        ("Qwen/QwQ-32B-Preview", True),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", True),
        ("THUDM/GLM-Z1-9B-0414", True),
        ("MiniMaxAI/MiniMax-M2", True),
        ("qwen3-32b", False),
        ("deepseek-chat", False),
        ("gpt-6", False),
        ("claude-sonnet-5-5-thinking", False),
    ],
)
def test_models_whose_template_opens_the_thought_are_known_by_their_names(model, opens):
    assert begins_in_thought(model) is opens


@SPEAK
@pytest.mark.parametrize("cut", [lambda text: [text], list])
def test_what_comes_before_a_lone_closing_tag_is_a_thought_of_such_a_model(speak, cut):
    assert speak(cut(REASONED)) == ("Okay, 1 + 1.\n\nThat is 2.", "It is 2.")
    assert speak(cut("</think>\n\nIt is 2.")) == ("", "It is 2.")
    assert speak(cut("<think>\nHm.\n</think>\n\nIt is 2.")) == ("Hm.", "It is 2.")


@SPEAK
def test_the_thought_is_told_while_it_comes(speak):
    thought, answer = speak(["Okay, ", "1 + 1"], "length" if speak is chat else "in_progress")
    assert (thought, answer) == ("Okay, 1 + 1", "")


@SPEAK
def test_a_whole_answer_without_the_tag_is_the_answer(speak):
    """Its server has cut the thought out, or the model had none: nothing of the answer is missing."""
    assert speak(["\nIt ", "is 2.\n"])[1] == "\nIt is 2.\n"
    assert speak([" \n"]) == ("", " \n")


@SPEAK
def test_a_thought_that_was_cut_is_no_answer(speak):
    assert speak(["Okay, 1 + 1"], "length" if speak is chat else "incomplete") == ("Okay, 1 + 1", "")


def test_a_body_that_breaks_off_in_the_thought_has_no_answer():
    frame = {"model": R1, "choices": [{"index": 0, "delta": {"content": "Okay, 1 + 1"}}]}
    assert told("openai-chat", [frame, b""]) == ("Okay, 1 + 1", "")
    assert told("openai-chat", [frame, b"[DONE]"])[1] == "Okay, 1 + 1"


@SPEAK
def test_of_all_other_models_what_comes_first_is_the_answer(speak):
    assert speak([REASONED], model="my-model") == ("", REASONED)


def test_what_comes_before_a_call_is_a_thought_without_the_tag_too():
    call = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}
    assert chat(["I need f.", call], "tool_calls") == ("I need f.", "")


def test_where_the_server_tells_thoughts_apart_the_text_is_the_answer():
    assert chat([{"reasoning_content": "Hm."}, "It is 2."]) == ("Hm.", "It is 2.")
    assert chat([{"content": "It is 2.", "reasoning_content": "Hm."}], model=R1) == ("Hm.", "It is 2.")
    assert chat(["It ", {"reasoning_content": "Hm."}, "is 2."])[1] == "It is 2."


def test_a_whole_message_is_read_likewise():
    message = {"model": R1, "choices": [{"index": 0, "message": {"content": REASONED}, "finish_reason": "stop"}]}
    assert told("openai-chat", [message]) == ("Okay, 1 + 1.\n\nThat is 2.", "It is 2.")


@pytest.mark.parametrize(
    "text",
    ["<THINK>Hm.</THINK>Yes.", "<Thinking>Hm.</thinking>Yes.", "<REASONING>\nHm.</Reasoning>\nYes.", "[think]Hm.[/THINK]Yes."],
)
def test_tags_count_in_any_case(text):
    for pieces in ([text], list(text)):
        assert tuple(part.strip() for part in chat(pieces, model="m")) == ("Hm.", "Yes.")


@given(st.lists(st.sampled_from(WORDS), max_size=9), st.booleans(), st.booleans(), st.data())
def test_however_a_text_is_cut_it_says_the_same(words, presumed, whole, data):
    def said(pieces):
        tags = TaggedText()
        if presumed:
            tags.presume_thought()
        came = [one for piece in pieces for one in tags.take(piece)] + list(tags.end(whole=whole))
        return ["".join(text for thought, text in came if thought is wanted) for wanted in (True, False)]

    text = "".join(words)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    assert said([text[start:end] for start, end in pairwise([0, *places, len(text)])]) == said([text])


def test_a_text_that_has_begun_is_not_presumed_to_be_a_thought():
    tags = TaggedText()
    assert list(tags.take("Yes")) == [(False, "Yes")]
    tags.presume_thought()
    assert list(tags.take(", so.")) == [(False, ", so.")]
