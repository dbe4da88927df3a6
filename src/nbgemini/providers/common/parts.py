"""The parts of a transcript, in Gemini's shape: read as events, written for calls and their results, put in words.

Invariants: parts reach the transcript verbatim (unknown keys kept), only parts that say nothing at all are left out; what
stands under `origin` is for the provider that it names, and for no other.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import structs

from nbgemini.messages.events import (
    AnswerDelta,
    Citations,
    CodeResult,
    Event,
    ExecutedCode,
    InlineMedia,
    PartReceived,
    ThoughtDelta,
    ToolAnswer,
    ToolArgsPiece,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
)
from nbgemini.messages.tool_call_assembler import parse_arguments
from nbgemini.messages.turns import NOTE, ORIGIN, Part
from nbgemini.providers.common.json import dicts

_SAID_ELSEWHERE = {
    "thoughtSignature", "thought_signature", "thought", "videoMetadata", "partMetadata", "mediaResolution", NOTE, ORIGIN,
    "toolCall", "toolResponse",  # the service's own: their outcome is in the answer and its sources
}  # fmt: skip
_VALUES = ("stringValue", "numberValue", "boolValue", "structValue", "listValue")
_OUTCOMES = {1: "OUTCOME_OK", 2: "OUTCOME_FAILED", 3: "OUTCOME_DEADLINE_EXCEEDED"}  # as Vertex AI may number them
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
                yield ToolCall(str(value.get("name") or ""), _arguments(value.get("args")), text_or_none(value.get("id")))
            case "functionResponse", {"response": dict()}:
                yield read_result(part)
            case "inlineData", dict():
                mime = str(value.get("mimeType") or value.get("mime_type") or "")
                yield InlineMedia(mime, str(value.get("data") or ""), _is_thought(part))
            case "executableCode", dict():
                yield ExecutedCode(str(value.get("code") or ""), _language(value.get("language")))
            case "codeExecutionResult", dict():
                yield _code_result(value)
            case "nbgemini", {"citations": dict(said)}:
                yield from _stored_citations(said)
            case name, _ if name not in _SAID_ELSEWHERE and name != "text":
                yield Unknown(name)


def _is_thought(part: dict[str, Any]) -> bool:
    return part.get("thought") in (True, "true")


def _language(name: Any) -> str:
    return name.lower() if isinstance(name, str) and name else "python"  # the only one that has a number


def _code_result(value: dict[str, Any]) -> CodeResult:
    outcome = value.get("outcome", "OUTCOME_OK")
    outcome = _OUTCOMES.get(outcome, outcome) if type(outcome) is int else outcome
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
        yield ToolCallStart("", str(name), text_or_none(call.get("id")), bare)
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
            args = parse_arguments(args)
        except (ValueError, RecursionError):
            return {"": args}
    return dict(args) if isinstance(args, Mapping) else {}


def text_or_none(value: Any) -> str | None:
    """Return a value as text; None if there is none."""
    return str(value) if value else None


_NOTED = ("state", "seconds", "unasked", "about", "printed")


def result_part(call: ToolCall, response: dict[str, Any], media: Sequence[InlineMedia]) -> Part:
    """Return the part that answers a call."""
    answer: dict[str, Any] = {**({"id": call.id} if call.id else {}), "name": call.name, "response": response}
    if media:
        answer["parts"] = [{"inlineData": {"mimeType": item.mime, "data": item.data}} for item in media]
    return {"functionResponse": answer}


def read_result(part: Mapping[str, Any]) -> ToolAnswer:
    """Return a stored answer as its reader saw it."""
    value, note = part["functionResponse"], part.get(NOTE)
    inline = [item.get("inlineData") for item in dicts(value.get("parts"))]
    media = tuple(InlineMedia(str(data.get("mimeType") or ""), str(data.get("data") or "")) for data in dicts(inline))
    answer = ToolAnswer(
        str(value.get("name") or ""), str(value["id"]) if value.get("id") else None, value["response"], media=media
    )
    said = {name: note[name] for name in _NOTED if name in note} if isinstance(note, dict) else {}
    return structs.replace(answer, **said)


_NOTHING = {"text", "thoughtSignature", ORIGIN, NOTE}


class PartStoreMixin:
    """The half of a codec that is the same for every provider but Gemini: how calls and their answers are kept."""

    name: str

    def call_part(self, call: ToolCall, part: Part | None) -> Part:
        """Return the part in which a call is kept: with what `part`, the provider's own, says besides."""
        given = {**({"id": call.id} if call.id else {}), "name": call.name, "args": call.args}
        return {ORIGIN: {"provider": self.name}, **(part or {}), "functionCall": given}

    def result_part(self, call: ToolCall, response: dict[str, Any], media: Sequence[InlineMedia]) -> Part:
        """Return the part that answers a call."""
        return result_part(call, response, media)


def parts_to_events(parts: Iterable[Part]) -> list[Event]:
    """Return what stored parts say, as when they came."""
    events: list[Event] = []
    for part in parts:
        read_part(dict(part), events)
    return events


def block_part(provider: str, block: Mapping[str, Any], **fields: Any) -> Part:
    """Return a part that keeps a provider's block, and says so much of it to everybody: nothing, unless `fields` do."""
    return {**(fields or {"text": ""}), ORIGIN: {"provider": provider, "block": block}}


def own_block(provider: str, part: Part) -> dict[str, Any] | None:
    """Return the block that this provider keeps in a part, to be sent back as it is; None if there is none of its own."""
    origin = part.get(ORIGIN)
    mine = isinstance(origin, Mapping) and origin.get("provider") == provider
    block = origin.get("block") if mine and isinstance(origin, Mapping) else None
    return dict(block) if isinstance(block, Mapping) else None


def is_thinking(part: Part) -> bool:
    """Whether a part is a thought or says nothing but a signature: another provider can do nothing with it."""
    return part.get("thought") in (True, "true") or (not part.get("text") and part.keys() <= _NOTHING)


_TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/javascript", "application/x-python")


def part_as_text(part: Part) -> str:
    """Return what a part of the model's says, in words; nothing for thoughts and what has none."""
    match part:
        case _ if is_thinking(part):
            return ""
        case {"text": str(text)}:
            return text
        case {"inlineData": {"mimeType": str(mime)}}:
            return "(Sound.)" if mime.startswith("audio/") else "(A picture.)"
        case {"executableCode": {"code": str(code), **rest}}:
            return f"\n```{str(rest.get('language') or '').lower()}\n{code}\n```\n"
        case {"codeExecutionResult": {"output": str(output)}}:
            return f"\n```\n{output}\n```\n"
    return ""


def decode_text_file(mime: str, data: str) -> str | None:
    """Return a file of text as text; None for all others."""
    if not mime.startswith(_TEXTS):
        return None
    try:
        return base64.b64decode(data).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def is_file_part(part: Part) -> bool:
    """Whether a part is a file, or says where one is."""
    return isinstance(part.get("inlineData") or part.get("fileData"), Mapping)


def mime_name(part: Part) -> str:
    """Return the kind of a file, in words where it has none."""
    return str((part.get("inlineData") or part["fileData"]).get("mimeType") or "file of an unknown kind")


def placeholder_text(part: Part) -> str:
    """Return words for a file that the model can't be shown."""
    return f"(attached: {mime_name(part)}, which this model can't take)"


class CallIds:
    """The ids of the calls of one request, told in the order of its turns."""

    def __init__(self) -> None:
        """Begin with no call."""
        self._made = 0
        self._waiting: dict[str, list[str]] = {}  # of calls without an id of their own, by the name of the function

    def of_call(self, call: Mapping[str, Any]) -> str:
        """Return the id of a call."""
        if call.get("id"):
            return str(call["id"])
        self._made += 1
        made = f"call_{self._made}"
        self._waiting.setdefault(str(call.get("name")), []).append(made)
        return made

    def of_result(self, answer: Mapping[str, Any]) -> str:
        """Return the id of the call that this answers."""
        waiting = self._waiting.get(str(answer.get("name")))
        return str(answer.get("id") or (waiting.pop(0) if waiting else ""))
