"""Gemini's frames as events, and its other answers as values.

Invariants: only the candidate with index 0 is read; whatever a frame holds, decoding gives events or one WireError.
"""

from __future__ import annotations

import re
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
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import as_count, as_dict, as_list, dicts, end_state, load_frame, stop_word, usage_in
from nbgemini.providers.common.parts import read_part
from nbgemini.transport.api_errors import error_from_data, error_in
from nbgemini.transport.framing import DONE

_GOT = "SUCCESS"
_SOURCES = ("web", "retrievedContext", "maps", "image")  # what a chunk may be; all have an address and a title
_GROUNDING = ("groundingChunks", "groundingSupports", "webSearchQueries")
_LEARNED = ("citationSources", "citations", "citation_sources")  # as the Gemini API, Vertex AI and python write it
_NOTABLE = ("MEDIUM", "HIGH")
_FRAME = {
    "candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime", "modelStatus",
}  # fmt: skip
_CANDIDATE = {
    "content", "finishReason", "finishMessage", "index", "citationMetadata", "groundingMetadata", "urlContextMetadata",
    "safetyRatings", "tokenCount", "avgLogprobs", "logprobsResult", "continuationToken",
}  # fmt: skip
_COUNTS = (
    "promptTokenCount", "thoughtsTokenCount", "candidatesTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount",
    "totalTokenCount",
)  # fmt: skip
_UNDERSCORED = {"function_call", "inline_data", "executable_code", "code_execution_result", "file_data"}  # of parts
_AS_GIVEN = ("args", "partialArgs")
_UNDERSCORE = re.compile(r"_([a-z])")
_DEEPEST = 10
_CITED_IN = {"citationMetadata", "groundingMetadata", "urlContextMetadata"}
_MOST, _MOST_LISTS = 5_000, 50  # in one answer; a hostile service could send any number


class GroundingReader:
    """What one stream says of its sources: it may tell of them bit by bit, or of all of them in every frame.

    Passages name their sources by their places in the list of the frame that has both, or in the latest before it.
    """

    def __init__(self) -> None:
        self._grounding: list[dict[str, list[Any]]] = []  # the lists so far: a longer one replaces that of which it is the rest
        self._pages: list[dict[str, Any]] = []
        self._learned = CitationBuilder()  # texts that the model repeats

    def read(self, candidate: dict[str, Any]) -> Citations | None:
        """Take what a candidate says of sources, and return all that is known, if it says anything."""
        grounding, reading = as_dict(candidate.get("groundingMetadata")), as_dict(candidate.get("urlContextMetadata"))
        self._add({name: as_list(grounding[name]) for name in _GROUNDING if grounding.get(name)})
        self._pages = dicts(reading.get("urlMetadata")) or self._pages
        learned = as_dict(candidate.get("citationMetadata"))
        for entry in next((dicts(learned[name]) for name in _LEARNED if learned.get(name)), [])[:_MOST]:
            self._learned.add_source(*_address_and_title(entry))
        return self._all() if grounding or reading or self._learned.news() else None

    def _add(self, told: dict[str, list[Any]]) -> None:
        """Add what a frame says: to what came before, in its place if it says all of that again, or behind it."""
        before = self._grounding[-1] if self._grounding else {}
        chunks, known = told.get("groundingChunks"), before.get("groundingChunks")
        if self._grounding and (not chunks or not known or chunks[: len(known)] == known):
            self._grounding[-1] = before | told
        elif told and len(self._grounding) < _MOST_LISTS:
            self._grounding.append(told)

    def _all(self) -> Citations | None:
        known = CitationBuilder(_MOST)
        for told in self._grounding:
            _add_grounding(told, known)
        for address, title in self._learned.sources():
            known.add_source(address, title)
        for page in self._pages:
            status = str(page.get("urlRetrievalStatus") or "").removeprefix("URL_RETRIEVAL_STATUS_")
            known.add_page(str(page.get("retrievedUrl") or ""), "" if status == _GOT else _words(status) or "unknown")
        return known.news()


def _add_grounding(told: dict[str, list[Any]], known: CitationBuilder) -> None:
    """Add one list of sources, with the passages that name them by their places in it, and what was searched for."""
    numbers = dict(enumerate(known.add_source(*_of_chunk(chunk)) for chunk in dicts(told.get("groundingChunks"))))
    for support in dicts(told.get("groundingSupports"))[:_MOST]:
        segment, indices = as_dict(support.get("segment")), as_list(support.get("groundingChunkIndices"))
        start, end = as_count(segment.get("startIndex")), as_count(segment.get("endIndex"))  # bytes; what is 0 is not sent
        cited = [numbers.get(index) for index in indices if type(index) is int]
        known.add_passage(start, end, str(segment.get("text") or ""), cited)
    for query in told.get("webSearchQueries", ()):
        known.add_query(str(query or ""))


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
    if not data.keys() <= _FRAME:
        data = _in_camel_case(data)
    events: list[Event] = []
    for candidate in dicts(data.get("candidates")):
        if not candidate.get("index"):
            _read_candidate(candidate, events, sources)
    _read_envelope(data, events)
    return events


def _in_camel_case(value: Any, depth: int = _DEEPEST) -> Any:
    """Return what a Python program wrote of an answer with the API's own names; what a tool is given stays as it is."""
    if isinstance(value, list) and depth:
        return [_in_camel_case(item, depth - 1) for item in value]
    if not isinstance(value, dict) or not depth:
        return value
    return {
        _UNDERSCORE.sub(lambda found: found[1].upper(), name): item if name in _AS_GIVEN else _in_camel_case(item, depth - 1)
        for name, item in value.items()
    }


def _count_newer(data: dict[str, Any], known: set[str], events: list[Event]) -> None:
    """Count what is newer than this decoder among the names of an object."""
    if not data.keys() <= known:
        events += [Unknown(name) for name, value in data.items() if name not in known and value is not None]


def _read_candidate(candidate: dict[str, Any], events: list[Event], sources: GroundingReader | None) -> None:
    if not candidate.keys() <= _CANDIDATE:
        candidate = _in_camel_case(candidate)
    _count_newer(candidate, _CANDIDATE, events)
    content = candidate.get("content")
    if isinstance(content, dict):
        for part in dicts(content.get("parts")):
            read_part(part if _UNDERSCORED.isdisjoint(part) else _in_camel_case(part), events)
    if token := candidate.get("continuationToken"):
        events.append(Continuation(str(token)))
    if not _CITED_IN.isdisjoint(candidate) and (said := (sources or GroundingReader()).read(candidate)):
        events.append(said)
    if (reason := candidate.get("finishReason")) and (word := stop_word(reason)):
        state, message = end_state(word) or "truncated", str(candidate.get("finishMessage") or "")
        withheld = safety_words(candidate.get("safetyRatings")) if state == "blocked" else ""
        events.append(Finish(state, word, message or withheld))


def _read_envelope(data: dict[str, Any], events: list[Event]) -> None:
    _count_newer(data, _FRAME, events)
    feedback = data.get("promptFeedback")
    if isinstance(feedback, dict) and (reason := feedback.get("blockReason")):
        message = str(feedback.get("blockReasonMessage") or "") or safety_words(feedback.get("safetyRatings"))
        events.append(Finish("blocked", f"prompt: {reason}", message))
    if isinstance(usage := data.get("usageMetadata"), dict):
        events.append(UsageReport(usage_in(usage, _COUNTS)))
    if model := data.get("modelVersion"):
        events.append(ResponseInfo(str(model), str(data.get("responseId") or "")))
