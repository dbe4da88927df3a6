"""Whether a request is one that Gemini would take; pure, and as strict.

Names are accepted in camelCase and snake_case outside of free-form objects, and null is absent, as in proto-JSON; an enum may
be its number, and a number may stand in quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Mapping
from itertools import groupby
from typing import Any, TypeAlias

from msgspec import Struct

from nbgemini.offline.models import family
from nbgemini.offline.requests import InvalidRequest
from nbgemini.offline.schema_answers import check_form
from nbgemini.offline.thought_signatures import Place, genuine
from nbgemini.providers.common.json import as_dict


class Kind(Struct, frozen=True):
    """A type that has no names of its own to check."""

    name: str
    fits: Callable[[Any], bool]


Shape: TypeAlias = "Kind | list[Shape] | dict[str, Shape]"

_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
_WHERE = "tool_config.function_calling_config"
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


def check_shape(value: Any, shape: Shape, where: str = "") -> None:
    """Compare a normalised JSON value with its shape."""
    expected = shape.name if isinstance(shape, Kind) else "repeated field" if isinstance(shape, list) else "TYPE_MESSAGE"
    if not (shape.fits(value) if isinstance(shape, Kind) else isinstance(value, type(shape))):
        raise InvalidRequest(f"Invalid value at '{where}' ({expected}), {json.dumps(value, ensure_ascii=False)[:_SHOWN]}")
    if isinstance(shape, list):
        for number, item in enumerate(value):
            check_shape(item, shape[0], f"{where}[{number}]")
    elif isinstance(shape, dict):
        for name, item in value.items():
            found = shape.get(name) or shape.get(_OTHERS)
            if found is None:
                at = f" at '{where}'" if where else ""
                raise InvalidRequest(f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
            spelt = re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)
            check_shape(item, found, f"{where}.{spelt}".removeprefix("."))


_KINDS = {
    "text", "inlineData", "functionCall", "functionResponse", "fileData", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse",
}  # fmt: skip
_NO_DATA = "required oneof field 'data' must have one initialized field"
_CALL_ORDER = "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
_RESPONSE_ORDER = "Please ensure that function response turn comes immediately after a function call turn."
_RESPONSE_COUNT = (
    "Please ensure that the number of function response parts is equal to the number of function call parts "
    "of the function call turn."
)
_MISSING = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and "
    "missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:{name}` , "
    "position {position}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
)


def validate(body: dict[str, Any], model: str, foreign: Container[Place] = ()) -> None:
    """Check a normalised request; `foreign` holds the signatures of others that are taken."""
    check_shape(body, GENERATE)
    _thinking(body.get("generationConfig", {}).get("thinkingConfig", {}), model)
    _tools(body, model)
    _choice(body)
    asked = body.get("generationConfig", {}).get("responseModalities", ["TEXT"])
    if ("AUDIO" in asked) != ("-tts" in model) or ("IMAGE" in asked and "-image" not in model):
        raise InvalidRequest(f"The requested combination of response modalities is not supported by the model. models/{model}")
    contents = body.get("contents")
    if not contents:
        raise InvalidRequest("* GenerateContentRequest.contents: contents is not specified")
    _contents(contents)
    _order(contents)
    tools = [tool for tool in body.get("tools", ()) if tool]
    functions = any("functionDeclarations" in tool for tool in tools)
    check_form(body.get("generationConfig", {}), model, functions=functions, tools=bool(tools))
    _signatures(contents, model, foreign)


def counted(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the contents whose tokens a normalised request wants to know."""
    check_shape(body, COUNT)
    contents: list[dict[str, Any]] = body.get("generateContentRequest", body).get("contents", [])
    _contents(contents)
    return contents


def is_answer_to_calls(content: dict[str, Any]) -> bool:
    """Whether a content holds nothing but function responses."""
    return all("functionResponse" in part for part in content["parts"])


def _thinking(config: dict[str, Any], model: str) -> None:
    offered = family(model)
    if not offered.thinks and config.get("includeThoughts"):
        raise InvalidRequest(f"Thinking is not enabled for models/{model}")
    if "thinkingBudget" in config and "thinkingLevel" in config:
        raise InvalidRequest("You can only set only one of thinking budget and thinking level.")
    level = config.get("thinkingLevel")
    if level is not None and str(level).upper() not in offered.levels:
        raise InvalidRequest(f"Thinking level {level} is not supported for this model.")


def _tools(body: dict[str, Any], model: str) -> None:
    """Check that functions and the service's own tools are told of in the way that the model's family takes."""
    names = {name for tool in body.get("tools", ()) for name in tool}
    if "functionDeclarations" not in names or len(names) == 1:
        return
    if not family(model).signs_last:
        raise InvalidRequest("Tool use with function calling is unsupported by the model.")
    if not body.get("toolConfig", {}).get("includeServerSideToolInvocations"):
        raise InvalidRequest(
            "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling."
        )


def _contents(contents: list[dict[str, Any]]) -> None:
    for position, content in enumerate(contents):
        where = f"* GenerateContentRequest.contents[{position}]"
        if content.get("role", "user") not in ("user", "model", "function", "tool"):
            raise InvalidRequest("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise InvalidRequest(f"{where}.parts: contents.parts must not be empty.")
        for index, part in enumerate(content["parts"]):
            _part(part, f"{where}.parts[{index}]")


def _part(part: dict[str, Any], where: str) -> None:
    kinds = _KINDS & part.keys()
    if len(kinds) > 1 or not (kinds or part.get("thoughtSignature")):
        raise InvalidRequest(f"{where}.data: {_NO_DATA}")
    if "functionResponse" in part and not part["functionResponse"].get("name"):
        raise InvalidRequest(f"{where}.function_response.name: Name cannot be empty.")


def _is_user(content: dict[str, Any]) -> bool:
    return bool(content.get("role", "user") != "model")


def _order(contents: list[dict[str, Any]]) -> None:
    """Check that turns follow each other; model contents in a row count as one: the official client sends many."""
    if not _is_user(contents[0]) or not _is_user(contents[-1]):
        raise InvalidRequest("Please ensure that multiturn requests begin and end with a user role.")
    calls: list[dict[str, Any]] = []
    for is_user, group in groupby(contents, _is_user):
        turns: list[dict[str, Any]] = list(group)
        if not is_user:
            turns = [{"role": "model", "parts": [part for content in turns for part in content["parts"]]}]
        for content in turns:
            _turn(calls, content)
            calls = _calls(content["parts"])


def _turn(calls: list[dict[str, Any]], content: dict[str, Any]) -> None:
    """Check that a content answers the calls just before it: each once, in their order; the official client leaves ids out."""
    answers = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
    if _is_user(content) and any("functionCall" in part for part in content["parts"]):
        raise InvalidRequest(_CALL_ORDER)
    if answers and not (calls and _is_user(content)):
        raise InvalidRequest(_RESPONSE_ORDER)
    if [call["name"] for call in calls] != [answer["name"] for answer in answers]:
        raise InvalidRequest(_RESPONSE_COUNT)
    if any(answer.get("id") not in (None, call.get("id")) for call, answer in zip(calls, answers, strict=True)):
        raise InvalidRequest("Please ensure that function response ids match the ids of the function calls.")


def _calls(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the calls; one whose arguments came in pieces counts once."""
    calls: list[dict[str, Any]] = []
    continues = False
    for call in (part["functionCall"] for part in parts if "functionCall" in part):
        calls += [] if continues else [call]
        continues = bool(call.get("willContinue"))
    if not all(call.get("name") for call in calls):
        raise InvalidRequest("* GenerateContentRequest.contents.parts.function_call.name: Name cannot be empty.")
    return calls


def _signatures(contents: list[dict[str, Any]], model: str, foreign: Container[Place]) -> None:
    for content in contents:
        for part in content["parts"]:
            if part.get("thoughtSignature") and not genuine(part, foreign):
                raise InvalidRequest("Invalid thought signature.")
    if not family(model).signs_last:
        return
    asked = max(n for n, content in enumerate(contents) if _is_user(content) and not is_answer_to_calls(content))
    waiting = True
    for position, content in enumerate(contents[asked:], asked):
        call = next((part for part in content["parts"] if "functionCall" in part), None)
        if call and waiting and not call.get("thoughtSignature"):
            raise InvalidRequest(_MISSING.format(name=call["functionCall"].get("name"), position=position))
        waiting = _is_user(content) or (waiting and not call)


def _choice(body: dict[str, Any]) -> None:
    """Check how a normalised request says what to call."""
    config = choice_of(body)
    mode, allowed = mode_of(config), config.get("allowedFunctionNames") or []
    if mode == "ANY" and not declared_functions(body):
        raise InvalidRequest("Function calling config is set without function_declarations.")
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise InvalidRequest(f"{_WHERE}.allowed_function_names: should only be set when the mode is ANY or VALIDATED.")
    if unknown := [name for name in allowed if name not in declared_functions(body)]:
        raise InvalidRequest(f"{_WHERE}.allowed_function_names: {unknown[0]} is not in function_declarations.")


def callable_names(body: dict[str, Any]) -> Iterable[str]:
    """Return the functions that may be called."""
    config, declared = choice_of(body), declared_functions(body)
    if mode_of(config) == "NONE":
        return ()
    return config.get("allowedFunctionNames") or declared


def choice_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a request says about calling functions."""
    return as_dict(as_dict(body.get("toolConfig")).get("functionCallingConfig"))


def mode_of(config: Mapping[str, Any]) -> str:
    """Return the mode, which may be its number."""
    mode = config.get("mode", "AUTO")
    known = _MODES[mode] if type(mode) is int and 0 <= mode < len(_MODES) else str(mode).upper()
    if known not in _MODES:
        raise InvalidRequest(f"Invalid value at '{_WHERE}.mode' (TYPE_ENUM), {json.dumps(mode)}")
    return known


def declared_functions(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the functions that a request declares, by name."""
    tools = body.get("tools", ())
    return {str(function.get("name")): function for tool in tools for function in tool.get("functionDeclarations", ())}
