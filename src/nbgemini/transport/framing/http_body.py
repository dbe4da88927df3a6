"""Where the body of an HTTP/1 response ends: at a length, after a last chunk, or with the connection.

Invariants: what came is returned at once and once, however the bytes are cut; what is held back is never more than a line of a
chunk, or the trailers. After `trouble` nothing is taken any more.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from nbgemini.transport.framing.http_head import LARGEST_HEAD, Head

_SIZE = rb"([0-9A-Fa-f]{1,15})[ \t]{0,20}(?:;[^\n]{0,4000})?\r?\n"
_FIRST = re.compile(_SIZE)
_NEXT = re.compile(rb"\r?\n" + _SIZE)
_LONGEST = 4096  # bytes of what comes between two chunks: no match is longer
_END = re.compile(rb"\r?\n|.*?\n\r?\n", re.DOTALL)  # of the trailers
_DIGITS = re.compile(r"\d{1,18}")
NOT_WHOLE = "it ended before the answer did"


class Sized:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        """Expect so many bytes."""
        self.trouble = ""
        self.surplus = False
        self._left = length

    @property
    def done(self) -> bool:
        """Whether the body is whole."""
        return not self._left

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those that belong to the body."""
        self.surplus = len(data) > self._left
        piece = data[: self._left]
        self._left -= len(piece)
        return piece

    def end(self) -> None:
        """Take note that nothing more comes."""
        self.trouble = "" if self.done else NOT_WHOLE


class Endless:
    """A body that ends with the connection."""

    surplus = True  # nothing can come after it
    trouble = ""

    def __init__(self) -> None:
        """Expect anything."""
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Return the bytes: all belong to the body."""
        return data

    def end(self) -> None:
        """Take note that nothing more comes."""
        self.done = True


class Chunked:
    """A body in chunks, each behind its size; the last is empty, trailers may follow."""

    def __init__(self) -> None:
        """Expect the first size."""
        self.done = False
        self.surplus = False
        self.trouble = ""
        self._held = b""
        self._left = 0  # bytes of the chunk that are still to come
        self._between = _FIRST
        self._last = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those that belong to the body, as one piece."""
        if self.done:
            self.surplus = True
            return b""
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0 if self._last else self._chunks(data, pieces)
        if self._last:
            self._trailers(data, at)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> None:
        """Take note that nothing more comes; after the last chunk trailers may be missing."""
        self.surplus = True
        self.done = self._last
        self.trouble = "" if self.done else NOT_WHOLE

    def _chunks(self, data: bytes, pieces: list[bytes]) -> int:
        """Cut chunks out and return where the trailers begin: one turn of the loop a chunk, as services send one a frame."""
        at, end, left, between = 0, len(data), self._left, self._between
        while at < end and not self.trouble:
            if not left:
                size = between.match(data, at)
                if size is None:
                    self._hold(data[at:], after_chunk=between is _NEXT)
                    break
                at, left, between = size.end(), int(size[1], 16), _NEXT
                if not left:
                    self._last = True
                    break
            piece = data[at : at + left]
            if piece:
                pieces.append(piece)
            at += len(piece)
            left -= len(piece)
        self._left, self._between = left, between
        return at

    def _hold(self, rest: bytes, *, after_chunk: bool) -> None:
        """Wait for the end of a size's line, or see that it is none."""
        line = rest.removeprefix(b"\r").removeprefix(b"\n") if after_chunk else rest
        if b"\n" in line or len(rest) > _LONGEST:
            self.trouble = f"no size of a chunk: {line[:20]!r}"
        else:
            self._held = rest

    def _trailers(self, data: bytes, at: int) -> None:
        end = _END.match(data, at)
        if end is not None:
            self.done, self.surplus = True, end.end() < len(data)
        elif len(data) - at > LARGEST_HEAD:
            self.trouble = "its trailers have no end"
        else:
            self._held = data[at:]


Framing: TypeAlias = Sized | Endless | Chunked


def framing_of(head: Head) -> Framing | None:
    """Return how the body behind this head ends; None if the head contradicts itself."""
    if head.bodiless:
        return Sized(0)
    codings, lengths = head.tokens("transfer-encoding"), set(head.tokens("content-length"))
    if codings:
        return Chunked() if codings == ["chunked"] else None
    if not lengths:
        return Endless()
    length = lengths.pop()
    return Sized(int(length)) if not lengths and _DIGITS.fullmatch(length) else None
