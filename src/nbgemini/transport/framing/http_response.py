"""One HTTP/1 response: bytes in, head and pieces of the body out; no I/O.

Invariants: any cut of the bytes gives the same body; any bytes give a body, `trouble`, or both, never an exception; memory is
bounded by the head's limits and a piece of the body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nbgemini.transport.framing.http_body import NOT_WHOLE, Framing, framing_of
from nbgemini.transport.framing.http_head import BEGINNING, LARGEST_HEAD, Head, read_head
from nbgemini.transport.framing.unpacking import CODINGS, Unpacker

_BLANK_LINE = re.compile(rb"\n\r?\n")


class HttpResponse:
    """Reads one response of a connection.

    Attributes:
        trouble: why nothing more can be read; what came before it has been returned.
    """

    def __init__(self) -> None:
        """Start before the first byte."""
        self.trouble = ""
        self._held = b""
        self._head: Head | None = None
        self._framing: Framing | None = None
        self._unpacker: Unpacker | None = None

    @property
    def begun(self) -> bool:
        """Whether the head is known."""
        return self._framing is not None

    @property
    def status(self) -> int:
        """Return the status code; 0 before it is known."""
        return self._head.status if self._head else 0

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers, names in lower case."""
        return self._head.headers if self._head else {}

    @property
    def more(self) -> bool:
        """Whether there is more to return of what came: feed nothing to get it."""
        return bool(self._unpacker and self._unpacker.more)

    @property
    def done(self) -> bool:
        """Whether the body is whole."""
        return bool(self._framing and self._framing.done) and not self.more and not self.trouble

    @property
    def reusable(self) -> bool:
        """Whether another response may follow on this connection."""
        if self._head is None or self._framing is None or self.trouble:
            return False
        ambiguous = {"transfer-encoding", "content-length"} <= self._head.headers.keys()
        return self._head.persistent and self.done and not self._framing.surplus and not ambiguous

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return what they say of the body, as one piece; bytes beyond the end are dropped."""
        if self.trouble:
            return b""
        if self._framing is None:
            data = self._begin(self._held + data)
            if self._framing is None:
                return b""
        piece = self._framing.feed(data) if data else b""
        if self._unpacker is None:
            self.trouble = self._framing.trouble
        elif piece or self.more:
            piece = self._unpacker.feed(piece)
            self.trouble = self._unpacker.trouble or ("" if self.more else self._framing.trouble)
        return piece

    def end(self) -> None:
        """Take note that the connection has ended; feed what there is first."""
        if self.trouble:
            return
        if self._framing is None:
            self.trouble = NOT_WHOLE if self._held else "it ended without an answer"
        elif not self._framing.done:
            self._framing.end()
            self.trouble = self._framing.trouble

    def _begin(self, data: bytes) -> bytes:
        """Read heads up to the one that counts, and return what follows it."""
        while not self.trouble:
            data = data.lstrip(b"\r\n")
            end = _BLANK_LINE.search(data)
            if not data.startswith(BEGINNING[: len(data)]) or (end.end() if end else len(data)) > LARGEST_HEAD:
                self.trouble = f"no answer in HTTP: {data[:20]!r}"
            elif end is None:
                self._held = data
                break
            else:
                self._take(read_head(data[: end.start()]))
                data = data[end.end() :]
                if self._framing is not None:
                    return data
        return b""

    def _take(self, head: Head | None) -> None:
        if head is None or head.status == 101:  # noqa: PLR2004 - HTTP: from here on it is another protocol
            self.trouble = "no answer in HTTP"
        elif not head.interim:
            self._head, self._framing = head, framing_of(head)
            codings = [coding for coding in head.tokens("content-encoding") if coding != "identity"]
            self._unpacker = Unpacker(codings[0]) if len(codings) == 1 and codings[0] in CODINGS else None
            self.trouble = "" if self._framing else "its head contradicts itself"
