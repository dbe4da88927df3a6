"""Any cut of the bytes gives the same head and body, any bytes give a body or one fault, and what is held is bounded."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.transport.asyncio_transport import ResponseParser

MANY = settings(max_examples=2000, derandomize=True, deadline=None)
LARGEST_HEAD = 65_536
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(data, *places, closed=True):
    """What a response said, cut at these places."""
    parser, body, start = ResponseParser(), [], 0
    for place in (*places, len(data)):
        body.append(parser.feed(data[start:place]))
        start = place
    if closed and not parser.done:
        parser.end()
    return parser, b"".join(body)


def said(data, *places):
    parser, body = read(data, *places)
    return parser.status, parser.headers if parser.status else [], body, parser.fault, parser.done


def chunked(*parts, end=b"\r\n", extension=b"", trailers=b""):
    lines = [b"%x%b%b%b%b" % (len(part), extension, end, part, end) for part in parts]
    return b"".join(lines) + b"0" + extension + end + trailers + end


LONG = b"data: " + b"x" * 5000 + b"\r\n\r\n"
RESPONSES = {
    "a length": (OK + b"Content-Length: 11\r\n\r\nhello world", b"hello world"),
    "no length": (OK + b"\r\nhello world", b"hello world"),
    "nothing": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "304": (b"HTTP/1.1 304\r\nContent-Length: 9\r\n\r\n", b""),
    "chunks": (CHUNKED + chunked(b"hello ", b"world"), b"hello world"),
    "chunks with extensions": (CHUNKED + chunked(b"hello ", b"world", extension=b' ;a="b";c'), b"hello world"),
    "chunks with trailers": (CHUNKED + chunked(b"hello", trailers=b"a: b\r\nc: d\r\n"), b"hello"),
    "chunks and a length": (
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello"),
        b"hello",
    ),
    "a head with LF": (OK.replace(b"\r\n", b"\n") + b"Content-Length: 5\n\nhello", b"hello"),
    "sizes in capitals": (CHUNKED + b"00A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "sizes with blanks": (CHUNKED + b"5  \r\nhello\r\n0\r\n\r\n", b"hello"),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + CHUNKED + chunked(b"hello"), b"hello"),
    "old": (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    "blank lines before": (b"\r\n\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
}
FAULTY = {
    "short of its length": (OK + b"Content-Length: 11\r\n\r\nhello", b"hello", "before the answer did"),
    "no last chunk": (CHUNKED + b"5\r\nhello\r\n", b"hello", "before the answer did"),
    "half a chunk": (CHUNKED + b"5\r\nhel", b"hel", "before the answer did"),
    "half a head": (OK + b"Content-Le", b"", "before the answer did"),
    "nothing at all": (b"", b"", "without an answer"),
    "no size": (CHUNKED + b"5\r\nhello\r\nzz\r\nworld\r\n", b"hello", "no answer in HTTP"),
    "a size below nothing": (CHUNKED + b"-1\r\nhello", b"", "no answer in HTTP"),
    "a size with underscores": (CHUNKED + b"1_0\r\nhello", b"", "no answer in HTTP"),
    "a size beyond all": (CHUNKED + b"f" * 17 + b"\r\nhello", b"", "no answer in HTTP"),
    "more than its size": (CHUNKED + b"5\r\nhello, world\r\n0\r\n\r\n", b"hello", "no answer in HTTP"),
    "a size without end": (CHUNKED + b"5;" + b"x" * 2 * LARGEST_HEAD, b"", "have no end"),
    "trailers without end": (CHUNKED + b"0\r\n" + b"a: b\r\n" * 20_000, b"", "have no end"),
    "interim responses without end": (b"HTTP/1.1 100 Go\r\n\r\n" * 5_000, b"", "have no end"),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"", "no answer in HTTP"),
    "a length that is none": (OK + b"Content-Length: -5\r\n\r\nhello", b"", "no answer in HTTP"),
    "an unknown framing": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"", "contradicts itself"),
    "another protocol": (b"SSH-2.0-OpenSSH\r\n", b"", "no answer in HTTP"),
    "HTTP/2": (b"HTTP/2 200\r\n\r\n", b"", "no answer in HTTP"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", b"", "no answer in HTTP"),
    "switching": (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", b"", "no answer in HTTP"),
    "a blank in a name": (OK + b"Content Length: 5\r\n\r\nhello", b"", "no answer in HTTP"),
    "a return in a value": (OK + b"A: b\rc\r\n\r\n", b"", "no answer in HTTP"),
    "too many headers": (OK + b"a: b\r\n" * 300 + b"\r\n", b"", "no end"),
    "a head without end": (OK + b"a: " + b"x" * 2 * LARGEST_HEAD, b"", "have no end"),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_is_read_whole_whatever_the_cut(name):
    data, body = RESPONSES[name]
    whole = said(data)
    assert whole[2:] == (body, "", True)
    for place in range(len(data) + 1):
        assert said(data, place) == whole, place
    assert said(data, *range(1, len(data))) == whole


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_told_after_what_came_before_it_whatever_the_cut(name):
    data, body, fault = FAULTY[name]
    whole = said(data)
    assert whole[2] == body
    assert fault in whole[3]
    assert not whole[4]
    for place in range(0, len(data) + 1, max(1, len(data) // 100)):
        cut = said(data, place)
        assert (cut[2], cut[4]) == (body, False), place
        assert fault in cut[3]


def test_headers_are_handed_over_as_they_came():
    parser, _ = read(OK + b"X-A:  b \r\nx-a:c\r\nDate: Sat,\xe9\r\nEmpty:\r\nContent-Length: 0\r\n\r\n")
    assert parser.headers == [
        (b"X-A", b"b"),
        (b"x-a", b"c"),
        (b"Date", b"Sat,\xe9"),
        (b"Empty", b""),
        (b"Content-Length", b"0"),
    ]


@pytest.mark.parametrize("name", ["a length", "nothing", "204", "chunks", "chunks with trailers", "interim"])
def test_a_connection_is_used_again_after_a_body_that_ended_by_itself(name):
    data, _ = RESPONSES[name]
    assert read(data)[0].reusable
    for place in range(len(data)):
        assert not read(data[:place], closed=False)[0].reusable
        assert read(data, place)[0].reusable
        assert not read(data + b"H", place)[0].reusable
        assert not read(data + b"x", place)[0].reusable
    assert not read(data.replace(b"HTTP/1.1 2", b"HTTP/1.0 2"))[0].reusable
    assert not read(data.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n"))[0].reusable


@pytest.mark.parametrize(
    "data",
    [*(RESPONSES[name][0] for name in ("no length", "old", "chunks and a length")), *(data for data, _, _ in FAULTY.values())],
)
def test_a_connection_is_used_once_where_its_end_is_an_end_or_in_doubt(data):
    assert not read(data)[0].reusable


def test_the_chunks_of_one_read_are_one_piece():
    parts = [b"data: %d\r\n\r\n" % number for number in range(150)]
    parser = ResponseParser()
    assert parser.feed(CHUNKED + chunked(*parts)) == b"".join(parts)
    assert parser.done


def test_a_chunk_costs_next_to_nothing():
    """A hundred times what it takes: a reader that looked at all bytes again for each chunk would take longer."""
    data = chunked(*[LONG[:408]] * 50_000)
    parser, began = ResponseParser(), time.process_time()
    parser.feed(CHUNKED)
    for at in range(0, len(data), 65_536):
        parser.feed(data[at : at + 65_536])
    spent = (time.process_time() - began) / 50_000
    print(f"{spent * 1e6:.2f} µs a chunk")
    assert parser.done
    assert spent < 100e-6


def test_an_end_after_the_end_changes_nothing():
    parser = ResponseParser()
    assert not parser.status
    parser.feed(RESPONSES["a length"][0])
    assert parser.status
    parser.end()
    assert (parser.done, parser.fault, parser.reusable) == (True, "", True)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 ", OK + b"a: ", b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\n"])
def test_a_head_without_end_is_held_up_to_a_limit(start):
    parser, fed = ResponseParser(), 0
    parser.feed(start)
    while not parser.fault:
        parser.feed(b"x" * 1000)
        fed += 1000
        assert fed < LARGEST_HEAD + 2000


def test_after_a_fault_nothing_is_taken():
    parser, _ = read(FAULTY["no size"][0], closed=False)
    fault = parser.fault
    assert parser.feed(b"5\r\nhello\r\n") == b""
    parser.end()
    assert parser.fault == fault


HEADERS = [b"Content-Encoding: gzip\r\n", b"Content-Length: 9\r\n", b"Connection: close\r\n", b"a: b\r\n"]
HEADS = [OK, CHUNKED, b"HTTP/1.1 100 Go\r\n\r\n", *HEADERS]
BODIES = [b"5\r\nhello\r\n", b"0\r\n", b"5;x\r\n", b"\r\n", b"\n", b"\r", b"-", b" ", b"\xff"]
pieces = st.sampled_from([*HEADS, *BODIES])


@given(data=st.lists(pieces | st.binary(max_size=6), max_size=12).map(b"".join), more=st.data())
@MANY
def test_any_bytes_say_the_same_whatever_the_cuts(data, more):
    places = sorted(more.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    (status, headers, body, fault, done), whole = said(data, *places), said(data)
    assert (status, headers, body, bool(fault), done) == (*whole[:3], bool(whole[3]), whole[4])
    assert bool(fault) != done


@given(parts=st.lists(st.binary(min_size=1, max_size=40), max_size=6), more=st.data())
@MANY
def test_any_body_survives_any_cuts(parts, more):
    data = CHUNKED + chunked(*parts)
    places = sorted(more.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    parser, body = read(data, *places)
    assert (body, parser.fault, parser.reusable) == (b"".join(parts), "", True)
