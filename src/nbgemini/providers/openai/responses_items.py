"""The items of a stream of OpenAI's Responses API, and which of them an event is about, however a server names them.

By the rules an event has the item's `output_index` and its id: as `item_id`, and as `item.id` where it holds the item. Others
leave the index out or change it, give an item a new id with each event (GitHub), or name calls by `call_id` alone (llama.cpp).
"""

from __future__ import annotations

from typing import Any

from nbgemini.messages.events import Event

Place = tuple[str, str, int]  # of a text: its item, its kind, its number

_LOOKED_AT = 100  # items: a hostile service could leave any number of them open


class Item:
    """One item, as far as it came: `key` tells it from all others, `kind` is `message`, `reasoning` or `function_call`."""

    def __init__(self, key: str, kind: str) -> None:
        self.key = key
        self.kind = kind
        self.open = True  # more of it may come
        self.named = False  # some event gave it an id
        self.fed = False  # a delta came
        self.begun = False  # it is known which function is called,
        self.early: list[Event] = []  # and this came of a call before
        self._texts: dict[Place, list[str]] = {}
        self._whole: set[Place] = set()

    @property
    def empty(self) -> bool:
        """Whether no text came."""
        return not self._texts

    def place(self, kind: str, number: Any) -> Place:
        """Return the place of a text of this item."""
        return self.key, kind, number if isinstance(number, int) else 0

    def add(self, place: Place, text: str) -> None:
        """Take a piece of a text."""
        self._texts.setdefault(place, []).append(text)

    def rest(self, place: Place, text: str) -> str:
        """Return what did not come yet of a text that is whole; another server numbers it differently at its end."""
        if place in self._whole:
            return ""
        self._whole.add(place)
        if place not in self._texts:
            known = any(other[1] == place[1] and self.text_at(other) == text for other in self._texts)
            return "" if known else text
        before = self.text_at(place)
        return text[len(before) :] if text.startswith(before) else ""

    def text_at(self, place: Place) -> str:
        """Return what came of a text."""
        if place not in self._texts:
            return ""
        pieces = self._texts[place] = ["".join(self._texts[place])]
        return pieces[0]

    def fits(self, text: str) -> bool:
        """Whether all that came of this item is the beginning of a text."""
        return text.startswith("".join(map(self.text_at, self._texts)))


class Items:
    """The items of one stream, in the order in which they began."""

    def __init__(self) -> None:
        self._count = 0
        self._kinds: dict[str, list[Item]] = {}
        self._by_id: dict[tuple[str, str], Item] = {}
        self._by_index: dict[tuple[str, int], Item] = {}

    def begun(self, kind: str, data: dict[str, Any], item: dict[str, Any]) -> Item:
        """Return the item that an event begins; deltas may have come before."""
        names = _names(data, item)
        known = self._named(kind, names)
        if known is None and (numbered := self._numbered(kind, data)) and not (names and numbered.named):
            known = numbered
        return self._remember(kind, known, data, names)

    def continued(self, kind: str, data: dict[str, Any], text: Any = None) -> Item:
        """Return the item that a delta, or the end of one of its texts, which is this, is of."""
        names = _names(data, {})
        known = self._named(kind, names) or self._numbered(kind, data)
        if known is None:
            latest = self._open(kind)[::-1]
            fitting = (one for one in latest if isinstance(text, str) and not one.empty and one.fits(text))
            known = next(fitting, None) or next((one for one in latest if not (names and one.fed)), None)
        known = self._remember(kind, known, data, names)
        known.fed = True
        return known

    def ended(self, kind: str, data: dict[str, Any], item: dict[str, Any], text: str) -> Item:
        """Return the item that is whole now, and whose text is this."""
        names = _names(data, item)
        known = self._named(kind, names) or self._numbered(kind, data)
        if known is None:
            known = next((one for one in self._open(kind) if one.fits(text) and not (one.empty and names)), None)
        return self._remember(kind, known, data, names)

    def listed(self, kind: str, number: int, item: dict[str, Any]) -> Item:
        """Return the item that the whole response has as the `number`-th of its kind, whether or not it is open."""
        names, same = _names({}, item), self._kinds.get(kind, [])
        known = next((one for name in names if (one := self._by_id.get((kind, name)))), None)
        return known or (same[number] if number < len(same) else self._remember(kind, None, {}, names))

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
        return [item for item in self._kinds.get(kind, ())[-_LOOKED_AT:] if item.open]

    def _remember(self, kind: str, item: Item | None, data: dict[str, Any], names: list[str]) -> Item:
        """Remember by which names and number an item, or a new one, is told of."""
        if item is None:
            item = Item(str(self._count), kind)
            self._count += 1
            self._kinds.setdefault(kind, []).append(item)
        for name in names:
            item.named = True
            self._by_id[kind, name] = item
        if isinstance(index := data.get("output_index"), int):
            self._by_index[kind, index] = item
        return item


def _names(data: dict[str, Any], item: dict[str, Any]) -> list[str]:
    names = (data.get("item_id"), item.get("id"), item.get("call_id"))
    return [name for name in names if isinstance(name, str) and name]
