"""One contract for all codecs: whatever the dialect, a stream says the same, nothing of it is lost, and a chat goes on anywhere."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from functools import cache
from itertools import groupby, permutations, zip_longest

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.errors import ApiError, BlockedError, PromptError, TransportError, WireError
from nbgemini.messages.events import ToolCall
from nbgemini.messages.turns import NOTE, ORIGIN, Turn
from tests.conftest import golden_bytes
from tests.providers.contracted import CONTRACTED, WHAT
from tests.support.provider_talk import Talk, cut, decoded, golden, leaves, marked, written

NAMES = sorted(CONTRACTED)
EVERY = [(name, what) for name in NAMES for what in WHAT]
TEXTS = [
    ("thought", "First thought."),
    ("answer", "First answer."),
    ("thought", "Second thought."),
    ("answer", "Second answer."),
]
ARGS = [{"a": 1250, "b": 2}, {"a": 3, "b": 4, "unit": "m²"}]


def said(name, what):
    return Talk(name).ask("Add.", golden(name, what))


def keys(data):
    match data:
        case dict():
            yield from data
            for value in data.values():
                yield from keys(value)
        case list() | tuple():
            for value in data:
                yield from keys(value)


def assert_taken(of, body):
    """A request says nothing of ours, and nothing that its service refuses."""
    assert not {ORIGIN, NOTE} & set(keys(body))
    json.dumps(body, allow_nan=False)
    of.accept(body)


@pytest.mark.parametrize("name", NAMES)
def test_segments_are_what_was_said_in_its_order(name):
    talk = said(name, "interleaved").end()
    assert talk.segments == TEXTS
    assert (talk.exchange.state, talk.error, talk.continuation) == ("complete", None, None)
    assert not talk.incoming.unknown
    assert talk.incoming.model not in ("", talk.of.model), "the golden stream names another model than was asked"


@pytest.mark.parametrize("name", NAMES)
def test_each_text_comes_in_pieces(name):
    """So that the golden streams can show that pieces are joined."""
    pieces = [event.text for event in said(name, "interleaved").events if getattr(event, "text", None)]
    assert len(pieces) >= 2 * len(TEXTS)


@pytest.mark.parametrize("name", NAMES)
def test_usage_is_what_the_stream_says(name):
    usage = said(name, "interleaved").incoming.usage
    assert usage == CONTRACTED[name].usage
    assert usage.input >= usage.cached
    assert usage.total == usage.input + usage.thought + usage.output + usage.tool > 0


pieces = st.tuples(
    st.sampled_from(["thought", "answer"]), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
)


@pytest.mark.parametrize("name", NAMES)
@given(pieces=st.lists(pieces, min_size=1, max_size=8))
def test_whatever_is_said_thoughts_stay_thoughts_and_answers_answers(name, pieces):
    talk = Talk(name).ask("Talk.", written(CONTRACTED[name].speak(pieces))).end()
    runs = [(kind, "".join(text for _, text in run)) for kind, run in groupby(pieces, key=lambda piece: piece[0])]
    assert talk.segments == runs
    assert talk.exchange.state == "complete"


@pytest.mark.parametrize(("name", "what"), EVERY)
def test_wherever_the_bytes_are_cut_the_events_are_the_same(name, what):
    body = golden_bytes(f"{name}_{what}")
    whole = cut(body)
    meant = repr(_settled(decoded(name, whole)))
    for place in range(len(body) + 1):
        assert cut(body, place) == whole, place
    for bytewise in (body, body.replace(b"\r\n", b"\n"), body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        frames = cut(bytewise, *range(1, len(bytewise)))
        assert repr(_settled(decoded(name, frames))) == meant


def _settled(events):
    """Events that can be compared: a fault by what it says."""
    return [str(error) if (error := getattr(event, "error", None)) else event for event in events]


@pytest.mark.parametrize(("name", "what"), EVERY)
def test_a_stream_that_is_cut_off_anywhere_is_truncated_and_keeps_what_came(name, what):
    frames, whole = golden(name, what), said(name, what).end()
    for count in range(len(frames)):
        talk = Talk(name).ask("Add.", frames[:count]).end()
        assert "".join(text for _, text in whole.texts).startswith("".join(text for _, text in talk.texts))
        if talk.incoming.finish is None:
            assert talk.exchange.state == "truncated"
            assert isinstance(talk.error, TransportError)
            assert talk.incoming.calls() == []
        else:  # what the service said of the end had come already
            assert talk.exchange.state == whole.exchange.state
            assert talk.texts == whole.texts
        assert_taken(talk.of, talk.following())


@pytest.mark.parametrize("name", NAMES)
def test_tool_calls_come_whole_and_once(name):
    talk = said(name, "tools")
    calls = talk.incoming.calls()
    assert [(call.name, call.args) for call in calls] == [("add", args) for args in ARGS]
    assert [event for event in talk.events if isinstance(event, ToolCall)] == calls
    assert len({call.id for call in calls}) == len(calls)
    talk.end()
    assert [kind for kind, _ in talk.segments] == ["thought", "answer", "tool_call", "tool_call"]
    assert talk.texts == [("thought", "I must add."), ("answer", "Let me add.")]
    assert (talk.exchange.state, talk.error) == ("complete", None)


@pytest.mark.parametrize("name", NAMES)
def test_what_its_service_needs_goes_back_unchanged(name):
    sent = [json.loads(frame) for frame in golden(name, "tools")]
    talk = said(name, "tools").answer()
    body = talk.following()
    assert_taken(talk.of, body)
    assert marked("SIGNED", sent) <= set(leaves(body))
    back = [leaf for leaf in leaves(body) if isinstance(leaf, str)]
    assert all(back.count(call) == 2 for call in marked("CALL", sent)), "a call and its answer name the same id"
    assert "1252" in json.dumps(body)
    talk.listen(golden(name, "interleaved")).end()
    body = talk.following()
    assert_taken(talk.of, body)
    sent += [json.loads(frame) for frame in golden(name, "interleaved")]
    assert talk.of.forgets or marked("SIGNED", sent) <= set(leaves(body))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_unknown_is_counted_and_nothing_else_is_lost(name):
    sent = [json.loads(frame) for frame in golden(name, "unknown")]
    talk = said(name, "unknown").end()
    assert talk.texts == [("thought", "Known thought."), ("answer", "Known answer.")]
    assert (talk.exchange.state, talk.error) == ("complete", None)
    assert len(talk.incoming.unknown) >= 3
    body = talk.following()
    assert_taken(talk.of, body)
    assert talk.of.forgets or marked("SIGNED", sent) <= set(leaves(body))


@pytest.mark.parametrize("name", NAMES)
def test_a_withheld_answer_is_blocked_in_words(name):
    talk = said(name, "blocked").end()
    assert talk.exchange.state == "blocked"
    assert isinstance(talk.error, BlockedError)
    assert " " in str(talk.error)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_cut_at_the_limit_says_what_would_help(name):
    talk = said(name, "truncated").end()
    assert (talk.exchange.state, talk.error, talk.texts) == ("truncated", None, [("answer", "Half an ans")])
    assert "--max-tokens" in talk.exchange.note
    body = talk.following()
    assert_taken(talk.of, body)
    assert "Half an ans" in json.dumps(body)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_in_the_stream_is_raised_and_what_came_is_kept(name):
    talk = said(name, "error")
    assert talk.texts == [("answer", "Half an ans")]
    with pytest.raises(ApiError, match="→") as raised:
        talk.incoming.raise_fault()
    assert raised.value.passing
    assert talk.incoming.calls() == []


@pytest.mark.parametrize(("first", "second"), [*permutations(NAMES, 2), *((name, name) for name in NAMES)])
def test_a_chat_with_one_service_goes_on_with_another(first, second):
    talk = Talk(first).ask("Add these.", golden(first, "tools")).answer().listen(golden(first, "interleaved")).end()
    talk.ask("Tell more.", golden(first, "truncated")).end()
    talk.ask("What is new?", golden(first, "unknown")).end()
    body = talk.following(second)
    assert_taken(CONTRACTED[second], body)
    text = json.dumps(body, ensure_ascii=False)
    asked = ["Add these.", "Let me add.", "1250", "1252", "First answer.", "Second answer.", "Tell more.", "Half an ans"]
    places = [text.find(piece) for piece in (*asked, "What is new?", "Known answer.", "And now?")]
    assert -1 not in places
    assert places == sorted(places)
    if first != second:
        assert not marked("SIGNED", body)
        assert "thought." not in text, "a thought is for the service that had it"


ATTACHED = [
    *(
        {"inlineData": {"mimeType": mime, "data": "QUFB"}}
        for mime in ("image/png", "image/heic", "audio/mp3", "application/pdf")
    ),
    *({"inlineData": {"mimeType": mime, "data": "QUFB"}} for mime in ("video/mp4", "text/plain", "text/csv")),
    {"fileData": {"mimeType": "video/mp4", "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ATTACHED, ids=lambda file: next(iter(file.values()))["mimeType"])
def test_a_file_is_shown_or_refused_in_one_line_and_later_stops_no_chat(name, file):
    talk = Talk(name)
    asked = Turn("user", (file, {"text": "What is it?"}))
    talk.transcript.ask(asked)
    talk.exchange = talk.transcript.exchanges[0]
    with suppress(PromptError):
        assert_taken(talk.of, talk.following())
    talk.ask(asked, golden(name, "interleaved")).end()
    assert_taken(talk.of, talk.following())


@pytest.mark.parametrize("name", NAMES)
def test_two_streams_at_once_know_nothing_of_each_other(name):
    codec = CONTRACTED[name].make()
    streams = [golden(name, what) for what in ("tools", "interleaved", "tools")]
    decoders, events = [codec.decoder() for _ in streams], [[] for _ in streams]
    for frames in zip_longest(*streams):
        for decode, frame, found in zip(decoders, frames, events, strict=True):
            found.extend(decode(frame) if frame is not None else ())
    assert events == [decoded(name, frames) for frames in streams]


WORDS = {
    name: sorted({key for what in WHAT for frame in golden(name, what) for key in keys(json.loads(frame))}) for name in NAMES
}
KINDS = {
    name: sorted({str(leaf) for what in WHAT for frame in golden(name, what) for leaf in leaves(json.loads(frame))})
    for name in NAMES
}
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@cache
def shapes(name):
    """JSON of the words of a dialect."""
    return st.recursive(
        plain | st.sampled_from(KINDS[name]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS[name]), inner, max_size=5),
        max_leaves=12,
    )


def assert_survives(name, frames):
    """Whatever came: events or one WireError, and a chat that can go on."""
    talk = Talk(name)
    try:
        talk.ask("Add.", frames)
    except WireError:
        return
    talk.end()
    with suppress(PromptError):  # what no service could have sent is refused in words
        json.dumps(talk.following())


@pytest.mark.parametrize("name", NAMES)
@given(frames=st.lists(st.binary(max_size=60), max_size=3))
@settings(max_examples=500)
def test_any_bytes_give_events_or_one_wire_error(name, frames):
    assert_survives(name, frames)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=150)
def test_any_json_in_the_dialects_words_gives_events(name, data):
    assert_survives(name, written(data.draw(st.lists(shapes(name), max_size=4))))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=200)
def test_any_value_in_any_place_of_a_stream_gives_events(name, data):
    frames = [json.loads(frame) for frame in golden(name, data.draw(st.sampled_from(WHAT)))]
    at = data.draw(st.integers(0, len(frames) - 1))
    frames[at] = _changed(copy.deepcopy(frames[at]), data, shapes(name))
    assert_survives(name, written(frames))


def _changed(value, data, values):
    """The value with something else in one of its places."""
    inside = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inside or data.draw(st.integers(0, 5)) == 0:
        return data.draw(values)
    key = data.draw(st.sampled_from(inside))
    value[key] = _changed(value[key], data, values)
    return value


@pytest.mark.parametrize(("name", "what"), EVERY)
def test_every_codec_has_its_golden_streams(name, what):
    assert golden(name, what)
