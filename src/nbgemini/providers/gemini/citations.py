"""What an answer rests on, and what the service thinks of it: sources, where they are cited, pages read, safety in words."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from nbgemini.messages.events import Citation, Citations, Page, Passage

_GOT = "SUCCESS"
_SOURCES = ("web", "retrievedContext", "maps", "image")  # what a chunk may be; all have an address and a title
_GROUNDING = ("groundingChunks", "groundingSupports", "webSearchQueries")
_LEARNED = ("citationSources", "citations", "citation_sources")  # as the Gemini API, Vertex AI and python write it
_NOTABLE = ("MEDIUM", "HIGH")
_MOST_PASSAGES = 5_000  # in one answer; a hostile service could send any number
_MOST_LEARNED = 1_000  # each is told with all before it


class Cited:
    """What one stream says of its sources: it may tell of them bit by bit, or of all of them in every frame."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._grounding: dict[str, list[Any]] = {}  # what the latest frame that names it says
        self._pages: list[dict[str, Any]] = []
        self._learned: dict[str, str] = {}  # addresses of texts that the model repeats, and their titles

    def read(self, candidate: dict[str, Any]) -> Citations | None:
        """Take what a candidate says of sources, and return all that is known, if it says anything."""
        grounding, reading = _dict(candidate.get("groundingMetadata")), _dict(candidate.get("urlContextMetadata"))
        self._grounding |= {name: _list(grounding[name]) for name in _GROUNDING if grounding.get(name)}
        self._pages = dicts(reading.get("urlMetadata")) or self._pages
        learned = _dict(candidate.get("citationMetadata"))
        entries = next((dicts(learned[name]) for name in _LEARNED if learned.get(name)), [])
        news = [self._learn(entry) for entry in map(_citation, entries[:_MOST_LEARNED])]
        return self._all() if grounding or reading or any(news) else None

    def _learn(self, entry: Citation) -> bool:
        """Add a source, and say whether it is news."""
        title = entry.title or self._learned.get(entry.uri, "")
        full = len(self._learned) >= _MOST_LEARNED and entry.uri not in self._learned
        if not entry.uri or full or self._learned.get(entry.uri) == title:
            return False
        self._learned[entry.uri] = title
        return True

    def _all(self) -> Citations | None:
        chunks = [_source(chunk) for chunk in dicts(self._grounding.get("groundingChunks"))]
        kept = [n for n, source in enumerate(chunks) if source.uri]
        new = {old: number for number, old in enumerate(kept)}
        grounded = [chunks[n] for n in kept]
        found = {source.uri for source in grounded}
        known = Citations(
            (*grounded, *(Citation(uri, title) for uri, title in self._learned.items() if uri not in found)),
            tuple(_renumbered(passage, new) for passage in _passages(self._grounding.get("groundingSupports"), new.keys())),
            tuple(str(query) for query in self._grounding.get("webSearchQueries", ()) if query),
            tuple(_page(page) for page in self._pages),
        )
        return known if known != Citations() else None


def safety_words(ratings: Any) -> str:
    """Return what was found unsafe, and how likely it is so, in words."""
    found = [rating for rating in dicts(ratings) if rating.get("blocked") or rating.get("probability") in _NOTABLE]
    return ", ".join(f"{_words(rating.get('category'))}: {_words(rating.get('probability'))}" for rating in found)


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects in what should be a list of them."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _source(chunk: dict[str, Any]) -> Citation:
    return next((_citation(chunk[kind]) for kind in _SOURCES if isinstance(chunk.get(kind), dict)), Citation(""))


def _citation(source: dict[str, Any]) -> Citation:
    address = source.get("uri") or source.get("sourceUri") or source.get("url")
    return Citation(str(address or ""), str(source.get("title") or ""))


def _passages(supports: Any, known: Container[int]) -> Iterable[Passage]:
    """Yield which text rests on which chunks; offsets are bytes, and what is 0 is not sent."""
    for support in dicts(supports)[:_MOST_PASSAGES]:
        segment = _dict(support.get("segment"))
        start, end = _count(segment.get("startIndex")), _count(segment.get("endIndex"))
        numbers = tuple(n for n in _list(support.get("groundingChunkIndices")) if type(n) is int and n in known)
        if numbers and end > start:
            yield Passage(start, end, str(segment.get("text") or ""), numbers)


def _renumbered(passage: Passage, new: dict[int, int]) -> Passage:
    return Passage(passage.start, passage.end, passage.text, tuple(new[number] for number in passage.sources))


def _page(page: dict[str, Any]) -> Page:
    status = str(page.get("urlRetrievalStatus") or "").removeprefix("URL_RETRIEVAL_STATUS_")
    return Page(str(page.get("retrievedUrl") or ""), "" if status == _GOT else _words(status) or "unknown")


def _words(name: Any) -> str:
    return str(name or "").removeprefix("HARM_CATEGORY_").replace("_", " ").lower()


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
