"""Any cut of the bytes gives the same head and body, any bytes give a body or one trouble, and what is held is bounded."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbgemini.transport.framing.http_head import LARGEST_HEAD
from nbgemini.transport.framing.http_response import HttpResponse
from nbgemini.transport.framing.unpacking import LARGEST_PIECE

MANY = settings(max_examples=2000, derandomize=True, deadline=None)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(data, *places, closed=True):
    """What a response said, cut at these places."""
    response, body, start = HttpResponse(), [], 0
    for place in (*places, len(data)):
        body.append(response.feed(data[start:place]))
        while response.more:
            body.append(response.feed(b""))
        start = place
    if closed and not response.done:
        response.end()
    return response, b"".join(body)


def said(data, *places):
    response, body = read(data, *places)
    return response.status, dict(response.headers), body, response.trouble, response.done


def chunked(*parts, end=b"\r\n", extension=b"", trailers=b""):
    lines = [b"%x%b%b%b%b" % (len(part), extension, end, part, end) for part in parts]
    return b"".join(lines) + b"0" + extension + end + trailers + end


def flushed(*parts, wbits=31):
    packer = zlib.compressobj(wbits=wbits)
    return b"".join(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts) + packer.flush()


LONG = b"data: " + b"x" * 5000 + b"\r\n\r\n"
PACKED = flushed(b"hello ", b"world")
GZIP = b"Content-Encoding: gzip\r\n"
RESPONSES = {
    "a length": (OK + b"Content-Length: 11\r\n\r\nhello world", b"hello world"),
    "a length twice": (OK + b"Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "no length": (OK + b"\r\nhello world", b"hello world"),
    "nothing": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "304": (b"HTTP/1.1 304\r\nContent-Length: 9\r\n\r\n", b""),
    "chunks": (CHUNKED + chunked(b"hello ", b"world"), b"hello world"),
    "chunks with extensions": (CHUNKED + chunked(b"hello ", b"world", extension=b' ;a="b";c'), b"hello world"),
    "chunks with trailers": (CHUNKED + chunked(b"hello", trailers=b"a: b\r\nc: d\r\n"), b"hello"),
    "chunks and LF": (CHUNKED.replace(b"\r\n", b"\n") + chunked(b"hello ", b"world", end=b"\n"), b"hello world"),
    "sizes in capitals": (CHUNKED + b"00A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "no end of trailers": (CHUNKED + b"5\r\nhello\r\n0\r\n", b"hello"),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + CHUNKED + chunked(b"hello"), b"hello"),
    "old": (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    "blank lines before": (b"\r\n\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
    "folded": (OK + b"A: b\r\n c\r\n\td\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "gzip": (OK + GZIP + b"Content-Length: %d\r\n\r\n" % len(PACKED) + PACKED, b"hello world"),
    "gzip in chunks": (OK + GZIP + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(PACKED[:15], PACKED[15:]), b"hello world"),
    "deflate": (OK + b"Content-Encoding: deflate\r\n\r\n" + flushed(b"hello", wbits=15), b"hello"),
    "bare deflate": (OK + b"Content-Encoding: deflate\r\n\r\n" + flushed(b"hello", wbits=-15), b"hello"),
    "identity": (OK + b"Content-Encoding: identity\r\n\r\nhello", b"hello"),
    "an unknown coding": (OK + b"Content-Encoding: br\r\n\r\nhello", b"hello"),
    "something after gzip": (OK + GZIP + b"\r\n" + PACKED + b"\0\0rest", b"hello world"),
}
FAULTY = {
    "short of its length": (OK + b"Content-Length: 11\r\n\r\nhello", b"hello", "before the answer did"),
    "no last chunk": (CHUNKED + b"5\r\nhello\r\n", b"hello", "before the answer did"),
    "half a chunk": (CHUNKED + b"5\r\nhel", b"hel", "before the answer did"),
    "half a head": (OK + b"Content-Le", b"", "before the answer did"),
    "nothing at all": (b"", b"", "without an answer"),
    "no size": (CHUNKED + b"5\r\nhello\r\nzz\r\nworld\r\n", b"hello", "no size of a chunk"),
    "a size below nothing": (CHUNKED + b"-1\r\nhello", b"", "no size of a chunk"),
    "a size with underscores": (CHUNKED + b"1_0\r\nhello", b"", "no size of a chunk"),
    "a size beyond all": (CHUNKED + b"f" * 16 + b"\r\nhello", b"", "no size of a chunk"),
    "more than its size": (CHUNKED + b"5\r\nhello, world\r\n0\r\n\r\n", b"hello", "no size of a chunk"),
    "a size without end": (CHUNKED + b"5;" + b"x" * 5000, b"", "no size of a chunk"),
    "trailers without end": (CHUNKED + b"0\r\n" + b"a: b\r\n" * 20_000, b"", "trailers have no end"),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"", "contradicts itself"),
    "a length that is none": (OK + b"Content-Length: -5\r\n\r\nhello", b"", "contradicts itself"),
    "an unknown framing": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"", "contradicts itself"),
    "another protocol": (b"SSH-2.0-OpenSSH\r\n", b"", "no answer in HTTP"),
    "HTTP/2": (b"HTTP/2 200\r\n\r\n", b"", "no answer in HTTP"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", b"", "no answer in HTTP"),
    "switching": (b"HTTP/1.1 101 Switching\r\n\r\n", b"", "no answer in HTTP"),
    "a blank in a name": (OK + b"Content Length: 5\r\n\r\nhello", b"", "no answer in HTTP"),
    "a return in a value": (OK + b"A: b\rc\r\n\r\nhello", b"", "no answer in HTTP"),
    "too many headers": (OK + b"a: b\r\n" * 300 + b"\r\n", b"", "no answer in HTTP"),
    "gzip that is none": (OK + GZIP + b"\r\nhello", b"", "incorrect header"),
    "gzip with a fault": (OK + GZIP + b"\r\n" + PACKED[:20] + b"\xff" * 40, b"hello ", "Error -3"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_is_read_whole_whatever_the_cut(name):
    data, body = RESPONSES[name]
    whole = said(data)
    assert (whole[2], whole[3], whole[4]) == (body, "", True)
    for place in range(len(data) + 1):
        assert said(data, place) == whole, place
    assert said(data, *range(1, len(data))) == whole


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_told_after_what_came_before_it_whatever_the_cut(name):
    data, body, trouble = FAULTY[name]
    whole = said(data)
    assert whole[2] == body
    assert trouble in whole[3]
    assert not whole[4]
    for place in range(0, len(data) + 1, max(1, len(data) // 100)):
        cut = said(data, place)
        assert cut[2:3] + cut[4:] == whole[2:3] + whole[4:], place
        assert trouble in cut[3]


def test_headers_are_in_lower_case_and_joined():
    response, _ = read(OK + b"X-A:  b \r\nx-a:c\r\nDate: Sat,\xe9\r\nFold: a\r\n  b\r\nEmpty:\r\nContent-Length: 0\r\n\r\n")
    assert response.headers == {"x-a": "b, c", "date": "Sat,\xe9", "fold": "a b", "empty": "", "content-length": "0"}


@pytest.mark.parametrize(
    "name", ["a length", "a length twice", "nothing", "204", "chunks", "chunks with trailers", "interim", "gzip"]
)
def test_a_connection_is_used_again_after_a_body_that_ended_by_itself(name):
    data, _ = RESPONSES[name]
    assert read(data)[0].reusable
    for place in range(len(data)):
        assert not read(data[:place], closed=False)[0].reusable
        assert read(data, place)[0].reusable
        assert not read(data + b"H", place)[0].reusable
    assert not read(data + b"H", len(data))[0].reusable
    assert not read(data.replace(b"HTTP/1.1 2", b"HTTP/1.0 2"))[0].reusable
    assert not read(data.replace(b"HTTP/1.1 2", b"HTTP/1.1 2", 1).replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n"))[
        0
    ].reusable


@pytest.mark.parametrize(
    "data",
    [
        *(RESPONSES[name][0] for name in ("no length", "old", "no end of trailers")),
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello"),
        *(data for data, _, _ in FAULTY.values()),
    ],
)
def test_a_connection_is_used_once_where_its_end_is_an_end_or_in_doubt(data):
    assert not read(data)[0].reusable


def test_the_chunks_of_one_read_are_one_piece():
    parts = [b"data: %d\r\n\r\n" % number for number in range(150)]
    response = HttpResponse()
    assert response.feed(CHUNKED + chunked(*parts)) == b"".join(parts)
    assert response.done


def test_a_chunk_costs_next_to_nothing():
    """A hundred times what it takes: a reader that looked at all bytes again for each chunk would take longer."""
    data = chunked(*[LONG[:408]] * 50_000)
    response, began = HttpResponse(), time.process_time()
    response.feed(CHUNKED)
    for at in range(0, len(data), 65_536):
        response.feed(data[at : at + 65_536])
    spent = (time.process_time() - began) / 50_000
    print(f"{spent * 1e6:.2f} µs a chunk")
    assert response.done
    assert spent < 100e-6


def test_an_end_after_the_end_changes_nothing():
    response = HttpResponse()
    assert not response.begun
    response.feed(RESPONSES["a length"][0])
    assert response.begun
    response.end()
    assert (response.done, response.trouble, response.reusable) == (True, "", True)


def test_what_is_flushed_comes_out_at_once():
    packer, response = zlib.compressobj(wbits=31), HttpResponse()
    response.feed(OK + GZIP + b"\r\n")
    for part in (b"a", b"bc", LONG):
        assert response.feed(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)) == part


def test_a_bomb_comes_out_in_bounded_pieces():
    response, sizes = HttpResponse(), []
    response.feed(OK + GZIP + b"\r\n")
    sizes.append(len(response.feed(gzip.compress(b" " * 50_000_000))))
    while response.more:
        sizes.append(len(response.feed(b"")))
    assert max(sizes) == LARGEST_PIECE
    assert sum(sizes) == 50_000_000
    response.end()
    assert (response.trouble, response.done) == ("", True)


def test_more_that_comes_before_all_was_taken_is_not_lost():
    data, response = OK + GZIP + b"\r\n" + gzip.compress(bytes(5_000_000)), HttpResponse()
    body = [response.feed(data[:-2000]), response.feed(data[-2000:-9]), response.feed(data[-9:])]
    while response.more:
        body.append(response.feed(b""))
    assert b"".join(body) == bytes(5_000_000)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 ", OK + b"a: ", b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\n"])
def test_a_head_without_end_is_held_up_to_a_limit(start):
    response, fed = HttpResponse(), 0
    response.feed(start)
    while not response.trouble:
        response.feed(b"x" * 1000)
        fed += 1000
        assert fed < LARGEST_HEAD + 2000


def test_after_a_trouble_nothing_is_taken():
    response, _ = read(FAULTY["no size"][0], closed=False)
    trouble = response.trouble
    assert response.feed(b"5\r\nhello\r\n") == b""
    response.end()
    assert response.trouble == trouble


HEADERS = [GZIP, b"Content-Encoding: deflate\r\n", b"Content-Length: 9\r\n", b"Connection: close\r\n", b"a: b\r\n"]
HEADS = [OK, CHUNKED, b"HTTP/1.1 100 Go\r\n\r\n", *HEADERS]
BODIES = [b"5\r\nhello\r\n", b"0\r\n", b"5;x\r\n", PACKED, PACKED[:20], b"\r\n", b"\n", b"\r", b"-", b" ", b"\xff"]
pieces = st.sampled_from([*HEADS, *BODIES])


@given(data=st.lists(pieces | st.binary(max_size=6), max_size=12).map(b"".join), more=st.data())
@MANY
def test_any_bytes_say_the_same_whatever_the_cuts(data, more):
    places = sorted(more.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    (status, headers, body, trouble, done), whole = said(data, *places), said(data)
    assert (status, headers, body, bool(trouble), done) == (*whole[:3], bool(whole[3]), whole[4])
    assert bool(trouble) != done


@given(parts=st.lists(st.binary(min_size=1, max_size=40), max_size=6), packed=st.booleans(), more=st.data())
@MANY
def test_any_body_survives_any_cuts(parts, packed, more):
    sent = [flushed(*parts)] if packed else parts
    data = OK + GZIP * packed + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*sent)
    places = sorted(more.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    response, body = read(data, *places)
    assert (body, response.trouble, response.reusable) == (b"".join(parts), "", True)
