"""Gemini's frames as events, and its other answers as values.

Invariants: only the candidate with index 0 is read; whatever a frame holds, decoding gives events or one WireError.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import Continuation, Done, Event, Fault, Finish, ResponseInfo, Unknown, UsageReport
from nbgemini.messages.turns import Usage
from nbgemini.providers.base import Model
from nbgemini.providers.common.json import count, dicts, load
from nbgemini.providers.common.part_events import read_part
from nbgemini.providers.gemini.citations import GroundingReader, safety_words
from nbgemini.transport.api_errors import error_from_data, error_in
from nbgemini.transport.framing import DONE

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
_SOURCES = {"citationMetadata", "groundingMetadata", "urlContextMetadata"}


def events_of(frame: bytes, sources: GroundingReader | None = None) -> list[Event]:
    """Return what a frame says, in its order; `sources` are those of its stream.

    Raises:
        WireError: the frame is not JSON.
    """
    data = load(frame)
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


def models_of(frame: bytes) -> tuple[list[Model], str]:
    """Return the models of one page and the token of the next page (empty at the end)."""
    data = load(frame)
    data = data if isinstance(data, dict) else {}
    return [_model(entry) for entry in dicts(data.get("models"))], str(data.get("nextPageToken") or "")


def count_of(frame: bytes) -> int:
    """Return the number of tokens that a countTokens answer names."""
    data = load(frame)
    return count(data.get("totalTokens")) if isinstance(data, dict) else 0


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
    if not _SOURCES.isdisjoint(candidate) and (said := (sources or GroundingReader()).read(candidate)):
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
        count(usage.get("promptTokenCount")),
        count(usage.get("thoughtsTokenCount")),
        count(usage.get("candidatesTokenCount")),
        count(usage.get("cachedContentTokenCount")),
        count(usage.get("toolUsePromptTokenCount")),
        count(usage.get("totalTokenCount")),
    )


def _model(entry: dict[str, Any]) -> Model:
    methods = entry.get("supportedGenerationMethods")
    return Model(
        str(entry.get("name") or "").removeprefix("models/"),
        str(entry.get("displayName") or ""),
        str(entry.get("description") or ""),
        count(entry.get("inputTokenLimit")) or None,
        count(entry.get("outputTokenLimit")) or None,
        entry.get("thinking") is True,
        "generateContent" in methods if isinstance(methods, list) else True,
    )
