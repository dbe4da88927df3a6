"""gzip and deflate come out as they come in, in bounded pieces, whatever the cuts."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given, settings, strategies as st

from nbgemini.errors import TransportError
from nbgemini.transport.http import LARGEST_UNPACKED, Unpacker

MANY = settings(max_examples=1000, derandomize=True, deadline=None)
CODINGS = {"gzip": ("gzip", 31), "x-gzip": ("x-gzip", 31), "deflate": ("deflate", 15), "bare deflate": ("deflate", -15)}


def packed(*parts, wbits=31):
    packer = zlib.compressobj(wbits=wbits)
    return b"".join(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts) + packer.flush()


def unpacked(coding, *chunks):
    unpacker = Unpacker(coding)
    return b"".join(piece for chunk in chunks for piece in unpacker.pieces(chunk))


@pytest.mark.parametrize("name", CODINGS)
def test_any_cut_unpacks_the_same(name):
    coding, wbits = CODINGS[name]
    data = packed(b"hello ", b"world", wbits=wbits)
    for place in range(len(data) + 1):
        assert unpacked(coding, data[:place], data[place:]) == b"hello world"
    assert unpacked(coding, *(data[at : at + 1] for at in range(len(data)))) == b"hello world"


def test_what_is_flushed_comes_out_at_once():
    packer, unpacker = zlib.compressobj(wbits=31), Unpacker("gzip")
    for part in (b"a", b"bc", b"x" * 5000):
        assert b"".join(unpacker.pieces(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH))) == part


def test_a_bomb_comes_out_in_bounded_pieces():
    unpacker = Unpacker("gzip")
    sizes = [len(piece) for piece in unpacker.pieces(gzip.compress(b" " * 50_000_000))]
    assert max(sizes) == LARGEST_UNPACKED
    assert sum(sizes) == 50_000_000


@pytest.mark.parametrize("size", [LARGEST_UNPACKED - 1, LARGEST_UNPACKED, LARGEST_UNPACKED + 1, 3 * LARGEST_UNPACKED])
def test_nothing_is_left_behind_at_the_edge_of_a_piece(size):
    assert len(unpacked("gzip", gzip.compress(bytes(size)))) == size


def test_what_follows_the_end_is_dropped():
    assert unpacked("gzip", packed(b"hello") + b"\0\0rest", b"and more") == b"hello"


PACKED = packed(b"hello ", b"world")


@pytest.mark.parametrize(
    ("data", "sound"), [(b"hello", b""), (PACKED[:20] + b"\xff" * 40, b"hello "), (PACKED[:-8] + bytes(8), b"hello world")]
)
def test_what_came_before_a_fault_comes_out_before_it_is_told(data, sound):
    for place in range(len(data)):
        pieces, unpacker = [], Unpacker("gzip")
        with pytest.raises(TransportError, match="can't be unpacked: Error -3"):
            for chunk in (data[:place], data[place:]):
                for piece in unpacker.pieces(chunk):
                    pieces.append(piece)  # noqa: PERF402 - what came before the error is tested too
        assert b"".join(pieces) == sound


@given(parts=st.lists(st.binary(min_size=1, max_size=40), max_size=6), name=st.sampled_from([*CODINGS]), more=st.data())
@MANY
def test_any_body_survives_any_cuts(parts, name, more):
    coding, wbits = CODINGS[name]
    data = packed(*parts, wbits=wbits)
    places = sorted(more.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    starts = [0, *places]
    assert unpacked(coding, *(data[start:end] for start, end in zip(starts, [*places, len(data)], strict=True))) == b"".join(
        parts
    )
