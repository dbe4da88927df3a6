"""The items of a stream of OpenAI's Responses API: which of them an event is about, and what the texts in them rest on.

That is known whether or not a server numbers and names items as OpenAI does.

By the rules an event has the item's `output_index` and its id: as `item_id`, and as `item.id` where it holds the item. Others
leave the index out or change it, give an item a new id with each event (GitHub), or name calls by `call_id` alone (llama.cpp).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import Citations, Event
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import as_dict, as_list

Place = tuple[str, str, int]  # of a text: its item, its kind, its number

_MOST_PASSAGES = 5_000  # in one answer; a hostile service could send any number
_LOOKED_AT = 100  # items: a hostile service could leave any number of them open


class Item:
    """One item, as far as it came.

    Attributes:
        key: what tells it from all others.
        kind: `message`, `reasoning` or `function_call`.
        open: whether more of it may come.
        named: whether any event gave it an id.
        fed: whether a delta came.
        begun: whether it is known which function is called.
        early: what came of a call before that was known.
        told: the texts that came, by their places.
        ended: the places whose texts are whole.
    """

    def __init__(self, key: str, kind: str) -> None:
        """Begin with nothing."""
        self.key = key
        self.kind = kind
        self.open = True
        self.named = self.fed = self.begun = False
        self.early: list[Event] = []
        self.told: dict[Place, list[str]] = {}
        self.ended: set[Place] = set()

    def place(self, kind: str, number: Any) -> Place:
        """Return the place of a text of this item."""
        return self.key, kind, number if isinstance(number, int) else 0

    def add(self, place: Place, text: str) -> None:
        """Take a piece of a text."""
        self.told.setdefault(place, []).append(text)

    def rest(self, place: Place, text: str) -> str:
        """Return what did not come yet of a text that is whole; another server numbers it differently at its end."""
        if place in self.ended:
            return ""
        self.ended.add(place)
        if place not in self.told:
            known = any(other[1] == place[1] and self._joined(other) == text for other in self.told)
            return "" if known else text
        before = self._joined(place)
        return text[len(before) :] if text.startswith(before) else ""

    def text_at(self, place: Place) -> str:
        """Return what came of a text."""
        return self._joined(place) if place in self.told else ""

    def fits(self, text: str) -> bool:
        """Whether all that came of this item is the beginning of a text."""
        return text.startswith("".join(self._joined(place) for place in self.told))

    def _joined(self, place: Place) -> str:
        pieces = self.told[place] = ["".join(self.told[place])]
        return pieces[0]


class Items:
    """The items of one stream, in the order in which they began."""

    def __init__(self) -> None:
        """Begin with none."""
        self._count = 0
        self._kinds: dict[str, list[Item]] = {}
        self._by_id: dict[tuple[str, str], Item] = {}
        self._by_index: dict[tuple[str, int], Item] = {}

    def begun(self, kind: str, data: dict[str, Any], item: dict[str, Any]) -> Item:
        """Return the item that an event begins; deltas may have come before."""
        names = _names(data, item)
        known = self._named(kind, names)
        if known is None:
            numbered = self._numbered(kind, data)
            known = numbered if numbered and not (names and numbered.named) else None
        return self._keep(known or self._new(kind), data, names)

    def continued(self, kind: str, data: dict[str, Any], text: Any = None) -> Item:
        """Return the item that a delta, or the end of one of its texts, which is this, is of."""
        names = _names(data, {})
        known = self._named(kind, names) or self._numbered(kind, data)
        if known is None and isinstance(text, str):
            known = next((one for one in reversed(self._open(kind)) if one.told and one.fits(text)), None)
        if known is None:
            known = next((one for one in reversed(self._open(kind)) if not (names and one.fed)), None)
        known = self._keep(known or self._new(kind), data, names)
        known.fed = True
        return known

    def ended(self, kind: str, data: dict[str, Any], item: dict[str, Any], text: str) -> Item:
        """Return the item that is whole now, and whose text is this."""
        names = _names(data, item)
        known = self._named(kind, names) or self._numbered(kind, data)
        if known is None:
            known = next((one for one in self._open(kind) if one.fits(text) and (one.told or not names)), None)
        return self._keep(known or self._new(kind), data, names)

    def listed(self, kind: str, number: int, item: dict[str, Any]) -> Item:
        """Return the item that the whole response has as the `number`-th of its kind, whether or not it is open."""
        names = _names({}, item)
        known = next((one for name in names if (one := self._by_id.get((kind, name)))), None)
        same = self._kinds.get(kind, [])
        return known or (same[number] if number < len(same) else self._keep(self._new(kind), {}, names))

    def calls(self) -> list[Item]:
        """Return the calls that have begun and whose end did not come."""
        return [item for item in self._kinds.get("function_call", ()) if item.begun and item.open]

    def _named(self, kind: str, names: list[str]) -> Item | None:
        return next((one for name in names if (one := self._by_id.get((kind, name))) and one.open), None)

    def _numbered(self, kind: str, data: dict[str, Any]) -> Item | None:
        index = data.get("output_index")
        known = self._by_index.get((kind, index)) if isinstance(index, int) else None
        return known if known and known.open else None

    def _open(self, kind: str) -> list[Item]:
        """Return the items of a kind that go on."""
        return [item for item in self._kinds.get(kind, ())[-_LOOKED_AT:] if item.open]

    def _new(self, kind: str) -> Item:
        item = Item(str(self._count), kind)
        self._count += 1
        self._kinds.setdefault(kind, []).append(item)
        return item

    def _keep(self, known: Item, data: dict[str, Any], names: list[str]) -> Item:
        """Remember by which names and number this item is told of."""
        for name in names:
            known.named = True
            self._by_id[known.kind, name] = known
        if isinstance(index := data.get("output_index"), int):
            self._by_index[known.kind, index] = known
        return known


def _names(data: dict[str, Any], item: dict[str, Any]) -> list[str]:
    names = (data.get("item_id"), item.get("id"), item.get("call_id"))
    return [name for name in names if isinstance(name, str) and name]


class TextCitations:
    """What one answer rests on, as its messages and searches tell."""

    def __init__(self) -> None:
        """Begin with no text and no source."""
        self._length = 0  # bytes of the answer so far
        self._starts: dict[Place, int] = {}  # where in it each text begins
        self._known = CitationBuilder(_MOST_PASSAGES)

    def count(self, place: Place, said: str, text: str) -> None:
        """Take a piece of the text at `place`, which is shown as `said`."""
        self._length += len(_bytes(said))
        self._starts.setdefault(place, self._length - len(_bytes(text)))

    def search(self, item: dict[str, Any]) -> Citations | None:
        """Take a search, and return all that is known if it is news."""
        action = as_dict(item.get("action"))
        for query in as_list(action.get("queries") or [action.get("query")]):
            self._known.add_query(query if isinstance(query, str) else "")
        return self._known.news()

    def cited(self, place: Place, text: Any, notes: Iterable[dict[str, Any]]) -> Citations | None:
        """Take the whole text at `place` and the notes on it, and return all that is known if they name sources."""
        notes = [note for note in map(_flat, notes) if note.get("url")]
        if not notes or not isinstance(text, str):
            return None
        for note in notes:
            self._known.add_source(str(note["url"]), str(note.get("title") or ""))
        spans = [(note, span) for note in notes[:_MOST_PASSAGES] if (span := _span(note, text))]
        at, start = _offsets(text, (place for _, span in spans for place in span)), self._starts.get(place, 0)
        for note, (first, last) in spans:
            number = self._known.add_source(str(note["url"]))
            self._known.add_passage(start + at[first], start + at[last], text[first:last], [number])
        return self._known.news()


def _flat(note: dict[str, Any]) -> dict[str, Any]:
    """Return a note on a page, which routers wrap as Chat Completions does; nothing for one on a file."""
    inside = note.get("url_citation")
    if isinstance(inside, dict):
        return inside
    return note if note.get("type") == "url_citation" else {}


def _span(note: dict[str, Any], text: str) -> tuple[int, int] | None:
    """Return which characters a note is about."""
    first, last = note.get("start_index"), note.get("end_index")
    return (first, last) if type(first) is int and type(last) is int and 0 <= first < last <= len(text) else None


def _offsets(text: str, places: Iterable[int]) -> dict[int, int]:
    """Return for places in a text, in characters, the same in bytes."""
    found, before, length = {}, 0, 0
    for place in sorted(set(places)):
        length += len(_bytes(text[before:place]))
        found[place] = length
        before = place
    return found


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
