"""Gemini's generateContent dialect: turns to a request, frames to events.

Its own parts go back as they came, and of other providers' parts what is neutral. A call that Gemini has not made itself has no
signature of its, which Gemini 3 and later miss at the first call of a turn; the service takes a word instead, which is made for
histories that come from elsewhere. What tools attach stands in `functionResponse.parts`, which models before Gemini 3 refuse
(400).
Sources: ai.google.dev/gemini-api/docs/thought-signatures, its FAQ; google-gemini/gemini-cli#19436; pictures beside the answer
are refused too where a turn has several calls (#16137).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nbgemini.messages.events import ToolCall
from nbgemini.messages.turns import ORIGIN, Options, Part, Turn, merge_text
from nbgemini.providers.base import Model
from nbgemini.providers.common.decoder import BaseCodec
from nbgemini.providers.common.json import as_count, as_dict, dicts, load_frame, non_empty
from nbgemini.providers.common.parts import IN_PIECES, is_thinking
from nbgemini.providers.gemini.decode import GeminiDecoder
from nbgemini.providers.gemini.models import (
    answer_format,
    gemini_tools,
    is_before_gemini_3,
    modalities,
    model_path,
    thinking_config,
)
from nbgemini.transport.request import Request

_UNSIGNED = "skip_thought_signature_validator"


class GoogleCodec(BaseCodec):
    """What the codecs of Google's two APIs have in common: the version, and the list of models."""

    def __init__(self, version: str = "v1beta") -> None:
        self._version = version  # the moving `*-latest` names live only in v1beta

    def list_request(self, page: str = "") -> Request:
        """Return the request for one page of the model list."""
        return Request(f"{self._version}/models", None, {"pageSize": "1000", **({"pageToken": page} if page else {})}, "GET")

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of one page and the token of the next page (empty at the end)."""
        data = as_dict(load_frame(frame))
        return [_model(entry) for entry in dicts(data.get("models"))], str(data.get("nextPageToken") or "")


class GeminiCodec(GoogleCodec):
    """The codec of the Gemini Developer API."""

    name = "gemini"
    stream = GeminiDecoder

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        config = {
            "temperature": options.temperature,
            "maxOutputTokens": options.max_tokens,
            "seed": options.seed,
            "stopSequences": list(options.stop_at),
            "thinkingConfig": thinking_config(options.model, options.think),
            "responseModalities": modalities(options.model),
            **answer_format(options),
        }
        fields = {
            "systemInstruction": {"parts": [{"text": options.instruction}]} if options.instruction else None,
            "generationConfig": non_empty(config) or None,
            **gemini_tools(options),
            "continuationToken": continuation,
        }
        body = {"contents": [content_of(turn, options.model) for turn in turns], **non_empty(fields)}
        return Request(self._model_path(options.model, "streamGenerateContent"), body, {"alt": "sse"})

    def call_part(self, call: ToolCall, part: Part | None) -> Part:
        """Return the part in which a call goes back: all of `part`, its id and signature too, with the whole arguments."""
        before = part.get("functionCall") if part else None
        kept = {name: value for name, value in (before or {}).items() if name not in IN_PIECES}
        given = {**({"id": call.id} if call.id else {}), "name": call.name, "args": call.args}
        return {**(part or {}), "functionCall": {**given, **kept, "args": call.args}}

    def count_request(self, turns: Sequence[Turn], model: str) -> Request:
        """Return the request that counts the tokens of these turns."""
        return Request(self._model_path(model, "countTokens"), {"contents": [content_of(turn, model) for turn in turns]})

    def decode_count(self, frame: bytes) -> int:
        """Return the number of tokens that a countTokens answer names."""
        return as_count(as_dict(load_frame(frame)).get("totalTokens"))

    def _model_path(self, model: str, method: str) -> str:
        return f"{self._version}/{model_path(model)}:{method}"


def content_of(turn: Turn, model: str) -> dict[str, Any]:
    """Return a turn as `model` takes it."""
    parts = _neutral(turn.parts, model) if turn.role == "model" else turn.parts
    return {"role": turn.role, "parts": [_fitting(part, model) for part in merge_text(parts)]}


def _neutral(parts: Iterable[Part], model: str) -> Iterator[Part]:
    """Yield the model's parts without what other providers keep in them, without their thoughts and without sound."""
    called = False
    for part in parts:
        first, called = not called, called or "functionCall" in part
        data = part.get("inlineData")
        if isinstance(data, dict) and str(data.get("mimeType")).startswith("audio/"):
            yield {"text": "(Sound.)"}  # speech models take text alone, and it is large
        elif ORIGIN not in part:
            yield part
        elif not is_thinking(bare := {name: value for name, value in part.items() if name != ORIGIN}):
            unsigned = "functionCall" in part and first and not is_before_gemini_3(model)
            yield {**bare, "thoughtSignature": _UNSIGNED} if unsigned else bare


def _fitting(part: Part, model: str) -> dict[str, Any]:
    """Return a part as `model` takes it: older models are told how many pictures of a tool they miss."""
    answer = part.get("functionResponse")
    if not isinstance(answer, dict) or not answer.get("parts") or not is_before_gemini_3(model):
        return dict(part)
    missed = f"{len(answer['parts'])} attached, but this model can't see what tools attach"
    rest = {name: value for name, value in answer.items() if name != "parts"}
    return {**part, "functionResponse": {**rest, "response": {**answer["response"], "pictures": missed}}}


def _model(entry: dict[str, Any]) -> Model:
    methods = entry.get("supportedGenerationMethods")
    return Model(
        str(entry.get("name") or "").removeprefix("models/"),
        str(entry.get("displayName") or ""),
        str(entry.get("description") or ""),
        as_count(entry.get("inputTokenLimit")) or None,
        as_count(entry.get("outputTokenLimit")) or None,
        entry.get("thinking") is True,
        "generateContent" in methods if isinstance(methods, list) else True,
    )
