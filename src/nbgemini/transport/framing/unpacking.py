"""gzip and deflate, undone as the bytes come and never by more than a bounded piece at a time.

Invariant: what came before a fault is returned, however the bytes were cut, and then `trouble` says what is wrong.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zlib import _Decompress

LARGEST_PIECE = 32_768  # bytes that are made at once: half a megabyte can hold half a gigabyte of nothing
GZIP = {"gzip", "x-gzip"}
CODINGS = {*GZIP, "deflate"}


class Unpacker:
    """Undoes one content coding.

    Attributes:
        trouble: what is wrong with the packed bytes.
        more: there is more to return: feed it, with nothing if need be.
    """

    def __init__(self, coding: str) -> None:
        """Expect one of the known codings."""
        self.trouble = ""
        self.more = False
        self._tail = b""
        self._inflate: _Decompress | None = zlib.decompressobj(wbits=31) if coding in GZIP else None

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return what they hold."""
        data, self._tail = self._tail + data, b""
        if self._inflate is None:
            if len(data) < 2:  # noqa: PLR2004 - the head of zlib's format, which some services leave out
                self._tail = data
                return b""
            self._inflate = zlib.decompressobj(wbits=15 if _has_head(data) else -15)
        return self._unpacked(self._inflate, data)

    def _unpacked(self, inflate: _Decompress, data: bytes) -> bytes:
        before = inflate.copy()
        try:
            piece = inflate.decompress(data, LARGEST_PIECE)
        except zlib.error as error:
            self.more, self.trouble = False, " ".join(str(error).split())
            return _before_fault(before, data)
        self._tail = inflate.unconsumed_tail
        self.more = len(piece) == LARGEST_PIECE
        return piece


def _has_head(data: bytes) -> bool:
    """Whether zlib's own format begins here, rather than bare deflate."""
    return data[0] & 15 == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0


def _before_fault(inflate: _Decompress, data: bytes) -> bytes:
    """Return what the longest sound beginning of `data` holds: zlib itself forgets it."""
    sound, faulty, piece = 0, len(data), b""
    while faulty - sound > 1:
        middle = (sound + faulty) // 2
        try:
            piece = inflate.copy().decompress(data[:middle], LARGEST_PIECE)
            sound = middle
        except zlib.error:
            faulty = middle
    return piece
