"""What only a rare input reaches in the core: each promise is small, and kept."""

from __future__ import annotations

import json
import sys
from contextlib import suppress

import pytest

from nbgemini.chat.response import ResponseAccumulator
from nbgemini.errors import NbGeminiError, PromptError, ServerError
from nbgemini.messages.events import (
    ExecutedCode,
    InlineMedia,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
)
from nbgemini.messages.segments import Segment, Segmenter
from nbgemini.messages.tool_call_assembler import ToolCallAssembler
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import user_turn
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.providers.gemini.models import thinking_config
from nbgemini.render.markdown_parser import parse_all
from nbgemini.render.sanitize import sanitize
from nbgemini.render.streaming_markdown import Blocks, to_html
from nbgemini.render.urls import host_of


def test_an_error_is_one_line_in_a_cell():
    assert ServerError("busy")._render_traceback_() == ["ServerError: busy"]
    assert NbGeminiError("x").reply is None


def test_an_error_is_the_whole_chain_when_it_is_asked_for_later(monkeypatch):
    busy = ServerError("busy")
    monkeypatch.setattr(sys, "last_value", busy, raising=False)
    with suppress(ServerError):
        try:
            raise busy
        finally:
            at_once = busy._render_traceback_()
    later = busy._render_traceback_()
    assert at_once == ["ServerError: busy"]
    assert later[0].startswith("Traceback")
    assert later[-1].endswith("ServerError: busy")


def test_a_segment_tells_itself_from_others():
    segment = Segment(3, "answer")
    segment.append("x" * 100)
    assert repr(segment) == f"Segment(3, 'answer', '{'x' * 40}')"


def test_what_is_newer_than_the_decoder_is_counted_and_harms_nothing():
    incoming = ResponseAccumulator(Exchange(user_turn("hi")), GeminiCodec(), "m")
    assert incoming.fold([Unknown("hologram")]) == [Unknown("hologram")]
    assert incoming.unknown == {"hologram": 1}


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


def test_sound_is_a_segment_of_its_own_kind():
    segmenter = Segmenter()
    segmenter.feed([InlineMedia("audio/mpeg", "eA==")])
    assert [segment.kind for segment in segmenter.segments] == ["audio"]


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


def test_a_link_goes_to_a_page_of_its_own_whatever_it_says():
    assert 'target="_blank"' in sanitize('<a href="https://a.example/" target="top">x</a>')
    assert "target" not in sanitize('<p target="top">x</p>')


@pytest.mark.parametrize("host", ["x" * 1001, "x" * 300, "a b", "..", "a\u2100b.example"])
def test_a_host_that_no_reader_can_check_is_unreadable(host):
    assert host_of(f"https://{host}/") == host_of("https:///")


def test_cells_of_a_table_are_aligned_as_tables_are():
    table = "<table><tbody><tr><td><div align={}>x</div></td></tr></tbody></table>"
    assert 'align="right"' in sanitize(table.format("right"))
    assert "align" not in sanitize(table.format("justify"))


def test_hosts_of_other_alphabets_are_shown_as_they_are_asked_for():
    assert host_of("https://münchen.example/") == "xn--mnchen-3ya.example"


def test_all_tokens_of_a_text_are_those_it_is_shown_from():
    assert [token.type for token in parse_all("*a*", {})] == ["paragraph_open", "inline", "paragraph_close"]


def test_code_with_many_open_comments_is_shown_uncoloured():
    for code in ("/* a\n" * 200, "x = 1\n" * 5000):
        html = to_html(f"```c\n{code}```\n")
        assert "<pre>" in html
        assert "<span" not in html


def test_blocks_can_be_cut_without_being_rendered():
    blocks = Blocks()
    blocks.append("One.\n\nTwo.\n\n- th")
    cut = blocks.cut()
    blocks.append("ree")
    assert "".join(cut + blocks.cut_all()) == "One.\n\nTwo.\n\n- three"


def test_text_that_is_shown_from_deep_in_a_stack_is_shown_as_it_is():
    """The parser recurses; a caller may have left it no room."""
    deep = "> " * 30 + "a"
    to_html(deep)

    def down(left):
        return to_html(deep) if left == 0 else down(left - 1)

    shown = set()
    for room in range(40, 400, 10):
        try:
            shown.add(down(_left() - room))
        except RecursionError:  # none at all
            continue
    assert f"<pre>{deep.replace('>', '&gt;')}</pre>\n" in shown


def _left():
    depth, frame = 0, sys._getframe()
    while frame:
        depth, frame = depth + 1, frame.f_back
    return sys.getrecursionlimit() - depth


def test_a_call_that_cannot_be_told_from_others_is_made_each_time():
    args = {"a": 1}
    for _ in range(sys.getrecursionlimit() * 2):
        args = {"a": args}
    calls = ToolCallAssembler()
    assert [len(calls.feed(ToolCall("f", args))) for _ in range(2)] == [1, 1]


def test_arguments_come_in_texts_and_at_paths_of_any_spelling():
    calls = ToolCallAssembler()
    calls.feed(ToolCallStart("a", "f"))
    for text in ('{"x"', "", ": 1}"):
        calls.feed(ToolArgsDelta("a", text))
    assert calls.feed(ToolCallEnd("a")) == [ToolCall("f", {"x": 1})]
    calls.feed(ToolCallStart("b", "g"))
    for path in ("$['it\\'s \"q\"']", '$["d"]', "$.l[0]", "$.l[1]"):
        calls.feed(ToolArgsPiece("b", path, 1))
    assert calls.feed(ToolCallEnd("b")) == [ToolCall("g", {'it\'s "q"': 1, "d": 1, "l": [1, 1]})]


def test_arguments_too_deep_to_be_written_are_no_call_and_no_error():
    made = []
    for depth in range(100, sys.getrecursionlimit() + 100, 20):
        value = json.loads("[" * 50 + "]" * 50)
        for _ in range(depth):
            value = [value]
        calls = ToolCallAssembler()
        calls.feed(ToolCallStart("", "f"))
        calls.feed(ToolArgsPiece("", "$" + ".a" * 60, value))
        made += calls.feed(ToolCallEnd(""))
    assert len({type(news) for news in made}) == 2  # those that can be, and broken ones
