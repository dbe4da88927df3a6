"""Whether a request is read and answered at all: by whom it comes, with which key, and JSON as Gemini reads it.

The JSON is strict UTF-8 without NaN, lone surrogates, numbers beyond a double, and not too deep.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from nbgemini.offline.http_server import HttpRequest

_STATUS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_VERSIONS = ("v1", "v1beta", "v1alpha")
_PLACES = ("models", "tunedModels", "files", "batches", "cachedContents", "interactions", "operations")
_LEAST_CACHED = 1024  # tokens
_NO_CACHE = "CachedContent not found (or permission denied)"
_DEEPEST = 100
_MOST_VALUES = 500_000  # in memory each takes many times as much as in its text
_BROKEN = "Invalid JSON payload received. {}"


class InvalidRequest(Exception):  # noqa: N818 - it is what the request is
    """The request is not valid; the text is what Google answers."""


class Refused(Exception):  # noqa: N818 - it is what the request is
    """The request is answered with an error."""

    def __init__(self, code: int, message: str, details: list[dict[str, Any]] | None = None) -> None:
        """Keep Google's error object."""
        super().__init__(message)
        self.code = code
        self.error = {"code": code, "message": message, "status": _STATUS[code], **({"details": details} if details else {})}


def decode_json(text: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises:
        InvalidRequest: it is not JSON, or too deep.
    """
    if sum(map(text.count, (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{"))) > _MOST_VALUES:  # type: ignore[arg-type]
        raise InvalidRequest(_BROKEN.format("Too many values."))
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(_BROKEN.format(error)) from None
    if _is_too_deep(value):
        raise InvalidRequest(_BROKEN.format("Message too deep. Max recursion depth reached."))
    return value


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [child for item in level for child in _children(item)]
    return bool(level)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def refuse_strangers(request: HttpRequest) -> None:
    """Let programs of this machine pass.

    Raises:
        Refused: a page of another site asks.
    """
    if not request.is_from_here:
        raise Refused(403, "This service answers programs on its own machine only, at its own address.")


def version_of(request: HttpRequest) -> str:
    """Return the version of the API that is asked, by somebody with a key.

    Raises:
        Refused: there is nothing at this address, or the key is none.
    """
    version, _, rest = request.path.strip("/").removeprefix("upload/").removeprefix("download/").partition("/")
    if version not in _VERSIONS or re.split("[/:]", rest)[0] not in _PLACES:
        raise Refused(404, f"Requested entity was not found: {request.path}")
    key = request.headers.get("x-goog-api-key") or request.query.get("key")
    if not key:
        raise Refused(403, "Method doesn't allow unregistered callers. Please use an API key.")
    if key.startswith("bad"):
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        raise Refused(400, "API key not valid. Please pass a valid API key.", [info])
    return version


def cached_contents(request: HttpRequest, version: str, tokens: int) -> dict[str, Any] | None:
    """Return the list of caches, which is empty, as without billing there are none; None if something else is asked for.

    `tokens` is how many a new cache would hold.

    Raises:
        Refused: a cache is to be made, or is asked for.
    """
    place, _, name = request.path.strip("/").removeprefix(version).strip("/").partition("/")
    if place != "cachedContents":
        return None
    if name:
        raise Refused(403, _NO_CACHE)
    if request.method == "GET":
        return {}
    if tokens < _LEAST_CACHED:
        counted = f"total_token_count={tokens}, min_total_token_count={_LEAST_CACHED}"
        raise Refused(400, f"Cached content is too small. {counted}")
    asked = f"limit=0, requested={tokens}"
    raise Refused(429, f"TotalCachedContentStorageTokensPerModelFreeTier limit exceeded for the offline service: {asked}")


def check_cache(body: dict[str, Any]) -> None:
    """Check that a normalised request goes on from no cache: there is none.

    Raises:
        Refused: it does.
    """
    if body.get("cachedContent"):
        raise Refused(403, _NO_CACHE)
