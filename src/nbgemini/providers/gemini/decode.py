"""Gemini's frames as events, and its other answers as values.

Invariants: only the candidate with index 0 is read; whatever a frame holds, decoding gives events or one WireError.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import (
    Citations,
    Continuation,
    Done,
    Event,
    Fault,
    Finish,
    ResponseInfo,
    Unknown,
    UsageReport,
)
from nbgemini.messages.turns import Usage
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import as_count, as_dict, as_list, dicts, load_frame
from nbgemini.providers.common.parts import read_part
from nbgemini.transport.api_errors import error_from_data, error_in
from nbgemini.transport.framing import DONE

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
            start, end = as_count(segment.get("startIndex")), as_count(segment.get("endIndex"))  # bytes; what is 0 is not sent
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


_WITHHELD = {
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
}  # fmt: skip
_FRAME = {
    "candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime", "modelStatus",
}  # fmt: skip
_CANDIDATE = {
    "content", "finishReason", "finishMessage", "index", "citationMetadata", "groundingMetadata", "urlContextMetadata",
    "safetyRatings", "tokenCount", "avgLogprobs", "logprobsResult", "continuationToken",
}  # fmt: skip
_CITED_IN = {"citationMetadata", "groundingMetadata", "urlContextMetadata"}


def events_of(frame: bytes, sources: GroundingReader | None = None) -> list[Event]:
    """Return what a frame says, in its order; `sources` are those of its stream.

    Raises:
        WireError: the frame is not JSON.
    """
    data = load_frame(frame)
    if isinstance(data, list) and data:
        data = data[0]  # errors come wrapped in an array where the stream is one
    if not isinstance(data, dict):
        return [Done()] if data == DONE else []
    if ("error" in data or _FRAME.isdisjoint(data)) and (error := error_in(data, bare=_FRAME.isdisjoint(data))):
        return [Fault(error_from_data(0, error))]
    events: list[Event] = []
    for candidate in dicts(data.get("candidates")):
        if not candidate.get("index"):
            _read_candidate(candidate, events, sources)
    _read_envelope(data, events)
    return events


def _newer(data: dict[str, Any], known: set[str]) -> Iterable[Event]:
    """Return what is newer than this decoder among the names of an object."""
    return () if data.keys() <= known else [Unknown(name) for name in data if name not in known]


def _read_candidate(candidate: dict[str, Any], events: list[Event], sources: GroundingReader | None) -> None:
    events += _newer(candidate, _CANDIDATE)
    content = candidate.get("content")
    if isinstance(content, dict):
        for part in dicts(content.get("parts")):
            read_part(part, events)
    if token := candidate.get("continuationToken"):
        events.append(Continuation(str(token)))
    if not _CITED_IN.isdisjoint(candidate) and (said := (sources or GroundingReader()).read(candidate)):
        events.append(said)
    if reason := candidate.get("finishReason"):
        events.append(_finish(str(reason), candidate))


def _read_envelope(data: dict[str, Any], events: list[Event]) -> None:
    events += _newer(data, _FRAME)
    feedback = data.get("promptFeedback")
    if isinstance(feedback, dict) and (reason := feedback.get("blockReason")):
        message = str(feedback.get("blockReasonMessage") or "") or safety_words(feedback.get("safetyRatings"))
        events.append(Finish("blocked", f"prompt: {reason}", message))
    if isinstance(usage := data.get("usageMetadata"), dict):
        events.append(UsageReport(_usage(usage)))
    if model := data.get("modelVersion"):
        events.append(ResponseInfo(str(model), str(data.get("responseId") or "")))


def _finish(reason: str, candidate: dict[str, Any]) -> Finish:
    message = str(candidate.get("finishMessage") or "")
    if reason in _WITHHELD:
        return Finish("blocked", reason, message or safety_words(candidate.get("safetyRatings")))
    return Finish("complete" if reason == "STOP" else "truncated", reason, message)


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        as_count(usage.get("promptTokenCount")),
        as_count(usage.get("thoughtsTokenCount")),
        as_count(usage.get("candidatesTokenCount")),
        as_count(usage.get("cachedContentTokenCount")),
        as_count(usage.get("toolUsePromptTokenCount")),
        as_count(usage.get("totalTokenCount")),
    )
