"""Gemini's generateContent dialect: turns to a request, frames to events.

Invariants: only the candidate with index 0 is read; whatever a frame holds, decoding gives events or one WireError; parts
reach the transcript verbatim (unknown keys kept), only parts that say nothing at all are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from nbgemini.error_body import error_from_data
from nbgemini.errors import NbGeminiError, WireError
from nbgemini.events import (
    AnswerDelta,
    Citation,
    Citations,
    Code,
    CodeResult,
    Continuation,
    Event,
    Fault,
    Finish,
    Media,
    PartReceived,
    ResponseInfo,
    ThoughtDelta,
    ToolArgsPiece,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
    UsageReport,
)
from nbgemini.providers.protocol import Model
from nbgemini.providers.results import fitting, read_result, result_part
from nbgemini.providers.thinking import thinking_config
from nbgemini.request import Request
from nbgemini.turns import NOTE, Declaration, Options, Part, Turn, Usage, merge_text

_decode_json = msgspec.json.Decoder().decode

_WITHHELD = {
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
}  # fmt: skip
_MODIFIERS = {"thoughtSignature", "thought_signature", "thought", "videoMetadata", "partMetadata", "mediaResolution", NOTE}
_FRAME = {
    "candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime", "modelStatus",
}  # fmt: skip
_CANDIDATE = {
    "content", "finishReason", "finishMessage", "index", "citationMetadata", "groundingMetadata", "urlContextMetadata",
    "safetyRatings", "tokenCount", "avgLogprobs", "logprobsResult", "continuationToken",
}  # fmt: skip
_VALUES = ("stringValue", "numberValue", "boolValue", "structValue", "listValue")
_IN_PIECES = {"args", "partialArgs", "willContinue"}


class Gemini:
    """The codec of the Gemini Developer API."""

    name = "gemini"

    def __init__(self, version: str = "v1beta") -> None:
        """Speak API version `version`; the moving `*-latest` names live only in v1beta."""
        self._version = version

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        body: dict[str, Any] = {"contents": [_content(turn, options.model) for turn in turns]}
        if options.system:
            body["systemInstruction"] = {"parts": [{"text": options.system}]}
        if config := _generation_config(options):
            body["generationConfig"] = config
        if options.tools:
            body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in options.tools]}]
        if continuation:
            body["continuationToken"] = continuation
        return Request(self._model_path(options.model, "streamGenerateContent"), body, {"alt": "sse"})

    def decode(self, frame: bytes) -> list[Event]:
        """Return what a frame says, in its order."""
        data = _load(frame)
        if isinstance(data, list) and data:
            data = data[0]  # errors come wrapped in an array where the stream is one
        if not isinstance(data, dict):
            return []
        if "error" in data:
            return [Fault(_fault(data["error"]))]
        events: list[Event] = []
        for candidate in _dicts(data.get("candidates")):
            if not candidate.get("index"):
                _read_candidate(candidate, events)
        _read_envelope(data, events)
        return events

    def recall(self, parts: Iterable[Part]) -> list[Event]:
        """Return what stored parts say, as when they came."""
        events: list[Event] = []
        for part in parts:
            _read_part(dict(part), events)
        return events

    def call_part(self, call: ToolCall, part: Part | None) -> Part:
        """Return the part in which a call goes back: all of `part`, its id and signature too, with the whole arguments."""
        before = part.get("functionCall") if part else None
        kept = {name: value for name, value in (before or {}).items() if name not in _IN_PIECES}
        given = {**_with_id(call), "name": call.name, "args": call.args}
        return {**(part or {}), "functionCall": {**given, **kept, "args": call.args}}

    def result_part(self, call: ToolCall, response: dict[str, Any], media: Sequence[Media]) -> Part:
        """Return the part that answers a call."""
        return result_part(call, response, media)

    def list_request(self, page: str = "") -> Request:
        """Return the request for one page of the model list."""
        return Request(f"{self._version}/models", None, {"pageSize": "1000", **({"pageToken": page} if page else {})}, "GET")

    def count_request(self, turns: Sequence[Turn], model: str) -> Request:
        """Return the request that counts the tokens of these turns."""
        return Request(self._model_path(model, "countTokens"), {"contents": [_content(turn, model) for turn in turns]})

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of one page and the token of the next page (empty at the end)."""
        data = _load(frame)
        data = data if isinstance(data, dict) else {}
        return [_model(entry) for entry in _dicts(data.get("models"))], str(data.get("nextPageToken") or "")

    def decode_count(self, frame: bytes) -> int:
        """Return the number of tokens that a countTokens answer names."""
        data = _load(frame)
        return _count(data, "totalTokens") if isinstance(data, dict) else 0

    def _model_path(self, model: str, method: str) -> str:
        name = model if "/" in model else f"models/{model}"
        return f"{self._version}/{name}:{method}"


def _load(frame: bytes) -> Any:
    """Decode JSON: the fast way, and for bad UTF-8, lone surrogates or NaN the lenient one."""
    try:
        return _decode_json(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    text = frame.decode("utf-8", "replace")
    try:
        return _mended(json.loads(text))
    except json.JSONDecodeError as error:
        raise WireError(_not_json(text, error.pos)) from None
    except (ValueError, RecursionError):  # digits without end, brackets without end
        raise WireError(_not_json(text, 0)) from None


def _not_json(text: str, at: int) -> str:
    near = text[max(0, at - 30) : at + 30]
    return f"the service sent what is not JSON, at character {at} of {len(text)}: …{near!r}… → ask again"


def _mended(data: Any) -> Any:
    """Return the data without lone surrogates: no later request could carry them."""
    return json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))


def _content(turn: Turn, model: str) -> dict[str, Any]:
    return {"role": turn.role, "parts": [fitting(part, model) for part in merge_text(turn.parts)]}


def _declaration(tool: Declaration) -> dict[str, Any]:
    declared = {"name": tool.name, "description": tool.description}
    return declared if _takes_nothing(tool.schema) else {**declared, "parametersJsonSchema": tool.schema}


def _takes_nothing(schema: dict[str, Any]) -> bool:
    """Whether a function has no parameters: the API refuses an object without properties."""
    return not any(value for name, value in schema.items() if name not in ("$schema", "type", "title", "description"))


def _with_id(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id} if call.id else {}


def _generation_config(options: Options) -> dict[str, Any]:
    config = {
        "temperature": options.temperature,
        "maxOutputTokens": options.max_tokens,
        "seed": options.seed,
        "stopSequences": list(options.stop_at) or None,
        "thinkingConfig": thinking_config(options.model, options.think),
    }
    return {key: value for key, value in config.items() if value is not None}


def _newer(data: dict[str, Any], known: set[str]) -> Iterable[Event]:
    """Return what is newer than this decoder among the names of an object."""
    return () if data.keys() <= known else [Unknown(name) for name in data if name not in known]


def _read_candidate(candidate: dict[str, Any], events: list[Event]) -> None:
    events += _newer(candidate, _CANDIDATE)
    content = candidate.get("content")
    if isinstance(content, dict):
        for part in _dicts(content.get("parts")):
            _read_part(part, events)
    if token := candidate.get("continuationToken"):
        events.append(Continuation(str(token)))
    if sources := _sources(candidate):
        events.append(Citations(sources))
    if reason := candidate.get("finishReason"):
        events.append(_finish(str(reason), str(candidate.get("finishMessage") or "")))


def _read_part(part: dict[str, Any], events: list[Event]) -> None:
    text = part.get("text")
    if isinstance(text, str):
        if text or len(part) > 1:
            events.append(PartReceived(part))
        if text:
            events.append(ThoughtDelta(text) if part.get("thought") in (True, "true") else AnswerDelta(text))
    elif isinstance(call := part.get("functionCall"), dict) and _comes_in_pieces(call):
        events.extend(_read_pieces(part, call))
    elif any(value is not None for value in part.values()):
        events.append(PartReceived(_with_object(part)))
        events.extend(_read_special(part))


def _with_object(part: dict[str, Any]) -> dict[str, Any]:
    """Return the part with a call's arguments as an object: what some gateways send else is refused when it goes back."""
    call = part.get("functionCall")
    if not isinstance(call, dict) or call.get("args") is None or isinstance(call["args"], dict):
        return part
    return {**part, "functionCall": {**call, "args": _arguments(call["args"])}}


def _read_special(part: dict[str, Any]) -> Iterable[Event]:
    for key, value in part.items():
        match key, value:
            case "functionCall", dict():
                yield ToolCall(str(value.get("name") or ""), _arguments(value.get("args")), _optional(value.get("id")))
            case "functionResponse", {"response": dict()}:
                yield read_result(part)
            case "inlineData", dict():
                mime = str(value.get("mimeType") or value.get("mime_type") or "")
                yield Media(mime, str(value.get("data") or ""))
            case "executableCode", dict():
                yield Code(str(value.get("code") or ""), str(value.get("language") or "PYTHON").lower())
            case "codeExecutionResult", dict():
                yield CodeResult(str(value.get("output") or ""), value.get("outcome", "OUTCOME_OK") == "OUTCOME_OK")
            case name, _ if name not in _MODIFIERS and name != "text":
                yield Unknown(name)


def _comes_in_pieces(call: dict[str, Any]) -> bool:
    """Whether this is a part of a call whose arguments come in pieces: all but the first have no name."""
    return _goes_on(call) or bool(call.get("partialArgs")) or not call.get("name")


def _goes_on(item: dict[str, Any]) -> bool:
    return item.get("willContinue") in (True, "true")


def _read_pieces(part: dict[str, Any], call: dict[str, Any]) -> Iterable[Event]:
    """Yield what a part of a growing call says; the service has one at a time, so their key is empty."""
    bare = {**part, "functionCall": {name: value for name, value in call.items() if name not in _IN_PIECES}}
    if name := call.get("name"):
        yield ToolCallStart("", str(name), _optional(call.get("id")), bare)
    if call.get("args") is not None:
        yield ToolArgsPiece("", "$", _arguments(call["args"]))
    for piece in _dicts(call.get("partialArgs")):
        yield ToolArgsPiece("", str(piece.get("jsonPath") or ""), _value(piece), _goes_on(piece))
    if not _goes_on(call):
        yield ToolCallEnd("", bare if len(bare) > 1 else None)


def _value(piece: dict[str, Any]) -> Any:
    """Return the value of a piece of arguments; one without any ends a text."""
    for name in _VALUES:
        if piece.get(name) is not None:
            return piece[name]
    return None if "nullValue" in piece else ""


def _read_envelope(data: dict[str, Any], events: list[Event]) -> None:
    events += _newer(data, _FRAME)
    feedback = data.get("promptFeedback")
    if isinstance(feedback, dict) and (reason := feedback.get("blockReason")):
        events.append(Finish("blocked", f"prompt: {reason}", str(feedback.get("blockReasonMessage") or "")))
    if isinstance(usage := data.get("usageMetadata"), dict):
        events.append(UsageReport(_usage(usage)))
    if model := data.get("modelVersion"):
        events.append(ResponseInfo(str(model), str(data.get("responseId") or "")))


def _finish(reason: str, message: str) -> Finish:
    if reason in _WITHHELD:
        return Finish("blocked", reason, message)
    return Finish("complete" if reason == "STOP" else "truncated", reason, message)


def _fault(error: Any) -> NbGeminiError:
    return error_from_data(0, error if isinstance(error, dict) else {"message": str(error)})


def _arguments(args: Any) -> dict[str, Any]:
    if isinstance(args, str):  # not in the schema, but gateways send it
        try:
            args = json.loads(args)
        except ValueError:
            return {"": args}
    return dict(args) if isinstance(args, Mapping) else {}


def _sources(candidate: dict[str, Any]) -> tuple[Citation, ...]:
    grounding = candidate.get("groundingMetadata")
    chunks = _dicts(grounding.get("groundingChunks")) if isinstance(grounding, dict) else []
    webs = [chunk["web"] for chunk in chunks if isinstance(chunk.get("web"), dict)]
    cited = candidate.get("citationMetadata")
    webs += _dicts(cited.get("citationSources")) if isinstance(cited, dict) else []
    return tuple(Citation(str(web["uri"]), str(web.get("title") or "")) for web in webs if web.get("uri"))


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        _count(usage, "promptTokenCount"),
        _count(usage, "thoughtsTokenCount"),
        _count(usage, "candidatesTokenCount"),
        _count(usage, "cachedContentTokenCount"),
        _count(usage, "toolUsePromptTokenCount"),
        _count(usage, "totalTokenCount"),
    )


def _model(entry: dict[str, Any]) -> Model:
    methods = entry.get("supportedGenerationMethods")
    return Model(
        str(entry.get("name") or "").removeprefix("models/"),
        str(entry.get("displayName") or ""),
        str(entry.get("description") or ""),
        _count(entry, "inputTokenLimit") or None,
        _count(entry, "outputTokenLimit") or None,
        entry.get("thinking") is True,
        "generateContent" in methods if isinstance(methods, list) else True,
    )


def _count(data: Mapping[str, Any], key: str) -> int:
    """Return an int64, which proto-JSON also writes as a string; 0 for anything else."""
    value = data.get(key, 0)
    if isinstance(value, (int, float)):
        return int(value) if abs(value) < 2**63 else 0
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else 0


def _optional(value: Any) -> str | None:
    return str(value) if value else None


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
