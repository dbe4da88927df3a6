"""The shape of a request: the names Gemini knows and the type of each, as data; and the comparison with it.

As proto-JSON does it: an enum may be its number, and a number may stand in quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini.offline.json_body import InvalidRequest


class Kind(Struct, frozen=True):
    """A type that has no names of its own to check."""

    name: str
    fits: Callable[[Any], bool]


Shape: TypeAlias = "Kind | list[Shape] | dict[str, Shape]"

_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_SHOWN = 100  # characters of a wrong value
_OTHERS = ""  # the name that stands for all unknown ones


def _kind(name: str, *types: type) -> Kind:
    return Kind(name, lambda value: type(value) in types)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) or (isinstance(value, str) and bool(_NUMBER.fullmatch(value)))


TEXT, FLAG, ENUM = _kind("TYPE_STRING", str), _kind("TYPE_BOOL", bool), _kind("TYPE_ENUM", str, int)
NUMBER, FREE, ANY = Kind("TYPE_DOUBLE", _is_number), _kind("TYPE_MESSAGE", dict), Kind("TYPE_VALUE", lambda _: True)

_PART: Shape = {
    "text": TEXT,
    "thought": FLAG,
    "thoughtSignature": TEXT,
    "inlineData": {"mimeType": TEXT, "data": TEXT, "displayName": TEXT},
    "fileData": {"mimeType": TEXT, "fileUri": TEXT, "displayName": TEXT},
    "functionCall": {"id": TEXT, "name": TEXT, "args": FREE, "partialArgs": [FREE], "willContinue": FLAG},
    "functionResponse": {
        "id": TEXT, "name": TEXT, "response": FREE, "parts": [FREE], "scheduling": ENUM, "willContinue": FLAG,
    },
    "executableCode": {"id": TEXT, "language": ENUM, "code": TEXT},
    "codeExecutionResult": {"id": TEXT, "outcome": ENUM, "output": TEXT},
    "toolCall": FREE,
    "toolResponse": FREE,
    _OTHERS: ANY,  # what a newer model says goes back as it came
}  # fmt: skip
_CONTENT: Shape = {"role": TEXT, "parts": [_PART]}
_SCHEMA: dict[str, Shape] = {
    "type": ENUM, "format": TEXT, "title": TEXT, "description": TEXT, "nullable": FLAG, "enum": [TEXT], "required": [TEXT],
    "propertyOrdering": [TEXT], "minItems": NUMBER, "maxItems": NUMBER, "minProperties": NUMBER, "maxProperties": NUMBER,
    "minimum": NUMBER, "maximum": NUMBER, "minLength": NUMBER, "maxLength": NUMBER, "pattern": TEXT, "example": ANY,
    "default": ANY,
}  # fmt: skip
_SCHEMA |= {"items": _SCHEMA, "anyOf": [_SCHEMA], "properties": {_OTHERS: _SCHEMA}}
_FUNCTION: Shape = {
    "name": TEXT, "description": TEXT, "parameters": FREE, "parametersJsonSchema": ANY, "response": FREE,
    "responseJsonSchema": ANY, "behavior": ENUM,
}  # fmt: skip
_TOOL: Shape = {
    "functionDeclarations": [_FUNCTION], "googleSearch": FREE, "googleSearchRetrieval": FREE, "codeExecution": FREE,
    "urlContext": FREE, "googleMaps": FREE, "fileSearch": FREE, "computerUse": FREE, "mcpServers": [FREE],
}  # fmt: skip
_CONFIG: Shape = {
    "temperature": NUMBER, "topP": NUMBER, "topK": NUMBER, "candidateCount": NUMBER, "maxOutputTokens": NUMBER,
    "stopSequences": [TEXT], "seed": NUMBER, "presencePenalty": NUMBER, "frequencyPenalty": NUMBER,
    "responseMimeType": TEXT, "responseSchema": _SCHEMA, "responseJsonSchema": ANY, "responseModalities": [ENUM],
    "mediaResolution": ENUM, "responseLogprobs": FLAG, "logprobs": NUMBER, "speechConfig": FREE, "imageConfig": FREE,
    "audioTranscriptionConfig": FREE, "enableEnhancedCivicAnswers": FLAG,
    "thinkingConfig": {"includeThoughts": FLAG, "thinkingBudget": NUMBER, "thinkingLevel": ENUM},
}  # fmt: skip
GENERATE: dict[str, Shape] = {
    "contents": [_CONTENT],
    "systemInstruction": {
        "role": TEXT,
        "parts": _kind("TYPE_MESSAGE", list, dict),
    },  # one part needs no list in Google's examples
    "tools": [_TOOL],
    "toolConfig": {"functionCallingConfig": FREE, "retrievalConfig": FREE, "includeServerSideToolInvocations": FLAG},
    "safetySettings": [{"category": ENUM, "threshold": ENUM, "method": ENUM}],
    "generationConfig": _CONFIG,
    "cachedContent": TEXT,
    "serviceTier": ENUM,
    "labels": FREE,
    "store": FLAG,
    "continuationToken": TEXT,
    "model": TEXT,
}
COUNT: dict[str, Shape] = {"contents": [_CONTENT], "model": TEXT, "generateContentRequest": GENERATE}
EMBED: dict[str, Shape] = {
    "model": TEXT, "content": _CONTENT, "taskType": ENUM, "title": TEXT, "outputDimensionality": NUMBER,
    "embedContentConfig": FREE,
}  # fmt: skip
BATCH_EMBED: dict[str, Shape] = {"requests": [EMBED]}


def check(value: Any, shape: Shape, where: str = "") -> None:
    """Compare a normalised JSON value with its shape.

    Raises:
        InvalidRequest: with the message of the 400.
    """
    if isinstance(shape, Kind):
        if not shape.fits(value):
            raise InvalidRequest(_wrong(value, shape.name, where))
    elif isinstance(shape, list):
        _check_items(value, shape[0], where)
    else:
        _check_message(value, shape, where)


def _check_items(value: Any, shape: Shape, where: str) -> None:
    if not isinstance(value, list):
        raise InvalidRequest(_wrong(value, "repeated field", where))
    for number, item in enumerate(value):
        check(item, shape, f"{where}[{number}]")


def _check_message(value: Any, shape: dict[str, Shape], where: str) -> None:
    if not isinstance(value, dict):
        raise InvalidRequest(_wrong(value, "TYPE_MESSAGE", where))
    for name, item in value.items():
        found = shape.get(name) or shape.get(_OTHERS)
        if found is None:
            at = f" at '{where}'" if where else ""
            raise InvalidRequest(f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
        check(item, found, f"{where}.{_snake(name)}".removeprefix("."))


def _wrong(value: Any, expected: str, where: str) -> str:
    return f"Invalid value at '{where}' ({expected}), {json.dumps(value, ensure_ascii=False)[:_SHOWN]}"


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", name)
