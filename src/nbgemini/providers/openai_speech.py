"""What one Responses stream says: answers, thoughts and refusals, each at its place, and calls with their arguments."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nbgemini.events import AnswerDelta, Event, PartReceived, ThoughtDelta, ToolArgsText, ToolCallEnd, ToolCallStart
from nbgemini.providers.openai_identity import Item, Items, Place
from nbgemini.providers.openai_items import Sources
from nbgemini.providers.thought_tags import Said, TaggedText

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
        self._sources = Sources()

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
