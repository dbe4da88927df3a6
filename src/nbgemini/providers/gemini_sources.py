"""What an answer rests on, and what the service thinks of it: sources, where they are cited, pages read, safety in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbgemini.events import Citation, Citations, Page, Passage

_GOT = "SUCCESS"
_SOURCES = ("web", "retrievedContext", "maps", "image")  # what a chunk may be; all have an address and a title
_NOTABLE = ("MEDIUM", "HIGH")
_MOST_PASSAGES = 5_000  # in one answer; a hostile service could send any number


def cited(candidate: dict[str, Any]) -> Citations | None:
    """Return what a candidate says of its sources, if anything."""
    grounding, reading = _dict(candidate.get("groundingMetadata")), _dict(candidate.get("urlContextMetadata"))
    chunks = [_source(chunk) for chunk in dicts(grounding.get("groundingChunks"))]
    passages = list(_passages(grounding, {n for n, source in enumerate(chunks) if source.uri}))
    learned = dicts(_dict(candidate.get("citationMetadata")).get("citationSources"))
    chunks += [_citation(source) for source in learned]
    kept = [n for n, source in enumerate(chunks) if source.uri]
    new = {old: number for number, old in enumerate(kept)}
    said = Citations(
        tuple(chunks[n] for n in kept),
        tuple(_renumbered(passage, new) for passage in passages),
        tuple(str(query) for query in _list(grounding.get("webSearchQueries")) if query),
        tuple(_page(page) for page in dicts(reading.get("urlMetadata"))),
    )
    return said if said != Citations() else None


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
    return Citation(str(source.get("uri") or source.get("sourceUri") or ""), str(source.get("title") or ""))


def _passages(grounding: dict[str, Any], known: set[int]) -> Iterable[Passage]:
    """Yield which text rests on which chunks; offsets are bytes, and what is 0 is not sent."""
    for support in dicts(grounding.get("groundingSupports"))[:_MOST_PASSAGES]:
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
