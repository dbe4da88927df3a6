"""JSON objects cut out of a streamed array, out of lines, or out of objects set one after the other; and what they say.

Everything between two top-level objects (brackets, commas, blanks) is punctuation and skipped. Strings and escapes are
respected; each byte is looked at once whatever the cuts: the scanner's whole state is depth, in-string and after-backslash.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from nbgemini.errors import WireError

_QUOTE, _OPEN = b'"{'
_MARK = re.compile(rb'[{}"]')
LARGEST = 32 * 2**20  # bytes of one frame: more than any picture a model sends
LARGEST_ODD = 2**20  # bytes of JSON that only Python's own reader takes, all of them in one go
_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)  # possessive: no backtracking stack for long strings


class JsonFramer:
    """Cuts top-level JSON objects out of bytes.

    Attributes:
        too_large: an object grew beyond the limit; nothing is taken any more.
        count: how many objects were whole.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self.too_large = False
        self.count = 0
        self._largest = largest
        self._pieces: list[bytes] = []
        self._held = 0  # bytes in the pieces
        self._depth = 0
        self._in_string = False
        self._after_backslash = False

    @property
    def held(self) -> int:
        """Return how many bytes of an object are here that has not ended."""
        return self._held

    @property
    def open(self) -> bool:
        """Whether an object has begun and not ended."""
        return self._depth > 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the objects that are whole now."""
        if not chunk:
            return []
        frames: list[bytes] = []
        start = position = 0
        while not self.too_large and (position := self._skip_string(chunk, position)) < len(chunk):
            mark = _MARK.search(chunk, position)
            if mark is None:
                break
            position = mark.end()
            start = self._take_mark(chunk, mark.start(), start, frames)
        if self._depth:
            self._keep(chunk[start:])
        return frames

    def close(self) -> list[bytes]:
        """End the input; what is unfinished is dropped."""
        self._pieces.clear()
        self._depth = 0
        return []

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > self._largest:
            self.too_large = True
            self._pieces.clear()

    def _skip_string(self, chunk: bytes, position: int) -> int:
        """Return where to go on outside of a string; the chunk's length if the string goes on in the next one."""
        if not self._in_string:
            return position
        if self._after_backslash:
            position, self._after_backslash = position + 1, False
        rest = _STRING_REST.match(chunk, position)
        end = rest.end() if rest else position
        if end < len(chunk) and chunk[end] == _QUOTE:
            self._in_string = False
            return end + 1
        self._after_backslash = end < len(chunk)  # the match stops only at a quote or at a last, lone backslash
        return len(chunk)

    def _take_mark(self, chunk: bytes, at: int, start: int, frames: list[bytes]) -> int:
        mark = chunk[at]
        if mark == _QUOTE:
            self._in_string = True
        elif mark == _OPEN:
            start = start if self._depth else at
            self._depth += 1
        elif self._depth:
            self._depth -= 1
            if not self._depth:
                self._keep(chunk[start : at + 1])
                frames += [] if self.too_large else [b"".join(self._pieces)]
                self.count += 1
                self._pieces.clear()
                self._held = 0
        return start


_decode = msgspec.json.Decoder().decode


def load_json(text: bytes) -> Any:
    """Decode JSON: the fast way, and for bad UTF-8, lone surrogates or NaN the lenient one.

    Raises:
        WireError: it is not JSON.
    """
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if len(text) > LARGEST_ODD:
        raise WireError(f"the service sent malformed JSON of more than {LARGEST_ODD >> 20} MiB → ask for less at once")
    lenient = text.decode("utf-8", "replace")
    try:
        return _without_surrogates(json.loads(lenient))
    except json.JSONDecodeError as error:
        raise WireError(_not_json(lenient, error.pos)) from None
    except (ValueError, RecursionError):  # digits without end, brackets without end
        raise WireError(_not_json(lenient, 0)) from None


def _not_json(text: str, at: int) -> str:
    near = text[max(0, at - 30) : at + 30]
    return f"the service sent what is not JSON, at character {at} of {len(text)}: …{near!r}… → ask again"


def _without_surrogates(data: Any) -> Any:
    """Return the data without lone surrogates: no later request could carry them."""
    return json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
