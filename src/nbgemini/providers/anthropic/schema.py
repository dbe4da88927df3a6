"""The form of an answer in the words of Anthropic's structured outputs, as far as these reach.

Objects have a fixed set of fields there; maps, tuples and types that contain themselves can't be said, nor can bounds, which
go into the description. What reads the answer checks all of it anyway.
Source: platform.claude.com, structured outputs; `transform_schema` of anthropic 2.12.
"""

from __future__ import annotations

import json
from typing import Any

_KEPT = ("enum", "const", "type", "$ref")
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_TOLD = ("minimum", "maximum", "minItems", "maxItems", "format")
_UNSAYABLE = ("prefixItems", "patternProperties")


class _UnfitError(Exception):
    """There are no words for this."""


def fitted(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema as the service can hold an answer to it; None if it can't."""
    if _circular(schema):
        return None
    try:
        return _said(schema)
    except _UnfitError:
        return None


def _said(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, dict) or any(name in schema for name in _UNSAYABLE):
        raise _UnfitError
    said = {name: schema[name] for name in _KEPT if name in schema}
    for name in ("properties", "$defs"):
        if name in schema:
            said[name] = {key: _said(inside) for key, inside in schema[name].items()}
    for name in ("anyOf", "oneOf"):
        if name in schema:
            said["anyOf"] = [_said(inside) for inside in schema[name]]
    if "items" in schema:
        said["items"] = _said(schema["items"])
    if schema.get("type") == "object":
        said |= _closed(schema)
    return said | _told(schema)


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what says that an object has these fields and no others."""
    if schema.get("additionalProperties") or not schema.get("properties"):
        raise _UnfitError
    return {"additionalProperties": False, "required": schema.get("required", [])}


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("format") in _FORMATS:
        return {"format": schema["format"], **_described(schema, [])}
    return _described(schema, [f"{name}: {json.dumps(schema[name])}" for name in _TOLD if name in schema])


def _described(schema: dict[str, Any], told: list[str]) -> dict[str, Any]:
    text = " ".join(filter(None, (schema.get("description"), f"({', '.join(told)})" if told else "")))
    return {"description": text} if text else {}


def _circular(schema: dict[str, Any]) -> bool:
    """Whether a type contains itself."""
    reached = {f"#/$defs/{name}": set(_references(inside)) for name, inside in schema.get("$defs", {}).items()}
    for _ in range(len(reached)):  # each pass looks at least one type farther
        reached = {name: found.union(*(reached.get(other, set()) for other in found)) for name, found in reached.items()}
    return any(name in found for name, found in reached.items())


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return own + [found for inside in schema.values() for found in _references(inside)]
    return [found for inside in schema for found in _references(inside)] if isinstance(schema, list) else []
