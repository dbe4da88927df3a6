"""What an error says, in whatever shape its service or a gateway wraps it: the words, the code, and the innermost message.

Shapes: `error` as an object or a text; `errors` and `detail` as lists; `message` beside a code; one error inside of another, as
an object or as JSON in a text, as gateways quote the service behind them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

_MESSAGES = (
    "message", "msg", "error_message", "errorMessage", "error_msg", "error_description", "Message", "status_msg", "faultstring",
    "detail", "title", "description",
)  # fmt: skip
_INSIDE = (
    "error", "errors", "detail", "details", "fault", "base_resp", "message", "metadata", "raw", "innererror", "inner_error",
    "upstream", "upstream_error", "provider_error", "cause", "body",
)  # fmt: skip
_CODES = ("code", "status", "statusCode", "status_code", "http_status", "error_code")
_WORDS = ("status", "code", "type", "error_code", "__type")
_SAY_NOTHING = {"error", "err", "fail", "failed", "failure", "false", "none", "null", "unknown"}
_BARE = ("errors", "detail", "fault", "message", "msg", "error_message", "errorMessage", "error_msg", "Message")
_HTTP = range(100, 600)
_DEEPEST, _MOST = 6, 8  # levels, and words


class Reason(Struct, frozen=True):
    """What an error says: `code` is an HTTP status, or 0; `details` are Google's."""

    message: str = ""
    code: int = 0
    words: tuple[str, ...] = ()
    details: tuple[Mapping[str, Any], ...] = ()


def error_in(data: Mapping[str, Any], *, bare: bool) -> dict[str, Any] | None:
    """Return what an object says of an error, as an object; None if it tells of none.

    Args:
        data: one frame, or a part of it.
        bare: whether it holds nothing that belongs to an answer, so that any message is an error.
    """
    error = data.get("error")
    if error:
        return dict(error) if isinstance(error, dict) else dict(data) if bare else {"message": str(error)}
    if data.get("object") == "error":
        return dict(data)
    return dict(data) if bare and (any(_speaks(data.get(name)) for name in _BARE) or _failed(data)) else None


def reason_of(data: Any, depth: int = _DEEPEST) -> Reason:
    """Return what an error says, the innermost message first; code and words are those of all levels."""
    if isinstance(data, list):
        data = next(filter(None, data), None)
    if isinstance(data, str):
        inner = _quoted(data) if depth else None
        return Reason(data) if inner is None else reason_of(inner, depth - 1)
    if not isinstance(data, dict) or not depth:
        return Reason()
    reason = _own(data)
    for name in _INSIDE:
        inner = data.get(name)
        if isinstance(inner, list | dict) or (isinstance(inner, str) and (name == "raw" or _quoted(inner) is not None)):
            reason = _with(reason, reason_of(inner, depth - 1))
    return reason


def _own(data: dict[str, Any]) -> Reason:
    """Return what one level says itself."""
    said = [text for name in _MESSAGES if isinstance(text := data.get(name), str) and text.strip()]
    word = data.get("error")
    if isinstance(word, str) and not said:
        said, word = [word], None
    message = f"{_place(data)}{said[0]}" if said else ""
    code = next((number for name in _CODES if (number := _http(data.get(name)))), 0)
    words = [data.get(name) for name in _WORDS] + [word]
    kept = [_short(text) for text in words if isinstance(text, str | int) and not isinstance(text, bool) and not _http(text)]
    details = data.get("details")
    listed = tuple(item for item in details if isinstance(item, dict)) if isinstance(details, list) else ()
    return Reason(message, code, tuple(text for text in kept if text and text.lower() not in _SAY_NOTHING), listed)


def _with(outer: Reason, inner: Reason) -> Reason:
    words = tuple(dict.fromkeys((*outer.words, *inner.words)))[:_MOST]
    return Reason(inner.message or outer.message, outer.code or inner.code, words, outer.details or inner.details)


def _quoted(text: str) -> Any:
    """Return the error that a text quotes as JSON; None if it quotes none."""
    start, end = text.find("{"), text.rfind("}")
    if not 0 <= start < end:
        return None
    try:
        data = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and error_in(data, bare=True) else None


def _place(data: Mapping[str, Any]) -> str:
    """Return where in the request it is, as FastAPI says."""
    place = data.get("loc")
    return f"{'.'.join(map(str, place))}: " if isinstance(place, list) and place else ""


def _http(value: Any) -> int:
    """Return an HTTP status, which may be written as a text; 0 for all else."""
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) == len("404") else value
    return number if type(number) is int and number in _HTTP else 0


def _short(word: str | int) -> str:
    return " ".join(str(word).split())


def _speaks(value: Any) -> bool:
    return bool(value) and isinstance(value, str | list | dict)


def _failed(data: Mapping[str, Any]) -> bool:
    """Whether MiniMax's envelope tells of a failure."""
    envelope = data.get("base_resp")
    return isinstance(envelope, dict) and bool(envelope.get("status_code"))
