"""The items of an answer of OpenAI's Responses API besides text and calls: what is kept of them, what they say of sources.

What goes back has no `id`: with `store: false` the service knows none, and refuses those that it looks for and can't find
(maximhq/bifrost#5410, NousResearch/hermes-agent#10217).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbgemini.events import Citation, Citations, Event, Passage
from nbgemini.providers.gemini_parts import read_part
from nbgemini.providers.gemini_sources import dicts
from nbgemini.providers.openai_identity import Place
from nbgemini.turns import ORIGIN

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


class Sources:
    """What one answer rests on, as its messages and searches tell."""

    def __init__(self) -> None:
        """Begin with no text and no source."""
        self._length = 0  # bytes of the answer so far
        self._starts: dict[Place, int] = {}  # where in it each text begins
        self._sources: dict[str, str] = {}  # addresses, and their titles
        self._passages: list[Passage] = []
        self._queries: dict[str, None] = {}

    def count(self, place: Place, said: str, text: str) -> None:
        """Take a piece of the text at `place`, which is shown as `said`."""
        self._length += len(_bytes(said))
        self._starts.setdefault(place, self._length - len(_bytes(text)))

    def search(self, item: dict[str, Any]) -> Citations | None:
        """Take a search, and return all that is known if it is news."""
        action = item.get("action")
        action = action if isinstance(action, dict) else {}
        queries = action.get("queries") or [action.get("query")]
        new = [query for query in queries if isinstance(query, str) and query] if isinstance(queries, list) else []
        self._queries.update(dict.fromkeys(new))
        return self._known() if new else None

    def cited(self, place: Place, text: Any, notes: Iterable[dict[str, Any]]) -> Citations | None:
        """Take the whole text at `place` and the notes on it, and return all that is known if they name sources."""
        notes = [note for note in map(_flat, notes) if note.get("url")]
        if not notes or not isinstance(text, str):
            return None
        for note in notes:
            self._sources.setdefault(str(note["url"]), str(note.get("title") or ""))
        spans = [(note, span) for note in notes[:_MOST_PASSAGES] if (span := _span(note, text))]
        at, start = _offsets(text, (place for _, span in spans for place in span)), self._starts.get(place, 0)
        numbers = {uri: number for number, uri in enumerate(self._sources)}
        for note, (first, last) in spans:
            passage = Passage(start + at[first], start + at[last], text[first:last], (numbers[str(note["url"])],))
            self._passages.append(passage)
        return self._known()

    def _known(self) -> Citations:
        sources = tuple(Citation(uri, title) for uri, title in self._sources.items())
        return Citations(sources, tuple(self._passages[:_MOST_PASSAGES]), tuple(self._queries))


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
