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
from msgspec import Struct, structs

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
from nbgemini.providers.common.json import as_dict, dicts

_SAID_ELSEWHERE = {
    "thoughtSignature", "thought_signature", "thought", "videoMetadata", "partMetadata", "mediaResolution", NOTE, ORIGIN,
    "toolCall", "toolResponse",  # the service's own: their outcome is in the answer and its sources
    "text",
}  # fmt: skip
_VALUES = ("stringValue", "numberValue", "boolValue", "structValue", "listValue")
_OUTCOMES = {1: "OUTCOME_OK", 2: "OUTCOME_FAILED", 3: "OUTCOME_DEADLINE_EXCEEDED"}  # as Vertex AI may number them
_NOTED = ("state", "seconds", "unasked", "about", "printed")
_SIGNATURE_ALONE = {"text", "thoughtSignature", ORIGIN, NOTE}
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/javascript", "application/x-python")
IN_PIECES = {"args", "partialArgs", "willContinue"}


def read_part(part: dict[str, Any], events: list[Event]) -> None:
    """Add to `events` what one part says, as it comes or as it was stored."""
    text = part.get("text")
    if isinstance(text, str):
        if text or len(part) > 1:
            events.append(PartReceived(part))
        if text:
            events.append(ThoughtDelta(text) if _is_true(part, "thought") else AnswerDelta(text))
        return
    call = part.get("functionCall")
    if isinstance(call, dict) and (_is_true(call, "willContinue") or call.get("partialArgs") or not call.get("name")):
        events.extend(_read_pieces(part, call))
    elif any(value is not None for value in part.values()):
        if isinstance(call, dict) and not isinstance(call.get("args"), dict | None):
            # What some gateways send instead of an object is refused when it goes back.
            part = {**part, "functionCall": {**call, "args": _arguments(call["args"])}}
        events.append(PartReceived(part))
        events.extend(_read_special(part))


def _read_special(part: dict[str, Any]) -> Iterable[Event]:
    for key, value in part.items():
        match key, value:
            case "functionCall", dict():
                yield ToolCall(str(value.get("name") or ""), _arguments(value.get("args")), text_or_none(value.get("id")))
            case "functionResponse", {"response": dict()}:
                yield read_result(part)
            case "inlineData", dict():
                mime = str(value.get("mimeType") or value.get("mime_type") or "")
                yield InlineMedia(mime, str(value.get("data") or ""), _is_true(part, "thought"))
            case "executableCode", dict():
                language = value.get("language")  # only Python has a number
                name = language.lower() if isinstance(language, str) and language else "python"
                yield ExecutedCode(str(value.get("code") or ""), name)
            case "codeExecutionResult", dict():
                outcome = value.get("outcome", "OUTCOME_OK")
                outcome = _OUTCOMES.get(outcome, outcome) if type(outcome) is int else outcome
                late = outcome == "OUTCOME_DEADLINE_EXCEEDED"
                yield CodeResult(str(value.get("output") or ""), outcome == "OUTCOME_OK", late)
            case "nbgemini", {"citations": dict(said)}:
                with suppress(msgspec.ValidationError):  # a file that another program wrote
                    yield msgspec.convert(said, Citations)
            case name, _ if name not in _SAID_ELSEWHERE:
                yield Unknown(name)


def _is_true(item: Mapping[str, Any], name: str) -> bool:
    return item.get(name) in (True, "true")


def _read_pieces(part: dict[str, Any], call: dict[str, Any]) -> Iterable[Event]:
    """Yield what a part of a growing call says, of which all but the first have no name.

    The service has one such call at a time, so their key is empty.
    """
    bare = {**part, "functionCall": {name: value for name, value in call.items() if name not in IN_PIECES}}
    if name := call.get("name"):
        yield ToolCallStart("", str(name), text_or_none(call.get("id")), bare)
    if call.get("args") is not None:
        yield ToolArgsPiece("", "$", _arguments(call["args"]))
    for piece in dicts(call.get("partialArgs")):
        nothing = None if "nullValue" in piece else ""  # the latter ends a text
        value = next((piece[name] for name in _VALUES if piece.get(name) is not None), nothing)
        yield ToolArgsPiece("", str(piece.get("jsonPath") or ""), value, _is_true(piece, "willContinue"))
    if not _is_true(call, "willContinue"):
        yield ToolCallEnd("", bare if len(bare) > 1 else None)


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


def result_part(call: ToolCall, response: dict[str, Any], media: Sequence[InlineMedia]) -> Part:
    """Return the part that answers a call."""
    answer: dict[str, Any] = {**({"id": call.id} if call.id else {}), "name": call.name, "response": response}
    if media:
        answer["parts"] = [{"inlineData": {"mimeType": item.mime, "data": item.data}} for item in media]
    return {"functionResponse": answer}


def read_result(part: Mapping[str, Any]) -> ToolAnswer:
    """Return a stored answer as its reader saw it."""
    value, note = part["functionResponse"], as_dict(part.get(NOTE))
    inline = [item.get("inlineData") for item in dicts(value.get("parts"))]
    media = tuple(InlineMedia(str(data.get("mimeType") or ""), str(data.get("data") or "")) for data in dicts(inline))
    answer = ToolAnswer(str(value.get("name") or ""), text_or_none(value.get("id")), value["response"], media=media)
    return structs.replace(answer, **{name: note[name] for name in _NOTED if name in note})


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
    match part.get(ORIGIN):
        case {"provider": str(name), "block": Mapping() as block} if name == provider:
            return dict(block)
    return None


def is_thinking(part: Part) -> bool:
    """Whether a part is a thought or says nothing but a signature: another provider can do nothing with it."""
    return _is_true(part, "thought") or (not part.get("text") and part.keys() <= _SIGNATURE_ALONE)


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


def arguments_of(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call that goes back."""
    args = call.get("args")
    return dict(args) if isinstance(args, Mapping) else {}


def is_error(response: Any) -> bool:
    """Whether a tool's answer says that it failed."""
    return isinstance(response, Mapping) and response.keys() == {"error"}


class File(Struct, frozen=True):
    """A file of a prompt: its bytes in base64, or its address."""

    mime: str
    data: str = ""
    address: str = ""

    @property
    def kind(self) -> str:
        """Its kind in a word: image, audio, video, application, text."""
        return self.mime.partition("/")[0]

    @property
    def url(self) -> str:
        """Its address, or all of it as one."""
        return self.address or f"data:{self.mime};base64,{self.data}"

    @property
    def text(self) -> str | None:
        """Its text, if it is a file of text that stands in the part."""
        if self.address or not self.mime.startswith(_TEXTS):
            return None
        try:
            return base64.b64decode(self.data).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return ""

    @property
    def in_words(self) -> str:
        """Words for it, where the model can't be shown it."""
        return f"(attached: {self.name}, which this model can't take)"

    @property
    def name(self) -> str:
        """The kind of it, in words where it has none."""
        return self.mime or "file of an unknown kind"


def file_of(part: Part) -> File | None:
    """Return the file that a part holds, or says where it is."""
    match part:
        case {"inlineData": Mapping() as inline}:
            return File(str(inline.get("mimeType") or ""), str(inline.get("data") or ""))
        case {"fileData": Mapping() as file}:
            return File(str(file.get("mimeType") or ""), address=str(file.get("fileUri") or ""))
    return None


def files_of(answer: Mapping[str, Any]) -> list[File]:
    """Return the files that a tool attached to its answer."""
    return [file for part in dicts(answer.get("parts")) if (file := file_of(part))]


class CallIds:
    """The ids of the calls of one request, told in the order of its turns."""

    def __init__(self) -> None:
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
