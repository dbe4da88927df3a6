"""Takes keys out of the frames of one stream, also a key that is split over several frames.

A frame whose text ends as a key begins waits for the frame that tells whether it goes on as one. Texts continue each other that
stand at the same place of their frames, whatever their positions in lists. At most the first two characters of a key get
through; a frame without a piece of a key keeps its bytes, and all frames their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeVar, cast

import msgspec

from nbgemini._async.scheduler import FairScheduler
from nbgemini.errors import WireError
from nbgemini.secrets import HIDDEN, PART, STEP, Mask
from nbgemini.transport.framing import DONE, load_json

_TELLING = 3  # characters of a key at the end of a text for which a frame waits
_MOST_WAITING = 2**24  # bytes
_MOST_PLACES = 10_000  # at which a key may have begun; elsewhere than in a hostile service's answer there are a few
_VALUES = 1_000  # of a frame, between two turns of others
_Result = TypeVar("_Result")
_FOLD = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


async def in_turns(steps: Generator[None, None, _Result]) -> _Result:
    """Return what the steps return; others have their turn between them."""
    scheduler = FairScheduler.here()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("_Result", end.value)
        await scheduler.turn()


class KeyForms:
    """How the keys of a mask may begin, go on and end in a stream; the same for all streams of a source."""

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        forms = mask.forms
        self.heads = [b"\\u00", *(form[:_TELLING].encode() for form in forms)]  # a letter may be escaped
        self.ends = _pattern_of_ends(forms) if forms else None
        self.whole = re.compile("|".join(map(re.escape, forms)))
        self.longest = max(map(len, forms), default=0)
        self.shortest = min(map(len, forms), default=0)
        self.beginnings = {form[:size] for form in forms for size in range(1, len(form) + 1)}
        self.last = {character for beginning in self.beginnings for character in (beginning[-1], beginning[-1].upper())}

    def may_begin_in(self, part: bytes) -> bool:
        """Return whether a key may begin at the end of a text of this part of a frame."""
        part = part.lower()
        return any(head in part for head in self.heads) or bool(self.ends and self.ends.search(part))

    def beginning(self, text: str) -> int:
        """Return how many characters at the end of a text may be the beginning of a key."""
        sizes = range(min(len(text), self.longest), 0, -1)
        return next((size for size in sizes if text[-size:] in self.beginnings), 0)

    def find(self, text: str) -> Generator[None, None, list[tuple[int, int]]]:
        """Return where whole keys stand in a text; others have their turn between the steps."""
        found: list[tuple[int, int]] = []
        for at in range(0, len(text), STEP):
            start = max(at, found[-1][1]) if found else at
            part = text[start : at + STEP + self.longest].translate(_FOLD)
            spans = ((start + match.start(), start + match.end()) for match in self.whole.finditer(part))
            found += [span for span in spans if span[0] < at + STEP]
            if at + STEP < len(text):
                yield
        return found


class KeyFilter:
    """Filters the frames of one stream."""

    def __init__(self, forms: KeyForms) -> None:
        self._forms = forms
        self._waiting: list[_Frame] = []
        self._begun: dict[int, list[_Piece]] = {}  # by place: the pieces at whose end a key may have begun
        self._fresh: set[int] = set()  # the places where that was so in the frames that wait
        self._awaited: set[int] = set()  # and for which they wait
        self._held = 0  # bytes of these frames

    def suspects(self, batch: Sequence[bytes]) -> bool:
        """Return whether a key, or the beginning of one, may be in frames that came together, or one has begun before."""
        if self._forms.ends is None:
            return False
        if self._begun or sum(map(len, batch)) > STEP:
            return True
        together = b"\n".join(batch)
        return self._forms.mask.found_in(together) or self._forms.may_begin_in(together)

    async def filtered(self, batch: Sequence[bytes]) -> list[bytes]:
        """Return the frames that can be passed on by now; others have their turn meanwhile."""
        return [passed for frame in batch for passed in await in_turns(self.feed(frame))]

    def feed(self, frame: bytes) -> Generator[None, None, list[bytes]]:
        """Return the frames that can be passed on by now; others have their turn between the steps."""
        frame = yield from self._forms.mask.steps(frame)
        if not self._begun and not (yield from self._may_begin(frame)):
            return [frame]
        if frame == DONE:
            return [*self.close(), frame]
        self._waiting.append(_Frame(frame))
        escaped = b"\\u00" in frame  # a key may stand in a text in a spelling that its bytes don't show
        for number, (place, holder, key) in enumerate(self._waiting[-1].leaves()):
            text = holder[key]
            if isinstance(text, str) and text and (escaped or text[-1] in self._forms.last or place in self._begun):
                yield from self._join(_Piece(self._waiting[-1], place, holder, key))
            if number % _VALUES == _VALUES - 1:
                yield
        self._held += len(frame)
        return [] if self._awaited and self._held < _MOST_WAITING else self._pass()

    def close(self) -> list[bytes]:
        """Return the frames that wait, at the end; what is long enough to be a piece of a key is hidden."""
        for pieces in self._begun.values():
            if _length(pieces) >= PART:
                _hide(pieces, [(0, _length(pieces))])
        self._begun.clear()
        return self._pass()

    def _pass(self) -> list[bytes]:
        frames = [frame.encoded() for frame in self._waiting]
        for piece in (piece for place in self._fresh for piece in self._begun.get(place, ())):
            piece.let_go()
        self._fresh.clear()
        self._waiting.clear()
        self._awaited.clear()
        self._held = 0
        return frames

    def _may_begin(self, frame: bytes) -> Generator[None, None, bool]:
        """Return whether a key may begin at the end of a text of this frame."""
        for at in range(0, len(frame), STEP):
            if self._forms.may_begin_in(frame[at : at + STEP + _TELLING]):
                return True
            if at + STEP < len(frame):
                yield
        return False

    def _join(self, piece: _Piece) -> Generator[None, None, None]:
        """Let a text go on where an earlier one ended; others have their turn between the steps."""
        forms, pieces = self._forms, [*self._begun.pop(piece.place, ()), piece]
        self._awaited.discard(piece.place)
        text = "".join(part.text[part.start :] for part in pieces)
        found = (yield from forms.find(text)) if len(text) >= forms.shortest else []
        _hide(pieces, found)
        after = max(found[-1][1] if found else 0, len(text) - forms.longest)
        rest = forms.beginning(text[after:].translate(_FOLD)) if text[-1] in forms.last else 0
        if rest:
            self._begun[piece.place] = _last(pieces, rest)
            self._fresh.add(piece.place)
            if rest >= _TELLING:
                self._awaited.add(piece.place)
            if len(self._begun) > _MOST_PLACES:
                raise WireError(f"the answer may repeat the key at over {_MOST_PLACES:,} places → ask another service")


class _Frame:
    """A frame that waits, as bytes and as what they mean."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._root: list[Any] = [_decoded(data)]
        self.changed = False

    def leaves(self) -> Iterator[tuple[int, Any, Any]]:
        """Yield where values without parts stand, in their order: the place (a list is one), the holder and its key."""
        stack: list[tuple[int, Any, Iterator[Any]]] = [(0, self._root, iter((0,)))]
        while stack:
            outer, holder, keys = stack[-1]
            named = isinstance(holder, dict)
            for key in keys:
                value, place = holder[key], hash((outer, key)) if named else outer
                if isinstance(value, dict | list):
                    stack.append((place, value, iter(value) if isinstance(value, dict) else iter(range(len(value)))))
                    break
                yield place, holder, key
            else:
                stack.pop()

    def encoded(self) -> bytes:
        """Return its bytes as they are by now."""
        if not self.changed:
            return self.data
        try:
            return msgspec.json.encode(self._root[0])
        except (ValueError, OverflowError):  # numbers of any length
            return json.dumps(self._root[0]).encode()


class _Piece:
    """A text of a frame, or the end of one: `start` is where a key may have begun."""

    __slots__ = ("_holder", "_key", "frame", "place", "start", "text")

    def __init__(self, frame: _Frame, place: int, holder: Any, key: Any) -> None:
        self.frame: _Frame | None = frame
        self._holder, self._key = holder, key
        self.place = place
        self.text: str = holder[key]
        self.start = 0

    def replace(self, spans: Sequence[tuple[int, int, str]]) -> None:
        """Put something in the place of parts of the text, which follow each other."""
        pieces, at = [], 0
        for start, end, instead in spans:
            pieces += [self.text[at:start], instead]
            at = end
        self.text = "".join([*pieces, self.text[at:]])
        if self.frame is not None:
            self._holder[self._key] = self.text
            self.frame.changed = True

    def let_go(self) -> None:
        """Forget the frame, which has been passed on, and what it held besides."""
        self.text, self.start = self.text[self.start :], 0
        self.frame = self._holder = None


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


def _hide(pieces: Sequence[_Piece], found: Sequence[tuple[int, int]]) -> None:
    """Put something else in the place of what was found in pieces that continue each other."""
    before = number = 0
    for piece in pieces:
        size, spans = (
            len(piece.text) - piece.start,
            [],
        )  # what stands instead is in the last piece: the first may have been passed on
        while number < len(found) and found[number][0] < before + size:
            start, end = (min(max(0, at - before), size) + piece.start for at in found[number])
            goes_on = found[number][1] > before + size
            spans.append((start, end, "" if goes_on else HIDDEN.decode()))
            if goes_on:
                break
            number += 1
        if spans:
            piece.replace(spans)
        before += size
