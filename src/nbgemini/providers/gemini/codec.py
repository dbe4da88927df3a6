"""Gemini's generateContent dialect: turns to a request, frames to events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from nbgemini.messages.events import InlineMedia, ToolCall
from nbgemini.messages.turns import Options, Part, Turn
from nbgemini.providers.base import Decoder, Model
from nbgemini.providers.common.output_format import form_of, instruction_of
from nbgemini.providers.common.part_events import IN_PIECES
from nbgemini.providers.common.results import result_part
from nbgemini.providers.gemini.citations import GroundingReader
from nbgemini.providers.gemini.decode import count_of, events_of, models_of
from nbgemini.providers.gemini.encode import content_of
from nbgemini.providers.gemini.models import thinking_config
from nbgemini.providers.gemini.tools import modalities, offered_tools
from nbgemini.transport.request import Request


class Gemini:
    """The codec of the Gemini Developer API."""

    name = "gemini"

    def __init__(self, version: str = "v1beta") -> None:
        """Speak API version `version`; the moving `*-latest` names live only in v1beta."""
        self._version = version

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        body: dict[str, Any] = {"contents": [content_of(turn, options.model) for turn in turns]}
        if instruction := instruction_of(options):
            body["systemInstruction"] = {"parts": [{"text": instruction}]}
        if config := _generation_config(options):
            body["generationConfig"] = config
        body |= offered_tools(options)
        if continuation:
            body["continuationToken"] = continuation
        return Request(self._model_path(options.model, "streamGenerateContent"), body, {"alt": "sse"})

    def decoder(self) -> Decoder:
        """Return what tells what each frame of a stream says: here a frame needs no other, but for its sources."""
        return partial(events_of, sources=GroundingReader())

    def call_part(self, call: ToolCall, part: Part | None) -> Part:
        """Return the part in which a call goes back: all of `part`, its id and signature too, with the whole arguments."""
        before = part.get("functionCall") if part else None
        kept = {name: value for name, value in (before or {}).items() if name not in IN_PIECES}
        given = {**_with_id(call), "name": call.name, "args": call.args}
        return {**(part or {}), "functionCall": {**given, **kept, "args": call.args}}

    def result_part(self, call: ToolCall, response: dict[str, Any], media: Sequence[InlineMedia]) -> Part:
        """Return the part that answers a call."""
        return result_part(call, response, media)

    def list_request(self, page: str = "") -> Request:
        """Return the request for one page of the model list."""
        return Request(f"{self._version}/models", None, {"pageSize": "1000", **({"pageToken": page} if page else {})}, "GET")

    def count_request(self, turns: Sequence[Turn], model: str) -> Request:
        """Return the request that counts the tokens of these turns."""
        return Request(self._model_path(model, "countTokens"), {"contents": [content_of(turn, model) for turn in turns]})

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of one page and the token of the next page (empty at the end)."""
        return models_of(frame)

    def decode_count(self, frame: bytes) -> int:
        """Return the number of tokens that a countTokens answer names."""
        return count_of(frame)

    def _model_path(self, model: str, method: str) -> str:
        name = model if "/" in model else f"models/{model}"
        return f"{self._version}/{name}:{method}"


def _with_id(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id} if call.id else {}


def _generation_config(options: Options) -> dict[str, Any]:
    config = {
        "temperature": options.temperature,
        "maxOutputTokens": options.max_tokens,
        "seed": options.seed,
        "stopSequences": list(options.stop_at) or None,
        "thinkingConfig": thinking_config(options.model, options.think),
        "responseModalities": modalities(options.model),
        **form_of(options),
    }
    return {key: value for key, value in config.items() if value is not None}
