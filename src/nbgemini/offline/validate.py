"""Whether a generate request is one that Gemini would take; pure, and as strict.

Names are accepted in camelCase and snake_case outside of free-form objects, as proto-JSON does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nbgemini.offline.models import family
from nbgemini.offline.signatures import genuine

_TOP = {
    "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig", "cachedContent",
    "serviceTier", "labels", "store", "continuationToken", "model",
}  # fmt: skip
_CONFIG = {
    "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed", "presencePenalty",
    "frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities", "mediaResolution",
    "thinkingConfig", "responseLogprobs", "logprobs", "speechConfig", "imageConfig", "audioTranscriptionConfig",
    "enableEnhancedCivicAnswers",
}  # fmt: skip
_KINDS = {
    "text", "inlineData", "functionCall", "functionResponse", "fileData", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse",
}  # fmt: skip
_FREE = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "partMetadata", "labels", "parameters"}
_MISSING = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and "
    "missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:{name}` , "
    "position {position}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
)


class Invalid(Exception):  # noqa: N818 - it is what the request is
    """The request is not valid; the text is what Google answers."""


def normalised(value: Any) -> Any:
    """Return the JSON value with all names in camelCase, free-form objects untouched."""
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if isinstance(value, dict):
        named = {_camel(key): (item, _camel(key) in _FREE) for key, item in value.items()}
        return {key: item if free else normalised(item) for key, (item, free) in named.items()}
    return value


def validate(body: dict[str, Any], model: str) -> None:
    """Check a normalised request.

    Raises:
        Invalid: with the message of the 400.
    """
    _known(body, _TOP, "root")
    config = body.get("generationConfig") or {}
    _known(config, _CONFIG, "generation_config")
    _thinking(config.get("thinkingConfig") or {}, model)
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise Invalid("* GenerateContentRequest.contents: contents is not specified")
    for position, content in enumerate(contents):
        _content(content, position)
    _order(contents)
    _signatures(contents, model)


def is_answer_to_calls(content: dict[str, Any]) -> bool:
    """Whether a content holds nothing but function responses."""
    return all("functionResponse" in part for part in content["parts"])


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _known(found: dict[str, Any], known: set[str], where: str) -> None:
    for name in found:
        if name not in known:
            at = "" if where == "root" else f" at '{where}'"
            raise Invalid(f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')


def _thinking(config: dict[str, Any], model: str) -> None:
    offered = family(model)
    if not offered.thinks and config.get("includeThoughts"):
        raise Invalid(f"Thinking is not enabled for models/{model}")
    if "thinkingBudget" in config and "thinkingLevel" in config:
        raise Invalid("You can only set only one of thinking budget and thinking level.")
    level = config.get("thinkingLevel")
    if level is not None and str(level).upper() not in offered.levels:
        raise Invalid(f"Thinking level {level} is not supported for this model.")


def _content(content: Any, position: int) -> None:
    if not isinstance(content, dict) or content.get("role", "user") not in ("user", "model", "function", "tool"):
        raise Invalid("Please use a valid role: user, model.")
    parts = content.get("parts")
    if not isinstance(parts, list) or not parts:
        raise Invalid(f"* GenerateContentRequest.contents[{position}].parts: contents.parts must not be empty.")
    for index, part in enumerate(parts):
        kinds = _KINDS & part.keys() if isinstance(part, dict) else set()
        if len(kinds) > 1 or not (kinds or (isinstance(part, dict) and part.get("thoughtSignature"))):
            where = f"contents[{position}].parts[{index}].data"
            raise Invalid(f"* GenerateContentRequest.{where}: required oneof field 'data' must have one initialized field")


def _is_user(content: dict[str, Any]) -> bool:
    return bool(content.get("role", "user") != "model")


def _order(contents: list[dict[str, Any]]) -> None:
    if not _is_user(contents[0]) or not _is_user(contents[-1]):
        raise Invalid("Please ensure that multiturn requests begin and end with a user role.")
    for before, content in _pairs(contents):
        calls = [part["functionCall"] for part in (before or {}).get("parts", ()) if "functionCall" in part]
        answers = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        if [call.get("name") for call in calls] != [answer.get("name") for answer in answers]:
            raise Invalid(
                "Please ensure that the number of function response parts is equal to the number of function call parts "
                "of the function call turn."
            )
        if any(
            call.get("id") and call["id"] != answer.get("id", call["id"]) for call, answer in zip(calls, answers, strict=True)
        ):
            raise Invalid("Please ensure that function response ids match the ids of the function calls.")


def _pairs(contents: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any]]]:
    """Yield each content with the one before it; model contents in a row count as one: the official client sends many."""
    merged: list[dict[str, Any]] = []
    for content in contents:
        if merged and _is_user(content) == _is_user(merged[-1]) and not _is_user(content):
            merged[-1] = {**merged[-1], "parts": [*merged[-1]["parts"], *content["parts"]]}
        else:
            merged.append(content)
    yield from zip([None, *merged], merged, strict=False)


def _signatures(contents: list[dict[str, Any]], model: str) -> None:
    for content in contents:
        for part in content["parts"]:
            if part.get("thoughtSignature") and not genuine(part):
                raise Invalid("Invalid thought signature.")
    if not family(model).signs_last:
        return
    asked = max(n for n, content in enumerate(contents) if _is_user(content) and not is_answer_to_calls(content))
    waiting = True
    for position, content in enumerate(contents[asked:], asked):
        if _is_user(content):
            waiting = True
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and waiting:
            waiting = False
            if not calls[0].get("thoughtSignature"):
                raise Invalid(_MISSING.format(name=calls[0]["functionCall"].get("name"), position=position))
