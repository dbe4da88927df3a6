"""Gemini's frames as events; of the candidates, only that with index 0 is read."""

from __future__ import annotations

import re
from typing import Any

from nbgemini.messages.events import Continuation, Finish, ResponseInfo, Unknown, UsageReport
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.decoder import Data, StreamDecoder
from nbgemini.providers.common.json import as_count, as_dict, as_list, dicts, end_state, stop_word, usage_in
from nbgemini.providers.common.parts import read_part
from nbgemini.transport.api_errors import error_in

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


class GeminiDecoder(StreamDecoder):
    """One stream, in which a frame needs no other but for its sources.

    A stream may tell of these bit by bit, or of all of them in every frame. Passages name their sources by their places in the
    list of the frame that has both, or in the latest before it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._grounding: list[Data] = []  # the lists so far: a longer one replaces that of which it is the rest
        self._pages: list[Data] = []

    def _read(self, data: Data) -> None:
        if ("error" in data or _FRAME.isdisjoint(data)) and (error := error_in(data, bare=_FRAME.isdisjoint(data))):
            self.fail(error)
            return
        if not data.keys() <= _FRAME:
            data = _in_camel_case(data)
        for candidate in dicts(data.get("candidates")):
            if not candidate.get("index"):
                self._read_candidate(candidate)
        self._count_newer(data, _FRAME)
        feedback = data.get("promptFeedback")
        if isinstance(feedback, dict) and (reason := feedback.get("blockReason")):
            message = str(feedback.get("blockReasonMessage") or "") or _safety_words(feedback.get("safetyRatings"))
            self.events.append(Finish("blocked", f"prompt: {reason}", message))
        if isinstance(usage := data.get("usageMetadata"), dict):
            self.events.append(UsageReport(usage_in(usage, _COUNTS)))
        if model := data.get("modelVersion"):
            self.events.append(ResponseInfo(str(model), str(data.get("responseId") or "")))

    def _read_candidate(self, candidate: Data) -> None:
        if not candidate.keys() <= _CANDIDATE:
            candidate = _in_camel_case(candidate)
        self._count_newer(candidate, _CANDIDATE)
        content = candidate.get("content")
        if isinstance(content, dict):
            for part in dicts(content.get("parts")):
                read_part(part if _UNDERSCORED.isdisjoint(part) else _in_camel_case(part), self.events)
        if token := candidate.get("continuationToken"):
            self.events.append(Continuation(str(token)))
        if not _CITED_IN.isdisjoint(candidate):
            self._cite(candidate)
        if (reason := candidate.get("finishReason")) and (word := stop_word(reason)):
            state, message = end_state(word) or "truncated", str(candidate.get("finishMessage") or "")
            withheld = _safety_words(candidate.get("safetyRatings")) if state == "blocked" else ""
            self.events.append(Finish(state, word, message or withheld))

    def _count_newer(self, data: Data, known: set[str]) -> None:
        """Count what is newer than this decoder among the names of an object."""
        if not data.keys() <= known:
            self.events += [Unknown(name) for name, value in data.items() if name not in known and value is not None]

    def _cite(self, candidate: Data) -> None:
        """Take what a candidate says of sources, and say all that is known."""
        grounding, reading = as_dict(candidate.get("groundingMetadata")), as_dict(candidate.get("urlContextMetadata"))
        self._add_lists({name: as_list(grounding[name]) for name in _GROUNDING if grounding.get(name)})
        self._pages = dicts(reading.get("urlMetadata")) or self._pages
        learned = as_dict(candidate.get("citationMetadata"))
        for entry in next((dicts(learned[name]) for name in _LEARNED if learned.get(name)), [])[:_MOST]:
            self.sources.add_source(*_address_and_title(entry))  # of texts that the model repeats
        if not (self.sources.news() or grounding or reading):
            return
        known = CitationBuilder(_MOST)
        for lists in self._grounding:
            _add_grounding(lists, known)
        for address, title in self.sources.sources():
            known.add_source(address, title)
        for page in self._pages:
            status = str(page.get("urlRetrievalStatus") or "").removeprefix("URL_RETRIEVAL_STATUS_")
            known.add_page(str(page.get("retrievedUrl") or ""), "" if status == "SUCCESS" else _words(status) or "unknown")
        if news := known.news():
            self.events.append(news)

    def _add_lists(self, lists: Data) -> None:
        """Add the lists of a frame to those before, in their place if it says all of that again, or behind them."""
        before = self._grounding[-1] if self._grounding else {}
        chunks, known = lists.get("groundingChunks"), before.get("groundingChunks")
        if self._grounding and (not chunks or not known or chunks[: len(known)] == known):
            self._grounding[-1] = before | lists
        elif lists and len(self._grounding) < _MOST_LISTS:
            self._grounding.append(lists)


def _add_grounding(lists: Data, known: CitationBuilder) -> None:
    """Add one list of sources, with the passages that name them by their places in it, and what was searched for."""
    numbers = dict(enumerate(known.add_source(*_of_chunk(chunk)) for chunk in dicts(lists.get("groundingChunks"))))
    for support in dicts(lists.get("groundingSupports"))[:_MOST]:
        segment, indices = as_dict(support.get("segment")), as_list(support.get("groundingChunkIndices"))
        start, end = as_count(segment.get("startIndex")), as_count(segment.get("endIndex"))  # bytes; what is 0 is not sent
        cited = [numbers.get(index) for index in indices if type(index) is int]
        known.add_passage(start, end, str(segment.get("text") or ""), cited)
    for query in lists.get("webSearchQueries", ()):
        known.add_query(str(query or ""))


def _safety_words(ratings: Any) -> str:
    """Return what was found unsafe, and how likely it is so, in words."""
    found = [rating for rating in dicts(ratings) if rating.get("blocked") or rating.get("probability") in _NOTABLE]
    return ", ".join(f"{_words(rating.get('category'))}: {_words(rating.get('probability'))}" for rating in found)


def _of_chunk(chunk: Data) -> tuple[str, str]:
    return next((_address_and_title(chunk[kind]) for kind in _SOURCES if isinstance(chunk.get(kind), dict)), ("", ""))


def _address_and_title(source: Data) -> tuple[str, str]:
    address = source.get("uri") or source.get("sourceUri") or source.get("url")
    return str(address or ""), str(source.get("title") or "")


def _words(name: Any) -> str:
    return str(name or "").removeprefix("HARM_CATEGORY_").replace("_", " ").lower()


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
