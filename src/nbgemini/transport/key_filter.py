"""Takes keys out of the frames of one stream, also a key that is split over several frames.

A frame whose text ends as a key begins waits for the frame that tells whether it goes on as one. Texts continue each other that
stand at the same place of their frames, whatever their positions in lists. At most the first two characters of a key get
through; a frame without a piece of a key keeps its bytes, and all frames their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Sequence
from typing import Any, TypeVar, cast

from nbgemini._async.scheduler import FairScheduler
from nbgemini.errors import NbGeminiError, WireError
from nbgemini.secrets import HIDDEN, PART, STEP, Mask
from nbgemini.transport.framing import DONE, load_json

_TELLING = 3  # characters of a key at the end of a text for which a frame waits
_MOST_WAITING = 2**24  # bytes
_TEXTS = 1_000  # of a frame, between two turns of others
_Result = TypeVar("_Result")
_FOLD = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


async def without_key(batches: AsyncIterable[list[bytes]], mask: Mask) -> AsyncGenerator[list[bytes], None]:
    """Yield the frames of one stream, in batches as they come, without the keys of `mask`."""
    keys = KeyFilter(mask)
    try:
        async for batch in batches:
            if not keys.suspects(batch):
                yield batch
                continue
            for frame in batch:
                yield await in_turns(keys.feed(frame))
    except NbGeminiError:
        yield keys.close()
        raise
    yield keys.close()


async def in_turns(steps: Generator[None, None, _Result]) -> _Result:
    """Return what the steps return; others have their turn between them."""
    scheduler = FairScheduler.here()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("_Result", end.value)
        await scheduler.turn()


class KeyFilter:
    """Filters the frames of one stream."""

    def __init__(self, mask: Mask) -> None:
        """Look for the keys of `mask`."""
        self._mask = mask
        self._forms = mask.forms
        self._heads = [b"\\u00", *(form[:_TELLING].encode() for form in self._forms)]  # a letter may be escaped
        self._ends = _pattern_of_ends(self._forms) if self._forms else None
        self._whole = re.compile("|".join(map(re.escape, self._forms)))
        self._beginnings = _by_last_character(self._forms)
        self._waiting: list[_Frame] = []
        self._begun: dict[str, list[_Piece]] = {}  # by place: the pieces at whose end a key may have begun

    def suspects(self, batch: Sequence[bytes]) -> bool:
        """Return whether a key, or the beginning of one, may be in frames that came together, or one has begun before."""
        if self._ends is None:
            return False
        together = b"\n".join(batch)
        return bool(self._begun) or len(together) > STEP or self._mask.found_in(together) or self._may_begin_in(together)

    def feed(self, frame: bytes) -> Generator[None, None, list[bytes]]:
        """Return the frames that can be passed on by now; others have their turn between the steps."""
        frame = yield from self._mask.steps(frame)
        if not self._begun and not (yield from self._may_begin(frame)):
            return [frame]
        if frame == DONE:
            return [*self.close(), frame]
        self._waiting.append(_Frame(frame))
        for number, piece in enumerate(self._waiting[-1].pieces()):
            if piece.text:
                self._join(piece)
            if number % _TEXTS == _TEXTS - 1:
                yield
        waits = any(not pieces[-1].frame.passed and _length(pieces) >= _TELLING for pieces in self._begun.values())
        return [] if waits and sum(len(waiting.data) for waiting in self._waiting) < _MOST_WAITING else self._pass()

    def close(self) -> list[bytes]:
        """Return the frames that wait, at the end; what is long enough to be a piece of a key is hidden."""
        for pieces in self._begun.values():
            if _length(pieces) >= PART:
                _hide(pieces, 0, _length(pieces))
        self._begun.clear()
        return self._pass()

    def _pass(self) -> list[bytes]:
        frames = [frame.encoded() for frame in self._waiting]
        self._waiting.clear()
        return frames

    def _may_begin(self, frame: bytes) -> Generator[None, None, bool]:
        """Return whether a key may begin at the end of a text of this frame."""
        for at in range(0, len(frame), STEP):
            if self._may_begin_in(frame[at : at + STEP + _TELLING]):
                return True
            if at + STEP < len(frame):
                yield
        return False

    def _may_begin_in(self, part: bytes) -> bool:
        part = part.lower()
        return any(head in part for head in self._heads) or bool(self._ends and self._ends.search(part))

    def _beginning(self, text: str) -> int:
        """Return how many characters at the end of a text may be the beginning of a key."""
        return next((len(begun) for begun in self._beginnings.get(text[-1:], ()) if text.endswith(begun)), 0)

    def _join(self, piece: _Piece) -> None:
        """Let a text go on where an earlier one ended."""
        pieces = [*self._begun.pop(piece.place, ()), piece]
        text = "".join(part.text[part.start :] for part in pieces).translate(_FOLD)
        found = [match.span() for match in self._whole.finditer(text)]
        for start, end in reversed(found):
            _hide(pieces, start, end)
        rest = self._beginning(text[found[-1][1] if found else 0 :])
        if rest:
            self._begun[piece.place] = _last(pieces, rest)


class _Frame:
    """A frame that waits, as bytes and as what they mean."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._root: list[Any] = [_decoded(data)]
        self.changed = self.passed = False

    def pieces(self) -> Generator[_Piece, None, None]:
        """Yield the texts in their order."""
        stack: list[tuple[str, Any, Any]] = [("", self._root, 0)]
        while stack:
            place, holder, key = stack.pop()
            match holder[key]:
                case str():
                    yield _Piece(self, place, holder, key)
                case dict() as value:
                    stack.extend((f"{place}.{name}", value, name) for name in reversed(value))
                case list() as value:
                    stack.extend((place, value, index) for index in reversed(range(len(value))))

    def encoded(self) -> bytes:
        self.passed = True
        return json.dumps(self._root[0]).encode() if self.changed else self.data


class _Piece:
    """A text of a frame, or the end of one: `start` is where a key may have begun."""

    __slots__ = ("_holder", "_key", "frame", "place", "start", "text")

    def __init__(self, frame: _Frame, place: str, holder: Any, key: Any) -> None:
        self.frame, self._holder, self._key = frame, holder, key
        self.place = place
        self.text: str = holder[key]
        self.start = 0

    def cut(self, start: int, end: int, instead: str) -> None:
        """Put something in the place of a part of the text."""
        self.text = self._holder[self._key] = f"{self.text[:start]}{instead}{self.text[end:]}"
        self.frame.changed = True


def _decoded(data: bytes) -> Any:
    try:
        return load_json(data)
    except WireError:
        return None


def _pattern_of_ends(forms: Sequence[str]) -> re.Pattern[bytes]:
    """Return what finds a text, but no name, that ends with the first letters of a key; it looks for quotes, which is fast."""
    heads = [{re.escape(form[:size]) for form in forms} for size in range(1, _TELLING)]
    ends = "|".join(rf'(?<=(?:{"|".join(sorted(same))})")' for same in heads)
    return re.compile(rf'"(?!\s*:)(?:{ends})'.encode())


def _length(pieces: Sequence[_Piece]) -> int:
    return sum(len(piece.text) - piece.start for piece in pieces)


def _by_last_character(forms: Sequence[str]) -> dict[str, list[str]]:
    """Return the beginnings of keys by the character they end with, the longest first."""
    found: dict[str, list[str]] = {}
    for beginning in sorted({form[:size] for form in forms for size in range(1, len(form) + 1)}, key=len, reverse=True):
        found.setdefault(beginning[-1], []).append(beginning)
    return found


def _last(pieces: Sequence[_Piece], size: int) -> list[_Piece]:
    """Return the pieces that hold the last `size` characters."""
    found: list[_Piece] = []
    for piece in reversed(pieces):
        if size <= 0:
            break
        piece.start = max(piece.start, len(piece.text) - size)
        size -= len(piece.text) - piece.start
        found.insert(0, piece)
    return found


def _hide(pieces: Sequence[_Piece], start: int, end: int) -> None:
    """Put something else in the place of what stands from `start` to `end` of pieces that continue each other."""
    behind = _length(pieces)
    instead = HIDDEN.decode()  # in the last piece: the first may have been passed on
    for piece in reversed(pieces):
        behind -= len(piece.text) - piece.start
        first, last = (min(max(0, at - behind), len(piece.text) - piece.start) + piece.start for at in (start, end))
        if first < last:
            piece.cut(first, last, instead)
            instead = ""
