"""However a call's arguments are cut, they are exactly the arguments, or there is no call."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.messages.events import (
    AnswerDelta,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallGrowing,
    ToolCallStart,
)
from nbgemini.messages.tool_call_assembler import ToolCallAssembler

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12)
names = st.text(max_size=4) | st.sampled_from(["a", "a.b", "it's", '"', "\\", "[0]", "$", "\n"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
objects = st.dictionaries(names, values, max_size=4)


def fed(*events):
    growing = ToolCallAssembler()
    return [news for event in events for news in growing.feed(event)] + growing.close()


def made(*events):
    return [news for news in fed(*events) if isinstance(news, ToolCall)]


def known(*events):
    return [news.text for news in fed(*events) if isinstance(news, ToolCallGrowing)]


def broken(name, text):
    """A call whose arguments are not whole."""
    return ToolCallGrowing("", name, text, None, "broken")


def same(one, other):
    """Equal, and 1 is neither 1.0 nor true."""
    return json.dumps(one) == json.dumps(other)


@st.composite
def cuts(draw, text):
    ends = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def written(draw, args):
    return json.dumps(args, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))


@st.composite
def as_deltas(draw, key, args):
    texts = draw(cuts(written(draw, args)))
    if draw(st.booleans()):  # a complete text replaces whatever came before
        texts = [*draw(st.lists(st.sampled_from(["{}", '{"a": 1}', "x"]), max_size=3)), *texts]
        return [*(ToolArgsDelta(key, text) for text in texts), ToolArgsText(key, written(draw, args))]
    return [ToolArgsDelta(key, text) for text in texts]


def quoted(draw, name):
    if name.isidentifier() and draw(st.booleans()):
        return f".{name}"
    double = json.dumps(name, ensure_ascii=draw(st.booleans()))
    inner = double[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"[{double}]" if draw(st.booleans()) else f"['{inner}']"


def leaves(draw, path, value):
    if isinstance(value, dict) and value:
        return [leaf for name, item in value.items() for leaf in leaves(draw, path + quoted(draw, name), item)]
    if isinstance(value, list) and value:
        return [leaf for number, item in enumerate(value) for leaf in leaves(draw, f"{path}[{number}]", item)]
    return [(path, value)]


@st.composite
def as_pieces(draw, key, args):
    events = []
    for path, value in leaves(draw, "$", args):
        texts = draw(cuts(value)) if isinstance(value, str) else [value]
        events += [ToolArgsPiece(key, path, text, more=True) for text in texts[:-1]]
        events.append(ToolArgsPiece(key, path, texts[-1]))
    return events


@st.composite
def interleaved(draw, streams):
    streams, events = [list(stream) for stream in streams], []
    while streams := [stream for stream in streams if stream]:
        events.append(draw(st.sampled_from(streams)).pop(0))
    return events


@given(data=st.data(), all_args=st.lists(objects, min_size=1, max_size=3))
@settings(max_examples=500, deadline=None)
def test_calls_cut_anywhere_side_by_side_are_exactly_what_was_meant(data, all_args):
    streams = []
    for number, args in enumerate(all_args):
        key = str(number)
        pieces = data.draw(st.one_of(as_deltas(key, args), as_pieces(key, args)))
        streams.append([ToolCallStart(key, "f", key), *pieces, ToolCallEnd(key)])
    calls = sorted(made(*data.draw(interleaved(streams))), key=lambda call: call.id)
    assert [call.id for call in calls] == [str(number) for number in range(len(all_args))]
    assert all(same(call.args, args) for call, args in zip(calls, all_args, strict=True))


anything = st.sampled_from(["", "a", "b"])
junk_text = st.sampled_from(
    ["{", "}", "{}", '{"a": ', "1", '"', "[" * 100_000, "NaN", '{"a": NaN}', "\ud83d", '{"a": "\\ud83d"}', "1e999"]
)
junk_path = st.sampled_from(
    ["$", "$.a", "$.a.b", "$.a[0]", "$.a[1]", "$[0]", "$['a", '$["a"]', "a", "", "$..a", "$.*", "$" + ".a" * 99]
)
junk_value = (
    values | st.just(float("nan")) | st.just({"a"}) | st.just(10**5000) | st.just("\ud83d") | st.just({1: {"a": set()}})
)
junk = st.one_of(
    st.builds(ToolCall, anything, st.dictionaries(anything, junk_value, max_size=2), st.none() | anything),
    st.builds(ToolCallStart, anything, anything, st.none() | anything, st.none() | st.just({"x": 1})),
    st.builds(ToolArgsDelta, anything, st.text() | junk_text),
    st.builds(ToolArgsText, anything, st.text() | junk_text),
    st.builds(ToolArgsPiece, anything, st.text(max_size=9) | junk_path, junk_value, st.booleans()),
    st.builds(ToolCallEnd, anything),
    st.just(AnswerDelta("x")),
)


@given(events=st.lists(junk, max_size=20))
@settings(max_examples=1000, deadline=None)
def test_junk_never_raises_and_what_is_made_can_be_sent(events):
    whole = [event for event in events if isinstance(event, ToolCall)]
    growing = ToolCallAssembler()
    for event in events:
        for news in growing.feed(event):
            if isinstance(news, ToolCallGrowing):
                news.text.encode()
            elif news not in whole:
                json.dumps(news.args, ensure_ascii=False, allow_nan=False).encode()
    assert not [news for news in growing.close() if isinstance(news, ToolCall)]
    assert growing.close() == []


START, END = ToolCallStart("", "f"), ToolCallEnd("")


@pytest.mark.parametrize(
    "pieces",
    [
        [ToolArgsDelta("", '{"a": 1')],
        [ToolArgsDelta("", "{}"), ToolArgsDelta("", "{}")],
        [ToolArgsDelta("", "[1]")],
        [ToolArgsDelta("", '{"a": NaN}')],
        [ToolArgsText("", '{"a": 1}'), ToolArgsDelta("", "}")],
        [ToolArgsPiece("", "$.a", "un", more=True)],
        [ToolArgsPiece("", "$.a", 1), ToolArgsPiece("", "$.a", 2)],
        [ToolArgsPiece("", "$.a", 1), ToolArgsPiece("", "$.a.b", 2)],
        [ToolArgsPiece("", "$.a[1]", 1)],
        [ToolArgsPiece("", "a", 1)],
        [ToolArgsPiece("", "$", "text")],
        [ToolArgsDelta("", "{}"), ToolArgsPiece("", "$.a", 1)],
        [ToolArgsPiece("", "$.a", 1), ToolArgsDelta("", "{}")],
    ],
)
def test_arguments_that_are_incomplete_or_contradict_themselves_make_no_call(pieces):
    assert made(START, *pieces, END) == []
    last = fed(START, *pieces, END)[-1]
    assert (type(last), last.state) == (ToolCallGrowing, "broken")
    assert made(START, *pieces, ToolArgsText("", '{"a": 3}'), END) == [ToolCall("f", {"a": 3})]


def test_a_call_without_arguments_has_none():
    assert made(START, END) == [ToolCall("f", {})]
    assert made(START, ToolArgsDelta("", " "), END) == [ToolCall("f", {})]


def test_the_reader_sees_it_grow():
    assert known(START, ToolArgsDelta("", '{"a": "b'), ToolArgsDelta("", 'c"}'), END) == ["", '{"a": "b', '{"a": "bc"}']
    pieces = [ToolArgsPiece("", "$.a[0]", "ü", more=True), ToolArgsPiece("", "$.a[0]", "b"), ToolArgsPiece("", "$.n", 2)]
    assert known(START, *pieces, END) == ["", '{"a": ["ü"]}', '{"a": ["üb"]}', '{"a": ["üb"], "n": 2}']


def test_what_has_no_end_is_no_call():
    growing = ToolCallAssembler()
    growing.feed(START)
    growing.feed(ToolArgsDelta("", "{}"))
    assert growing.feed(ToolCallStart("", "g")) == [broken("f", "{}"), ToolCallGrowing("", "g", "")]
    assert growing.close() == [broken("g", "")]
    assert growing.feed(END) == []


def test_one_call_however_often_it_is_sent():
    """A response was seen with 107 copies of one call; two dice are two calls."""
    one, other = ToolCall("f", {"a": 1, "b": 2}), ToolCall("f", {"b": 2, "a": 1})
    assert made(*[one] * 107, other) == [one]
    assert len(made(ToolCall("f", {"a": 1}), ToolCall("f", {"a": 1.0}), ToolCall("g", {"a": 1}))) == 3
    assert len(made(ToolCall("dice", {}, "1"), ToolCall("dice", {}, "2"), ToolCall("dice", {}))) == 3
    assert made(ToolCall("f", {"a": 1}, "1"), ToolCall("f", {"a": 2}, "1")) == [ToolCall("f", {"a": 1}, "1")]
    assert made(one, START, ToolArgsDelta("", '{"b": 2, "a": 1}'), END) == [one]
    assert fed(one, START, ToolArgsDelta("", '{"b": 2, "a": 1}'), END)[-1].state == "again"
    again = [ToolCallStart("k", "f", "1"), ToolArgsDelta("k", "{}"), ToolCallEnd("k")]
    assert fed(ToolCall("f", {}, "1"), *again) == [ToolCall("f", {}, "1")]
    assert made(one) + made(one) == [one, one]


def test_a_name_said_again_with_every_piece_begins_no_new_call():
    start = ToolCallStart("", "f", "1")
    assert made(start, ToolArgsDelta("", '{"a":'), start, ToolArgsDelta("", "1}"), END) == [ToolCall("f", {"a": 1}, "1")]


def test_the_part_it_goes_back_in():
    growing = ToolCallAssembler()
    growing.feed(ToolCallStart("", "f", None, {"functionCall": {"name": "f"}}))
    growing.feed(ToolCallEnd("", {"functionCall": {}, "thoughtSignature": "x"}))
    assert growing.part == {"functionCall": {"name": "f"}, "thoughtSignature": "x"}
    growing.feed(ToolCall("g", {}))
    assert growing.part is None


def test_a_text_cut_within_a_character_is_mended():
    """Between the halves of a surrogate pair; a half alone can't be sent back."""
    pieces = [
        ToolArgsPiece("", "$.a", "\ud83d", more=True),
        ToolArgsPiece("", "$.a", "\ude00"),
        ToolArgsPiece("", "$.b", "\ud83d"),
    ]
    assert made(START, *pieces, END) == [ToolCall("f", {"a": "😀", "b": "\ufffd"})]


@pytest.mark.parametrize("by_path", [False, True])
def test_what_is_shown_is_linear_in_the_arguments(by_path):
    """Four times the arguments, four times the characters shown, whatever the size of a piece."""

    def shown(length):
        if by_path:
            pieces = [ToolArgsPiece("", "$.a", "x", more=True)] * length
        else:
            pieces = [ToolArgsDelta("", '{"a": "'), *[ToolArgsDelta("", "x")] * length]
        return sum(map(len, known(START, *pieces)))

    assert shown(200_000) < 5 * shown(50_000)


def test_a_text_may_be_ended_by_nothing():
    """The service does so; once more does no harm."""
    pieces = [ToolArgsPiece("", "$.a", "b", more=True), *[ToolArgsPiece("", "$.a", "")] * 2]
    assert made(START, *pieces, END) == [ToolCall("f", {"a": "b"})]


def test_events_are_not_changed_by_what_follows():
    value = {"x": []}
    events = START, ToolArgsPiece("", "$.a", value), ToolArgsPiece("", "$.a.x[0]", 1), END
    assert made(*events) == [ToolCall("f", {"a": {"x": [1]}})]
    assert value == {"x": []}


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
