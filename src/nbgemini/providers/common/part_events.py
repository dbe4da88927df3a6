"""The parts of Gemini's turns as events: when they come, and when they are read again.

Invariant: parts reach the transcript verbatim (unknown keys kept), only parts that say nothing at all are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from nbgemini.messages.events import (
    AnswerDelta,
    Citations,
    CodeResult,
    Event,
    ExecutedCode,
    InlineMedia,
    PartReceived,
    ThoughtDelta,
    ToolArgsPiece,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
)
from nbgemini.messages.tool_call_assembler import arguments_of
from nbgemini.messages.turns import NOTE, ORIGIN
from nbgemini.providers.common.json import dicts
from nbgemini.providers.common.results import read_result

_SAID_ELSEWHERE = {
    "thoughtSignature", "thought_signature", "thought", "videoMetadata", "partMetadata", "mediaResolution", NOTE, ORIGIN,
    "toolCall", "toolResponse",  # the service's own: their outcome is in the answer and its sources
}  # fmt: skip
_VALUES = ("stringValue", "numberValue", "boolValue", "structValue", "listValue")
IN_PIECES = {"args", "partialArgs", "willContinue"}


def read_part(part: dict[str, Any], events: list[Event]) -> None:
    """Add to `events` what one part says, as it comes or as it was stored."""
    text = part.get("text")
    if isinstance(text, str):
        if text or len(part) > 1:
            events.append(PartReceived(part))
        if text:
            events.append(ThoughtDelta(text) if _is_thought(part) else AnswerDelta(text))
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
                yield InlineMedia(mime, str(value.get("data") or ""), _is_thought(part))
            case "executableCode", dict():
                yield ExecutedCode(str(value.get("code") or ""), str(value.get("language") or "PYTHON").lower())
            case "codeExecutionResult", dict():
                yield _code_result(value)
            case "nbgemini", {"citations": dict(said)}:
                yield from _stored_citations(said)
            case name, _ if name not in _SAID_ELSEWHERE and name != "text":
                yield Unknown(name)


def _is_thought(part: dict[str, Any]) -> bool:
    return part.get("thought") in (True, "true")


def _code_result(value: dict[str, Any]) -> CodeResult:
    outcome = value.get("outcome", "OUTCOME_OK")
    return CodeResult(str(value.get("output") or ""), outcome == "OUTCOME_OK", outcome == "OUTCOME_DEADLINE_EXCEEDED")


def _stored_citations(said: dict[str, Any]) -> Iterable[Event]:
    with suppress(msgspec.ValidationError):  # a file that another program wrote
        yield msgspec.convert(said, Citations)


def _comes_in_pieces(call: dict[str, Any]) -> bool:
    """Whether this is a part of a call whose arguments come in pieces: all but the first have no name."""
    return _goes_on(call) or bool(call.get("partialArgs")) or not call.get("name")


def _goes_on(item: dict[str, Any]) -> bool:
    return item.get("willContinue") in (True, "true")


def _read_pieces(part: dict[str, Any], call: dict[str, Any]) -> Iterable[Event]:
    """Yield what a part of a growing call says; the service has one at a time, so their key is empty."""
    bare = {**part, "functionCall": {name: value for name, value in call.items() if name not in IN_PIECES}}
    if name := call.get("name"):
        yield ToolCallStart("", str(name), _optional(call.get("id")), bare)
    if call.get("args") is not None:
        yield ToolArgsPiece("", "$", _arguments(call["args"]))
    for piece in dicts(call.get("partialArgs")):
        yield ToolArgsPiece("", str(piece.get("jsonPath") or ""), _value(piece), _goes_on(piece))
    if not _goes_on(call):
        yield ToolCallEnd("", bare if len(bare) > 1 else None)


def _value(piece: dict[str, Any]) -> Any:
    """Return the value of a piece of arguments; one without any ends a text."""
    for name in _VALUES:
        if piece.get(name) is not None:
            return piece[name]
    return None if "nullValue" in piece else ""


def _arguments(args: Any) -> dict[str, Any]:
    if isinstance(args, str):  # not in the schema, but gateways send it
        try:
            args = arguments_of(args)
        except (ValueError, RecursionError):
            return {"": args}
    return dict(args) if isinstance(args, Mapping) else {}


def _optional(value: Any) -> str | None:
    return str(value) if value else None
