"""Whether a request is read and answered at all: by whom it comes, with which key, and JSON as Gemini reads it.

The JSON is strict UTF-8 without NaN, lone surrogates, numbers beyond a double, and not too deep. What any check of this
package finds wrong, it raises as `Refused`; the answer is the error in it.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import msgspec

from nbgemini.offline.http_server import HttpRequest

_STATUS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_VERSIONS = ("v1", "v1beta", "v1alpha")
_PLACES = ("models", "tunedModels", "files", "batches", "cachedContents", "interactions", "operations")
_PAGE, _LARGEST_PAGE = 50, 1000
_LONGEST_NUMBER = 10  # digits of an int32
_DEEPEST = 100
_MOST_VALUES = 500_000  # in memory each takes many times as much as in its text
_BROKEN = "Invalid JSON payload received. {}"


class Refused(Exception):  # noqa: N818 - it is what the request is
    """The request is answered with an error: Google's error object, in which `more` may say anything else."""

    def __init__(self, code: int, message: str, /, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.error = {"code": code, "message": message, "status": _STATUS.get(code, "UNAVAILABLE")} | more


class InvalidRequest(Refused):
    """The request is not valid; the text is what Google answers."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


def decode_json(text: bytes | str) -> Any:
    """Return the value of a JSON text."""
    if sum(map(text.count, (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{"))) > _MOST_VALUES:  # type: ignore[arg-type]
        raise InvalidRequest(_BROKEN.format("Too many values."))
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(_BROKEN.format(error)) from None
    level = [value]
    for _ in range(_DEEPEST):
        holders = [item for item in level if isinstance(item, dict | list)]
        level = [child for item in holders for child in (item.values() if isinstance(item, dict) else item)]
    if level:
        raise InvalidRequest(_BROKEN.format("Message too deep. Max recursion depth reached."))
    return value


def body_of(request: HttpRequest) -> Any:
    """Return the value of a request's body; an empty one is an empty message."""
    return decode_json(request.body or b"{}")


def version_of(request: HttpRequest) -> str:
    """Return the version of the API that is asked, by somebody with a key."""
    version, _, rest = request.path.strip("/").removeprefix("upload/").removeprefix("download/").partition("/")
    if version not in _VERSIONS or re.split("[/:]", rest)[0] not in _PLACES:
        raise Refused(404, f"Requested entity was not found: {request.path}")
    key = request.headers.get("x-goog-api-key") or request.query.get("key")
    if not key:
        raise Refused(403, "Method doesn't allow unregistered callers. Please use an API key.")
    if key.startswith("bad"):
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        raise Refused(400, "API key not valid. Please pass a valid API key.", details=[info])
    return version


def list_page(entries: list[dict[str, Any]], name: str, query: dict[str, str]) -> dict[str, Any]:
    """Return the page of a list that a query asks for; only what was given out is a token."""
    size, token = query.get("pageSize", "0"), query.get("pageToken", "")
    starts = {base64.b64encode(str(start).encode()).decode(): start for start in range(1, len(entries))} | {"": 0}
    if token not in starts or not (size.isascii() and size.isdigit() and len(size) <= _LONGEST_NUMBER):
        raise Refused(400, "Request contains an invalid argument.")
    end = starts[token] + min(int(size) or _PAGE, _LARGEST_PAGE)
    page = entries[starts[token] : end]
    following = {"nextPageToken": next(token for token, start in starts.items() if start == end)} if end < len(entries) else {}
    return {**({name: page} if page else {}), **following}
