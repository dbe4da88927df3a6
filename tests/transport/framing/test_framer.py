"""Any cut of the bytes gives the same frames and the same events, in both framings and with every kind of line end."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.errors import WireError
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.transport.framing import Framer
from tests.conftest import as_array, golden_bytes, golden_frames, golden_names

MANY = settings(max_examples=2000, derandomize=True, deadline=None)
FRAMINGS = ["crlf", "lf", "cr", "array"]


def cut(body, *places):
    framer, frames, start = Framer(), [], 0
    for place in (*places, len(body)):
        frames += framer.feed(body[start:place])
        start = place
    return frames + framer.close()


def cut_bounded(body, *places, largest):
    """The frames before one that is too large, and whether there was one."""
    framer, frames, start = Framer(largest), [], 0
    try:
        for place in (*places, len(body)):
            frames += framer.feed(body[start:place])
            start = place
        return frames + framer.close(), False
    except WireError:
        return frames, True


def events(frames):
    return [event for frame in frames for event in GeminiCodec().decoder()(frame)]


def bodies(name):
    sse = golden_bytes(name)
    return {
        "crlf": sse,
        "lf": sse.replace(b"\r\n", b"\n"),
        "cr": sse.replace(b"\r\n", b"\r"),
        "array": as_array(golden_frames(name)),
        "lines": b"\n".join(json.dumps(frame).encode() for frame in golden_frames(name)),
    }


def said(found):
    """Events as text: errors are compared by what they say."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(found))


@pytest.mark.parametrize("name", golden_names())
def test_a_golden_stream_says_the_same_in_every_framing(name):
    meant = said([event for frame in golden_frames(name) for event in GeminiCodec().decoder()(json.dumps(frame).encode())])
    for framing, body in bodies(name).items():
        assert said(events(cut(body))) == meant, framing


@pytest.mark.parametrize("name", golden_names())
@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_split_in_two_gives_the_same_frames(name, framing):
    body = bodies(name)[framing]
    whole = cut(body)
    assert whole
    for place in range(len(body) + 1):
        assert cut(body, place) == whole, place


SHORT = [(name, framing) for name in golden_names() for framing in FRAMINGS if len(bodies(name)[framing]) <= 400]


@pytest.mark.parametrize(("name", "framing"), SHORT)
def test_every_split_in_three_of_a_short_stream_gives_the_same_frames(name, framing):
    body = bodies(name)[framing]
    whole = cut(body)
    for first in range(len(body) + 1):
        for second in range(first, len(body) + 1):
            assert cut(body, first, second) == whole, (first, second)


@pytest.mark.parametrize("name", golden_names())
def test_byte_by_byte_gives_the_same_events(name):
    for body in bodies(name).values():
        assert said(events(cut(body, *range(1, len(body))))) == said(events(cut(body)))


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_cut_within_a_character_an_escape_or_a_line_end_shows_nowhere(framing):
    """All of them are among the splits above; here by name, so that they stay."""
    text = "é 😀 \u2028 \ud83d\ude00"
    frame = json.dumps({"a": text}, ensure_ascii=False).replace("\ud83d\ude00", "\\ud83d\\ude00")
    body = {
        "array": f"[{frame}\n,\r\n{frame}\n]",
        **{name: f"data: {frame}{end}{end}" * 2 for name, end in (("crlf", "\r\n"), ("lf", "\n"), ("cr", "\r"))},
    }[framing].encode("utf-8", "surrogatepass")
    for place in range(len(body)):
        for frames in (cut(body, place), cut(body, place, place + 1)):
            assert [json.loads(frame)["a"] for frame in frames] == ["é 😀 \u2028 😀"] * 2


texts = st.text('ab"\\{}[]:, \n\r\x85é\u2028\u2029😀\ud800', max_size=6)
values = texts | st.none() | st.integers(-9, 9)
objects = st.dictionaries(texts, values | st.lists(values, max_size=2) | st.dictionaries(texts, values, max_size=2), max_size=2)


@given(
    frames=st.lists(objects, min_size=1, max_size=3),
    ascii_only=st.booleans(),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    data=st.data(),
)
@MANY
def test_any_objects_survive_any_cuts(frames, ascii_only, end, data):
    texts = [json.dumps(frame, ensure_ascii=ascii_only) for frame in frames]
    sse = "".join(f"data: {text}{end}{end}" for text in texts)
    array = "[" + "\n,\r\n".join(texts) + "\n]"
    for text in (sse, array):
        body = text.encode("utf-8", "replace")
        places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
        assert cut(body, *places) == [json.dumps(frame, ensure_ascii=ascii_only).encode("utf-8", "replace") for frame in frames]


@given(body=st.binary(max_size=300), data=st.data())
@MANY
def test_any_bytes_give_the_same_whatever_the_cuts(body, data):
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    assert cut(body, *places) == cut(body)


pieces = st.sampled_from(
    [b"data: ", b"data:", b'{"a":"', b'"}', b"{", b"}", b"[", b"x" * 9, b"\\", b'"', b"\n", b"\r\n", b"\n\n", b": "]
)


@given(body=st.lists(pieces, max_size=14).map(b"".join), largest=st.integers(0, 30), data=st.data())
@MANY
def test_what_is_too_large_is_so_whatever_the_cuts(body, largest, data):
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    frames, too_large = cut_bounded(body, *places, largest=largest)
    assert (frames, too_large) == cut_bounded(body, largest=largest)
    assert all(len(frame) <= largest + 6 for frame in frames)
    if not too_large:
        assert frames == cut(body)


@given(body=st.lists(pieces | st.binary(max_size=6), max_size=14).map(b"".join), data=st.data())
@MANY
def test_any_bytes_give_events_or_one_wire_error(body, data):
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    with suppress(WireError):
        assert isinstance(events(cut(body, *places)), list)


@pytest.mark.parametrize("endless", [b'{"a":"', b"data: ", b": ", b"x", b"[{", b'data: {}\n\n{"error":"', b"data: {}\ndata: "])
def test_what_never_ends_is_held_up_to_the_limit_only(endless):
    """Memory is bounded by the limit, for whatever a service sends without end."""
    framer, fed = Framer(1000), 0
    framer.feed(endless)
    with pytest.raises(WireError, match="too large"):
        while fed < 100_000:
            fed += 100
            framer.feed(b"x" * 100)
    assert fed <= 1200
    for _ in range(2):
        with pytest.raises(WireError):
            framer.feed(b'"}\n\n')


@pytest.mark.parametrize(
    "body",
    [
        b'data:{"a":1}\n\n',
        b'\xef\xbb\xbfdata: {"a":1}\n\n',
        b': keep-alive\n\ndata: {"a":1}\n\n: again\n\n',
        b'event: message\nid: 7\nretry: 10\ndata: {"a":1}\n\n',
        b'data: {"a":1}\n\ndata: [DONE]\n\n',
        b'data: {"a":\ndata: 1}\n\n',
        b'data: {"a":\r\ndata: 1}\r\n\r\n',
        b'data: {"a":1}',
        b'\r\n\r\n[{"a":1}]',
        b'{"a":1}',
        b'\xef\xbb\xbf {"a":1}\n',
        b'junk\n data: {"b":2}\ndata: {"a":1}\n\n',
        b'data: {"a":1}\ndata: ',
    ],
)
def test_bent_but_readable_streams_are_read(body):
    for places in ((), tuple(range(1, len(body)))):
        assert [json.loads(frame) for frame in cut(body, *places)] == [{"a": 1}]


def test_two_events_without_a_blank_line_are_two_frames():
    assert cut(b'data: {"a":1}\ndata: {"b":2}\n\n') == [b'{"a":1}', b'{"b":2}']


def test_a_bare_error_after_events_is_a_frame():
    body = b'data: {"a":1}\r\n\r\n{\n  "error": {\n    "code": 499\n  }\n}\n'
    for place in range(len(body)):
        assert [json.loads(frame) for frame in cut(body, place)] == [{"a": 1}, {"error": {"code": 499}}]


def test_a_bare_error_in_a_list_after_events_is_a_frame():
    body = b'data: {"a":1}\r\n\r\n[\n  {\n    "error": {\n      "code": 499\n    }\n  }\n]\n'
    for place in range(len(body)):
        assert [json.loads(frame) for frame in cut(body, place)] == [{"a": 1}, {"error": {"code": 499}}]


def test_an_unfinished_frame_is_dropped():
    assert cut(b'[{"a":1}\n,\r\n{"b":') == [b'{"a":1}']
    assert cut(b'data: {"a":1}\n\ndata: {"b":') == [b'{"a":1}']


@pytest.mark.parametrize(
    "frame", [b'{"t":"' + b"x" * 10_000_000 + b'"}', b'{"t":"' + rb"\n\"" * 2_500_000 + b'"}'], ids=["plain", "escaped"]
)
@pytest.mark.parametrize("wrap", [b"data: %s\r\n\r\n", b"[%s]"], ids=["sse", "array"])
def test_a_huge_frame_in_small_pieces_is_cut_out(frame, wrap):
    """10 MB in network-sized pieces: a reader that looked at bytes twice would not come back within the time limit."""
    body = wrap % frame
    assert cut(body, *range(1448, len(body), 1448)) == [frame]


@pytest.mark.parametrize(
    ("body", "whole", "is_json"),
    [
        (b'data: {"a":1}\n\ndata: [DONE]\n\n', True, False),
        (b'data: {"a":1}\n\ndata: [DONE]', True, False),
        (b'data: {"a":1}\ndata: [DONE]\n\n', True, False),
        (b'data: {"a":1}\n\n', False, False),
        (b'{"a":1}', True, True),
        (b'\n{"a":\n {"b": 1}}\n', True, True),
        (b'{"a":1}{"a":2}', False, True),
        (b'{"a":1', False, True),
        (b'[{"a":1}]', False, True),
        (b"", False, False),
    ],
)
def test_a_body_may_say_that_it_is_whole(body, whole, is_json):
    for size in (1, len(body) or 1):
        framer = Framer()
        for start in range(0, len(body), size):
            framer.feed(body[start : start + size])
        framer.close()
        assert (framer.whole, framer.is_json) == (whole, is_json)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'error: {"code":400}\n\n', {"error": {"code": 400}}),
        (b'error:{"error":{"code":400}}\n\n', {"error": {"code": 400}}),
        (b"error: no way\n\n", {"error": {"message": "no way"}}),
        (b"error: 7\n\n", {"error": {"message": "7"}}),
        (b'event: error\ndata: {"code":400}\n\n', {"error": {"code": 400}}),
        (b'event: error\ndata: {"type":"error","code":400}\n\n', {"type": "error", "code": 400}),
        (b'event: error\ndata: {"code":\ndata: 400}\n\n', {"error": {"code": 400}}),
        (b'event: error\ndata: {"code":400}', {"error": {"code": 400}}),
        (b'event: error\nevent: fine\ndata: {"code":400}\n\n', {"code": 400}),
        (b'event: error\n\ndata: {"code":400}\n\n', {"code": 400}),
    ],
)
def test_an_error_that_the_field_or_the_events_name_tells_of(body, said):
    for places in ((), tuple(range(1, len(body)))):
        assert [json.loads(frame) for frame in cut(body, *places)] == [said]
