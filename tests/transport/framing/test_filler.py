"""What is no frame is counted, and so are the values in one: neither holds anybody up."""

from __future__ import annotations

import pytest

from nbgemini.errors import WireError
from nbgemini.transport.framing import MOST_FILLER, MOST_VALUES, Framer

PIECE = 8_192
FILLERS = {
    "comments": b":" + b"x" * 62 + b"\n",
    "blanks": b"\n" * 64,
    "unknown fields": b"id: " + b"1" * 59 + b"\n",
    "empty data": b"data:\n\n" * 8 + b"\n" * 8,
    "the end, again and again": b"data: [DONE]\n\n" * 4 + b"\n" * 8,
    "one line without an end": b":" * 64,
    "commas of an array": b"," * 64,
}


def fed(framer, filler, size):
    for _ in range(size // PIECE):
        assert framer.feed(filler * (PIECE // 64)) == []


@pytest.mark.parametrize("kind", FILLERS)
@pytest.mark.parametrize("first", [b"", b'data: {"a": 1}\n\n', b'[{"a": 1}'])
def test_so_much_filler_and_no_more(kind, first):
    framer, held = Framer(), kind in ("one line without an end", "commas of an array") and not first.startswith(b"[")
    if first:
        assert framer.feed(first) == [b'{"a": 1}']
    fed(framer, FILLERS[kind], MOST_FILLER - PIECE)
    if held:  # it may be a frame yet, as large as one may be
        return
    with pytest.raises(WireError, match=r"comments and blanks"):
        fed(framer, FILLERS[kind], 2 * PIECE)


def test_a_frame_makes_room_for_more():
    framer = Framer()
    for _ in range(3):
        fed(framer, FILLERS["comments"], MOST_FILLER - PIECE)
        assert framer.feed(b"data: {}\n\n") == [b"{}"]


@pytest.mark.parametrize("lines", [1, 2, 3, 50])
def test_what_a_frame_holds_is_no_filler(lines):
    framer, piece = Framer(), b"x" * (6 * 2**20 // lines // PIECE * PIECE)
    begin = framer.feed(b'data: {"a": "')
    for number in range(lines):
        for at in range(0, len(piece), PIECE):
            begin += framer.feed(piece[at : at + PIECE])
        begin += framer.feed(b'",\ndata: "%d": "' % number if number < lines - 1 else b'"}\n')
    assert begin == []
    (frame,) = framer.feed(b"\n")
    assert len(frame) > 5 * 2**20


@pytest.mark.parametrize("value", [b"0", b"[]", b"{}", b"[[[]]]"])
def test_a_frame_has_so_many_values_and_no_more(value):
    few, many = (b'{"a": [' + b",".join([value] * count) + b"]}" for count in (MOST_VALUES // 8, MOST_VALUES + 1))
    assert Framer().feed(few) == [few]
    with pytest.raises(WireError, match="500,000 values"):
        Framer().feed(many)


def test_long_texts_are_few_values():
    frame = b'{"a": "' + b"word, " * 400_000 + b'"}'
    assert Framer().feed(frame) == [frame]
