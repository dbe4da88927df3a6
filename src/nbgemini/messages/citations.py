"""What an answer rests on, put together from what its frames and rounds say, and where in the text it is said.

Invariants: within a round what is newer replaces what it says anew; the sources of a later round are counted on from those of
the earlier; a passage is found where its very text stands, or nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import structs

from nbgemini.messages.events import Citations, Passage

SourcePlaces: TypeAlias = tuple[tuple[int, tuple[int, ...]], ...]  # after so many characters: these sources, counted from 0

MOST = 5_000  # sources, and other things of a kind, that one round is taken to rest on
_MOST_SEGMENTS = 50  # of an answer in which a passage is looked for by its place alone
_MOST_SEARCHES = 50  # of passages whose place is wrong


class CitationTracker:
    """The citations of one reply."""

    def __init__(self) -> None:
        self._earlier = Citations()
        self._round = Citations()

    def update(self, said: Citations) -> Citations:
        """Return all that is known now."""
        before = self._round
        self._round = Citations(*(getattr(said, name)[:MOST] or getattr(before, name) for name in Citations.__struct_fields__))
        return self.all

    @property
    def all(self) -> Citations:
        """What all rounds rest on."""
        one, other, shift = self._earlier, self._round, len(self._earlier.sources)
        if one == Citations():
            return other
        later = [structs.replace(passage, sources=tuple(n + shift for n in passage.sources)) for passage in other.passages]
        queries, pages = dict.fromkeys((*one.queries, *other.queries)), dict.fromkeys((*one.pages, *other.pages))
        return Citations((*one.sources, *other.sources), (*one.passages, *later), tuple(queries), tuple(pages))

    def begin_round(self) -> None:
        """Keep what was said; more comes on top of it."""
        self._earlier, self._round = self.all, Citations()


def locate_passages(passages: Iterable[Passage], texts: Sequence[str]) -> list[SourcePlaces]:
    """Return where the passages stand in each of the texts of an answer.

    Offsets are bytes of UTF-8, counted from the beginning of the text or of the whole answer; services differ.
    """
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    found: list[dict[int, set[int]]] = [{} for _ in texts]
    searches = _MOST_SEARCHES
    for passage in passages:
        place = _by_offset(passage, encoded)
        if place is None and passage.text and searches:
            searches -= 1
            place = _by_text(passage, encoded)
        if place is not None:
            found[place[0]].setdefault(place[1], set()).update(passage.sources)
    return [_in_characters(text, ends) for text, ends in zip(encoded, found, strict=True)]


def _by_offset(passage: Passage, texts: Sequence[bytes]) -> tuple[int, int] | None:
    wanted, base = passage.text.encode("utf-8", "surrogatepass"), 0
    for number, text in enumerate(texts[:_MOST_SEGMENTS]):
        for start, end in ((passage.start - base, passage.end - base), (passage.start, passage.end)):
            fits = 0 <= start < end <= len(text) and (
                end - start == len(wanted) and text.startswith(wanted, start) if wanted else _is_border(text, end)
            )
            if fits:
                return number, end
        base += len(text)
    return None


def _by_text(passage: Passage, texts: Sequence[bytes]) -> tuple[int, int] | None:
    """Return the only place where the text stands."""
    wanted = passage.text.encode("utf-8", "surrogatepass")
    found = [(number, text) for number, text in enumerate(texts) if wanted in text]
    if len(found) != 1 or found[0][1].count(wanted) != 1:
        return None
    return found[0][0], found[0][1].index(wanted) + len(wanted)


def _is_border(text: bytes, at: int) -> bool:
    return at == len(text) or text[at] & 0xC0 != 0x80  # noqa: PLR2004 - a byte inside a character


def _in_characters(text: bytes, ends: dict[int, set[int]]) -> SourcePlaces:
    placed, before, characters = [], 0, 0
    for end in sorted(ends):
        characters += len(text[before:end].decode("utf-8", "surrogatepass"))
        before = end
        placed.append((characters, tuple(sorted(ends[end]))))
    return tuple(placed)
