"""One framer for every framing a service sends, chosen by the first byte of the body and never by its Content-Type.

Source: recorded errors arrive as bare JSON under `text/event-stream`, and gateways relabel streams; only the bytes are true.
"""

from __future__ import annotations

from nbgemini.errors import WireError
from nbgemini.wire.json_array import LARGEST, JsonFramer
from nbgemini.wire.sse import SseFramer

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"


class Framer:
    """Cuts a body, given in chunks of any size, into frames: complete JSON texts as bytes."""

    def __init__(self, largest: int = LARGEST) -> None:
        """Start before the first byte; a frame may have `largest` bytes."""
        self._largest = largest
        self._head = b""
        self._framing: JsonFramer | SseFramer | None = None
        self._one = False  # the body is to be one object
        self._closed = False

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON, and no stream of events."""
        return isinstance(self._framing, JsonFramer)

    @property
    def whole(self) -> bool:
        """Whether the body says by itself that it is all: by `[DONE]`, or as one object that has ended."""
        framing = self._framing
        if isinstance(framing, JsonFramer):
            return self._closed and self._one and framing.count == 1
        return framing is not None and framing.whole

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the frames that are whole now.

        Raises:
            WireError: a frame is too large; those before it have been returned.
        """
        if self._framing is not None:
            return self._checked(self._framing.feed(chunk))
        head = (self._head + chunk).lstrip(_BLANK)
        body = head.removeprefix(_BOM).lstrip(_BLANK)
        if not body or _BOM.startswith(head):  # nothing yet, or perhaps half a byte order mark
            self._head = head[: len(_BOM)]
            return []
        self._one = body[:1] == b"{"
        self._framing = JsonFramer(self._largest) if body[:1] in b"[{" else SseFramer(self._largest)
        return self._checked(self._framing.feed(body))

    def close(self) -> list[bytes]:
        """Say that the body has ended and return what it still held; an unfinished frame is dropped.

        Raises:
            WireError: a frame was too large.
        """
        self._closed = not (isinstance(self._framing, JsonFramer) and self._framing.open)
        return self._checked(self._framing.close()) if self._framing else []

    def _checked(self, frames: list[bytes]) -> list[bytes]:
        """Return the frames; if there are none any more, because one was too large, say so."""
        if self._framing and self._framing.too_large and not frames:
            raise WireError(f"answer part too large: over {self._largest / 2**20:g} MiB → ask for less at once")
        return frames
