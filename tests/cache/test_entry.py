"""Only whole answers are kept: complete, without calls and faults, by what each codec reads in them."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, strategies as st

from nbgemini.cache.entry import cache_key, complete_entry, decode_entry, encode_frames, is_cacheable
from nbgemini.messages.events import Continuation, Fault, Finish, ToolArgsDelta, ToolCall, ToolCallStart
from nbgemini.messages.turns import Declaration, Options, user_turn
from nbgemini.providers.gemini.codec import GeminiCodec
from tests.cache.conftest import ANSWER, DECODE, IDENTITY
from tests.conftest import golden_frames
from tests.providers.contracted import CONTRACTED, WHAT
from tests.support.provider_talk import golden

WHOLE = {
    "short",
    "interleaved",
    "unicode",
    "thought_and_answer_in_one_frame",
    "cited",
    "grounded",
    "code_execution",
    "images",
    "speech",
}
NOT_KEPT = {"parallel_calls", "old_family_call", "error_in_stream", "blocked_prompt", "withheld"}


def frames_of(name):
    return [json.dumps(frame).encode() for frame in golden_frames(name)]


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_whole_answer_is_kept_as_it_came(name):
    frames = frames_of(name)
    entry = decode_entry(encode_frames(frames), GeminiCodec().decoder())
    assert list(entry.frames) == frames
    assert entry.model
    assert entry == complete_entry(frames, GeminiCodec().decoder())


@pytest.mark.parametrize("name", sorted(NOT_KEPT))
def test_what_is_no_whole_answer_of_words_is_not_kept(name):
    assert complete_entry(frames_of(name), GeminiCodec().decoder()) is None


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_half_of_it_is_not_kept(name):
    frames = frames_of(name)
    first = min(at for at, frame in enumerate(frames) if b'"finishReason"' in frame)
    for end in range(first + 1):
        assert complete_entry(frames[:end], GeminiCodec().decoder()) is None


@pytest.mark.parametrize("name", sorted(CONTRACTED))
def test_every_codec_tells_which_answers_are_whole(name):
    kept = {what: complete_entry(golden(name, what), CONTRACTED[name].make().decoder()) is not None for what in WHAT}
    assert {what for what in kept if kept[what]} <= {"interleaved", "unknown"}
    assert kept["interleaved"]


@pytest.mark.parametrize("name", sorted(CONTRACTED))
def test_every_codec_asks_equal_questions_in_equal_words(name):
    codec, options = CONTRACTED[name].make(), Options(model=CONTRACTED[name].model, system="Be brief.")
    first, again = (codec.encode([user_turn("Why?")], options) for _ in range(2))
    assert is_cacheable(msgspec.structs.replace(first, reuse="any"))
    assert cache_key(first, IDENTITY) == cache_key(again, IDENTITY)
    tool = Declaration("f", "Do it.", {"type": "object", "properties": {}})
    offered = codec.encode([user_turn("Why?")], Options(model=CONTRACTED[name].model, tools=(tool,)))
    assert not is_cacheable(msgspec.structs.replace(offered, reuse="any"))


@pytest.mark.parametrize("frames", [[], [b"junk"], [*ANSWER, b"junk"], [*ANSWER, b'{"error": {"code": 503}}']])
def test_neither_nothing_nor_what_ends_in_a_fault(frames):
    assert complete_entry(frames, DECODE) is None


@pytest.mark.parametrize(
    "event",
    [
        Finish("truncated", "MAX_TOKENS"),
        Finish("blocked", "SAFETY"),
        ToolCall("f", {}),
        ToolCallStart("1", "f"),
        ToolArgsDelta("1", "{"),
        Continuation("t"),
        Fault(ValueError("x")),
    ],
)
def test_one_such_event_anywhere_is_enough(event):
    """Whatever the codec."""
    events = iter([[Finish("complete", "STOP")], [event]])
    assert complete_entry([b"1", b"2"], lambda _: next(events)) is None


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_bytes_come_back_as_they_were(frames):
    whole = [Finish("complete", "STOP")]
    entry = decode_entry(encode_frames(frames), lambda _: whole)
    assert (list(entry.frames) if entry else []) == frames


@given(st.binary(max_size=200))
def test_any_bytes_in_a_store_are_an_entry_or_none(data):
    assert decode_entry(data, DECODE) is None or data == encode_frames(ANSWER)
