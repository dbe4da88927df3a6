"""What one Responses stream says: answers, thoughts and refusals, each at its place, and calls with their arguments."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import (
    AnswerDelta,
    Citations,
    Event,
    PartReceived,
    ThoughtDelta,
    ToolArgsText,
    ToolCallEnd,
    ToolCallStart,
)
from nbgemini.messages.turns import ORIGIN
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import as_dict, as_list, dicts
from nbgemini.providers.common.part_events import read_part
from nbgemini.providers.common.thought_tags import Said, TaggedText
from nbgemini.providers.openai.responses_identity import Item, Items, Place

NAME = "openai"

_MOST_PASSAGES = 5_000  # in one answer; a hostile service could send any number


def kept(item: dict[str, Any]) -> dict[str, Any]:
    """Return under which key, and how, an item is kept to go back."""
    block = {name: value for name, value in item.items() if name not in ("id", "status") and value is not None}
    return {ORIGIN: {"provider": NAME, "block": block}}


def thinking_part(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part in which a reasoning item goes back; None for one that the service could not read again."""
    if not item.get("encrypted_content"):
        return None
    return {"text": "", "thought": True, "thoughtSignature": str(item.get("id") or NAME), **kept(item)}


def code_parts(item: dict[str, Any]) -> list[Event]:
    """Return the code that the model ran, and what it printed."""
    events: list[Event] = []
    if isinstance(code := item.get("code"), str):
        read_part({"executableCode": {"language": "PYTHON", "code": code}}, events)
    outputs = [entry["logs"] for entry in dicts(item.get("outputs")) if isinstance(entry.get("logs"), str)]
    outcome = "OUTCOME_FAILED" if item.get("status") in ("failed", "incomplete") else "OUTCOME_OK"
    if outputs or outcome != "OUTCOME_OK":
        read_part({"codeExecutionResult": {"outcome": outcome, "output": "\n".join(outputs)}}, events)
    return events


class CitationReader:
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


TEXTS = {  # what comes in pieces: of which item, as which kind, numbered by what
    "response.output_text": ("message", "output_text", "content_index"),
    "response.refusal": ("message", "refusal", "content_index"),
    "response.reasoning_summary_text": ("reasoning", "summary_text", "summary_index"),
    "response.reasoning_text": ("reasoning", "reasoning_text", "content_index"),
}
NOWHERE: tuple[str, Place] = ("", ("", "", 0))


class Speech:
    """What is said in one stream, and where."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._events: list[Event] = []
        self._items = Items()
        self._near: tuple[Any, ...] = ()  # where the last piece of text stood, as its frame has it,
        self._nearest = Item("", ""), NOWHERE[1]  # and as it was understood
        self._text = TaggedText()
        self._last = NOWHERE  # what the text was that came last: its kind, and its place
        self._refused: list[str] = []
        self._sources = CitationReader()

    def _place(self, stem: str, data: dict[str, Any]) -> tuple[Item, Place]:
        """Return where a piece of text stands: mostly where the last one did."""
        of, text, number = TEXTS[stem]
        near = stem, data.get("item_id"), data.get("output_index"), data.get(number)
        item, place = self._nearest
        if near != self._near or not item.open:
            item = self._items.continued(of, data)
            place = item.place(text, data.get(number))
            self._near, self._nearest = near, (item, place)
        return item, place

    def _rest(self, item: Item, place: Place, text: Any) -> None:
        if isinstance(text, str) and text and (rest := item.rest(place, text)):
            self._tell(item, place, rest)

    def _tell(self, item: Item, place: Place, text: Any) -> None:
        """Say a piece of a text."""
        if not isinstance(text, str) or not text:
            return
        item.add(place, text)
        if place[1] == "refusal":
            self._refused.append(self._paragraph("refusal", place, text))
        elif item.kind == "reasoning":
            self._flush()
            self._think(place, text)
        elif self._text.plain:
            self._answer(place, text)
        else:
            self._say(place, self._text.take(text))

    def _flush(self) -> None:
        self._say(self._last[1], self._text.end())

    def _say(self, place: Place, said: Iterable[Said]) -> None:
        for thought, text in said:
            (self._think if thought else self._answer)(place, text)

    def _think(self, place: Place, text: str) -> None:
        said = self._paragraph("thought", place, text)
        self._events += [PartReceived({"text": said, "thought": True}), ThoughtDelta(said)]

    def _answer(self, place: Place, text: str) -> None:
        said = self._paragraph("answer", place, text)
        self._sources.count(place, said, text)
        self._events += [PartReceived({"text": said}), AnswerDelta(said)]

    def _paragraph(self, kind: str, place: Place, text: str) -> str:
        """Return a piece of text as it is shown: another text after one of its kind begins a paragraph."""
        parted = self._last[0] == kind and self._last != (kind, place)
        self._last = kind, place
        return f"\n\n{text}" if parted else text

    def _cite(self, known: Event | None) -> None:
        if known:
            self._events.append(known)

    def _begin_call(self, item: Item, said: dict[str, Any]) -> None:
        if item.begun or not said.get("name"):
            return
        item.begun = True
        self._flush()
        self._last = NOWHERE
        start = ToolCallStart(item.key, str(said["name"]), str(said.get("call_id") or "") or None)
        self._events += [start, *item.early]
        item.early = []

    def _call(self, item: Item, event: Event) -> None:
        """Say what came of a call's arguments, once it is known what is called."""
        (self._events if item.begun else item.early).append(event)

    def _replace(self, item: Item, arguments: Any) -> None:
        """Take the whole arguments, if they are told: they replace what came of them."""
        text = json.dumps(arguments) if isinstance(arguments, dict) else arguments
        if isinstance(text, str) and text:
            self._call(item, ToolArgsText(item.key, text))

    def _ends(self) -> list[Event]:
        """Return that the calls are whole whose ends did not come."""
        return [ToolCallEnd(item.key) for item in self._items.calls()]
