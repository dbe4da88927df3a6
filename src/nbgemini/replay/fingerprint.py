"""What a request asks, however it is written: one normal form, and the name that equal requests share.

The spelling of names and numbers, base64's alphabets, call ids, signatures and the version of the API make no difference;
everything else does.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from nbgemini.transport.request import Request

_FREE = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "partMetadata", "labels", "parameters"}
_VERSION = re.compile(r"^/?v\d+(?:(?:alpha|beta)\d*)?/")
_FRAMING = {"alt", "pageSize"}  # how it comes, not what
_SAYS_NOTHING: tuple[dict[str, Any], ...] = ({}, {"text": ""})  # what is left of a part that only carried a signature


def normalized(value: Any) -> Any:
    """Return the JSON value with all names in camelCase and without nulls, free-form objects untouched."""
    if isinstance(value, list):
        return [normalized(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {_camel(key): item for key, item in value.items() if item is not None}
    for key, item in named.items():
        if key == "properties" and isinstance(item, dict):  # the names are the user's own
            named[key] = {name: normalized(inner) for name, inner in item.items()}
        elif key not in _FREE:
            named[key] = normalized(item)
    return named


def subject_of(request: Request) -> str:
    """Return what the path names: a model and what it is to do, whether streamed or not."""
    return _VERSION.sub("", request.path).replace(":streamGenerateContent", ":generateContent")


def query_of(request: Request) -> dict[str, str]:
    """Return what the query asks for."""
    return {name: value for name, value in request.query.items() if name not in _FRAMING}


def canonical_body(request: Request) -> Any:
    """Return the body in its normal form, without what makes no difference."""
    return _essence(normalized(request.body if request.body is None else dict(request.body)), "")


def request_fingerprint(request: Request) -> str:
    """Return what equal requests have in common: 64 hexadecimal digits."""
    return digest([subject_of(request), query_of(request), canonical_body(request)])


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _essence(value: Any, name: str) -> Any:
    if name in _FREE:
        return _plain(value)
    if isinstance(value, list):
        items = [_essence(item, "") for item in value]
        return [item for item in items if item not in _SAYS_NOTHING] if name == "parts" else items
    if isinstance(value, dict):
        idle = {"thoughtSignature", "id"} if name in ("functionCall", "functionResponse") else {"thoughtSignature"}
        return {key: _essence(item, key) for key, item in value.items() if key not in idle}
    if isinstance(value, str) and name == "data":
        return value.replace("-", "+").replace("_", "/").rstrip("=")
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return the value with one spelling of 2 and 2.0."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
