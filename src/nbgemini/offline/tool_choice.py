"""Whether a model may call, must call, or must not, in the words of each protocol; and the call that it makes if it must."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from nbgemini.offline.requests import InvalidRequest
from nbgemini.offline.schema_answers import PromptValues, adapted, answer_in, from_openapi

_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
_WHERE = "tool_config.function_calling_config"
_VERBS = re.compile("and|ask|call|data|find|for|get|list|make|name|read|run|set|show|the|tool|write")


def check_choice(body: dict[str, Any]) -> None:
    """Check how a normalised request says what to call.

    Raises:
        InvalidRequest: with the message of the 400.
    """
    config = _config(body)
    mode, allowed = _mode(config), config.get("allowedFunctionNames") or []
    if mode == "ANY" and not _declared(body):
        raise InvalidRequest("Function calling config is set without function_declarations.")
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise InvalidRequest(f"{_WHERE}.allowed_function_names: should only be set when the mode is ANY or VALIDATED.")
    if unknown := [name for name in allowed if name not in _declared(body)]:
        raise InvalidRequest(f"{_WHERE}.allowed_function_names: {unknown[0]} is not in function_declarations.")


def forced(body: dict[str, Any], prompt: str) -> dict[str, Any] | None:
    """Return the call that a request leaves no choice about: of the first function allowed, with arguments of its types."""
    config, declared = _config(body), _declared(body)
    if _mode(config) != "ANY" or not declared:
        return None
    allowed = config.get("allowedFunctionNames")
    name = next(iter(allowed or declared))
    schema = _parameters(declared.get(name, {}))
    args = json.loads(answer_in(schema, prompt)) if schema.get("properties") else {}
    return {"name": name, "args": args if isinstance(args, dict) else {}}


def guess_call(body: dict[str, Any], prompt: str) -> dict[str, Any] | None:
    """Return a call of the function whose name the prompt mentions; None if there is none, or the prompt lacks an argument."""
    words = set(re.findall(r"[^\W\d_]{3,}", prompt.lower()))
    for name in callable_names(body):
        if words & {word for word in re.findall(r"[^\W\d_]{3,}", name.lower()) if not _VERBS.fullmatch(word)}:
            args = _args_in(prompt, _parameters(_declared(body)[name]))
            return None if args is None else {"name": name, "args": args}
    return None


def _args_in(prompt: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments that must be given, as the prompt has them; None if it lacks one."""
    values, args = PromptValues(prompt), {}
    for name in schema.get("required", ()):
        field = _dict(_dict(schema.get("properties")).get(name))
        chosen = values.chosen(field["enum"]) if isinstance(field.get("enum"), list) else None
        args[str(name)] = values.take(str(name), str(field.get("type", "string"))) if chosen is None else chosen
    return None if None in args.values() else args


def callable_names(body: dict[str, Any]) -> Iterable[str]:
    """Return the functions that may be called."""
    config, declared = _config(body), _declared(body)
    if _mode(config) == "NONE":
        return ()
    return config.get("allowedFunctionNames") or declared


def _parameters(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parametersJsonSchema")
    found = schema if isinstance(schema, dict) else from_openapi(function.get("parameters"))
    return dict(adapted({"type": "object", **found}, "parameters"))


def _config(body: dict[str, Any]) -> dict[str, Any]:
    return _dict(_dict(body.get("toolConfig")).get("functionCallingConfig"))


def _mode(config: Mapping[str, Any]) -> str:
    """Return the mode, which may be its number.

    Raises:
        InvalidRequest: it is none.
    """
    mode = config.get("mode", "AUTO")
    known = _MODES[mode] if type(mode) is int and 0 <= mode < len(_MODES) else str(mode).upper()
    if known not in _MODES:
        raise InvalidRequest(f"Invalid value at '{_WHERE}.mode' (TYPE_ENUM), {json.dumps(mode)}")
    return known


def _declared(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tools = body.get("tools", ())
    return {str(function.get("name")): function for tool in tools for function in tool.get("functionDeclarations", ())}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
