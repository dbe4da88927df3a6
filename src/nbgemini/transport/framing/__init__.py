"""One framer for every framing a service sends, chosen by the first byte of the body and never by its Content-Type.

Source: recorded errors arrive as bare JSON under `text/event-stream`, and gateways relabel streams; only the bytes are true.
"""

from __future__ import annotations

from nbgemini.errors import WireError
from nbgemini.transport.framing.json_objects import LARGEST, JsonFramer, load_json
from nbgemini.transport.framing.sse import DONE, SseFramer

__all__ = ["DONE", "Framer", "load_json"]

MOST_FILLER = 4 * 2**20  # bytes between two frames that belong to none: comments, blanks, punctuation
MOST_VALUES = 500_000  # in one frame
_COUNTED = 2**18  # bytes in which values are counted at once
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"


class Framer:
    """Cuts a body, given in chunks of any size, into frames: complete JSON texts as bytes."""

    def __init__(self, largest: int = LARGEST) -> None:
        """Start before the first byte; a frame may have `largest` bytes."""
        self._largest = largest
        self._head = b""
        self._since = 0  # bytes since the last frame
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
            WireError: a frame is too large, or there is none in too many bytes; those before it have been returned.
        """
        self._since += len(chunk)
        if self._framing is not None:
            return self._checked(self._framing.feed(chunk))
        head = (self._head + chunk).lstrip(_BLANK)
        body = head.removeprefix(_BOM).lstrip(_BLANK)
        if not body or _BOM.startswith(head):  # nothing yet, or perhaps half a byte order mark
            self._head = head[: len(_BOM)]
            return self._checked([])
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
        if frames:
            for frame in frames:
                if len(frame) > MOST_VALUES and _holds_too_much(frame):
                    raise WireError(f"answer part too large: over {MOST_VALUES:,} values → ask for less at once")
            self._since = 0
            return frames
        if self._framing and self._framing.too_large:
            raise WireError(f"answer part too large: over {self._largest / 2**20:g} MiB → ask for less at once")
        if self._since - (self._framing.held if self._framing else 0) > MOST_FILLER:
            raise WireError(f"no answer: over {MOST_FILLER / 2**20:g} MiB of comments and blanks → check the base URL")
        return frames


def _holds_too_much(frame: bytes) -> bool:
    """Whether a frame has so many values that reading it would hold up everybody: commas are counted, those in texts too."""
    values = at = 0
    while at < len(frame) and values <= MOST_VALUES:
        values += sum(frame.count(sign, at, at + _COUNTED) for sign in (b",", b"[", b"{"))
        at += _COUNTED
    return values > MOST_VALUES
