"""Any cut of the bytes gives the same frames and the same events, in both framings and with every kind of line end."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbgemini.providers.gemini import Gemini
from nbgemini.wire import Framer
from tests.conftest import as_array, golden_bytes, golden_frames, golden_names


def cut(body, *places):
    framer, frames, start = Framer(), [], 0
    for place in (*places, len(body)):
        frames += framer.feed(body[start:place])
        start = place
    return frames + framer.close()


def events(frames):
    return [event for frame in frames for event in Gemini().decode(frame)]


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
    meant = said([event for frame in golden_frames(name) for event in Gemini().decode(json.dumps(frame).encode())])
    for framing, body in bodies(name).items():
        assert said(events(cut(body))) == meant, framing


@pytest.mark.parametrize("name", golden_names())
@pytest.mark.parametrize("framing", ["crlf", "lf", "cr", "array"])
def test_every_split_in_two_gives_the_same_frames(name, framing):
    body = bodies(name)[framing]
    whole = cut(body)
    assert whole
    for place in range(len(body) + 1):
        assert cut(body, place) == whole, place


@pytest.mark.parametrize("framing", ["crlf", "lf", "cr", "array"])
def test_every_split_in_three_of_a_short_stream_gives_the_same_frames(framing):
    body = bodies("short")[framing]
    whole = cut(body)
    for first in range(len(body) + 1):
        for second in range(first, len(body) + 1):
            assert cut(body, first, second) == whole, (first, second)


@pytest.mark.parametrize("name", golden_names())
def test_byte_by_byte_gives_the_same_events(name):
    for body in bodies(name).values():
        assert said(events(cut(body, *range(1, len(body))))) == said(events(cut(body)))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), values, max_size=4)


@given(
    frames=st.lists(objects, min_size=1, max_size=4),
    ascii_only=st.booleans(),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    data=st.data(),
)
@settings(max_examples=1000)
def test_any_objects_survive_any_cuts(frames, ascii_only, end, data):
    texts = [json.dumps(frame, ensure_ascii=ascii_only) for frame in frames]
    sse = "".join(f"data: {text}{end}{end}" for text in texts)
    array = "[" + "\n,\r\n".join(texts) + "\n]"
    for text in (sse, array):
        body = text.encode("utf-8", "replace")
        places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
        assert cut(body, *places) == [json.dumps(frame, ensure_ascii=ascii_only).encode("utf-8", "replace") for frame in frames]


@given(body=st.binary(max_size=300), data=st.data())
@settings(max_examples=1000)
def test_any_bytes_give_the_same_whatever_the_cuts(body, data):
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    assert cut(body, *places) == cut(body)


@pytest.mark.parametrize(
    "body",
    [
        b'data:{"a":1}\n\n',
        b'\xef\xbb\xbfdata: {"a":1}\n\n',
        b': keep-alive\n\ndata: {"a":1}\n\n: again\n\n',
        b'event: message\nid: 7\nretry: 10\ndata: {"a":1}\n\n',
        b'data: {"a":1}\n\ndata: [DONE]\n\n',
        b'data: {"a":\ndata: 1}\n\n',
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
