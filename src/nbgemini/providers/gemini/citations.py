"""What an answer rests on, and what the service thinks of it: sources, where they are cited, pages read, safety in words."""

from __future__ import annotations

from typing import Any

from nbgemini.messages.events import Citations
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import as_dict, as_list, count, dicts

_GOT = "SUCCESS"
_SOURCES = ("web", "retrievedContext", "maps", "image")  # what a chunk may be; all have an address and a title
_GROUNDING = ("groundingChunks", "groundingSupports", "webSearchQueries")
_LEARNED = ("citationSources", "citations", "citation_sources")  # as the Gemini API, Vertex AI and python write it
_NOTABLE = ("MEDIUM", "HIGH")
_MOST = 5_000  # in one answer; a hostile service could send any number


class GroundingReader:
    """What one stream says of its sources: it may tell of them bit by bit, or of all of them in every frame."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._grounding: dict[str, list[Any]] = {}  # what the latest frame that names it says
        self._pages: list[dict[str, Any]] = []
        self._learned = CitationBuilder()  # texts that the model repeats

    def read(self, candidate: dict[str, Any]) -> Citations | None:
        """Take what a candidate says of sources, and return all that is known, if it says anything."""
        grounding, reading = as_dict(candidate.get("groundingMetadata")), as_dict(candidate.get("urlContextMetadata"))
        self._grounding |= {name: as_list(grounding[name]) for name in _GROUNDING if grounding.get(name)}
        self._pages = dicts(reading.get("urlMetadata")) or self._pages
        learned = as_dict(candidate.get("citationMetadata"))
        for entry in next((dicts(learned[name]) for name in _LEARNED if learned.get(name)), [])[:_MOST]:
            self._learned.add_source(*_address_and_title(entry))
        return self._all() if grounding or reading or self._learned.news() else None

    def _all(self) -> Citations | None:
        known = CitationBuilder(_MOST)
        chunks = dicts(self._grounding.get("groundingChunks"))
        numbers = dict(enumerate(known.add_source(*_of_chunk(chunk)) for chunk in chunks))
        for support in dicts(self._grounding.get("groundingSupports"))[:_MOST]:
            segment, indices = as_dict(support.get("segment")), as_list(support.get("groundingChunkIndices"))
            start, end = count(segment.get("startIndex")), count(segment.get("endIndex"))  # bytes; what is 0 is not sent
            cited = [numbers.get(index) for index in indices if type(index) is int]
            known.add_passage(start, end, str(segment.get("text") or ""), cited)
        for address, title in self._learned.sources():
            known.add_source(address, title)
        for query in self._grounding.get("webSearchQueries", ()):
            known.add_query(str(query or ""))
        for page in self._pages:
            status = str(page.get("urlRetrievalStatus") or "").removeprefix("URL_RETRIEVAL_STATUS_")
            known.add_page(str(page.get("retrievedUrl") or ""), "" if status == _GOT else _words(status) or "unknown")
        return known.news()


def safety_words(ratings: Any) -> str:
    """Return what was found unsafe, and how likely it is so, in words."""
    found = [rating for rating in dicts(ratings) if rating.get("blocked") or rating.get("probability") in _NOTABLE]
    return ", ".join(f"{_words(rating.get('category'))}: {_words(rating.get('probability'))}" for rating in found)


def _of_chunk(chunk: dict[str, Any]) -> tuple[str, str]:
    return next((_address_and_title(chunk[kind]) for kind in _SOURCES if isinstance(chunk.get(kind), dict)), ("", ""))


def _address_and_title(source: dict[str, Any]) -> tuple[str, str]:
    address = source.get("uri") or source.get("sourceUri") or source.get("url")
    return str(address or ""), str(source.get("title") or "")


def _words(name: Any) -> str:
    return str(name or "").removeprefix("HARM_CATEGORY_").replace("_", " ").lower()
