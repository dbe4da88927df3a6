"""What an error body says, as the right class of the error tree.

Bodies come as an object, as a one-element array, as HTML from a proxy, or empty; `code` may be a number, a string or
missing. Sources: google.rpc.Status with RetryInfo, QuotaFailure and ErrorInfo details (AIP-193); the pages on errors of
platform.claude.com and platform.openai.com, whose words stand under `type`, or under `code` as a text (2026-11-21).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any

from nbgemini.errors import ApiError, AuthenticationError, RateLimitError, ServerError

_PASSING = (408, 500, 502, 503, 504, 529)  # sent again, it may succeed (AIP-194; 529 is Anthropic's "overloaded")
_DIGITS = 6  # of a code, at most; int() would refuse thousands
_NOT_ALLOWED = {"UNAUTHENTICATED", "PERMISSION_DENIED", "authentication_error", "permission_error", "invalid_api_key"}
_TOO_MANY = {"RESOURCE_EXHAUSTED", "rate_limit_error", "rate_limit_exceeded", "insufficient_quota"}
_TROUBLE = {"INTERNAL", "UNAVAILABLE", "api_error", "overloaded_error", "timeout_error", "server_error"}
_PAYMENT = 402  # what OpenRouter and DeepSeek answer where credit has run out
_UNPAID = {"insufficient_quota", "billing_error"}  # waiting helps nobody
_ASK_LESS = " → %gemini drop, reset or fork the chat, or -m a model with a larger window (%gemini models)"
_ADVICE = (
    (_UNPAID, " → look at the balance of your account with the service"),
    ({"NOT_FOUND", "not_found_error", "model_not_found", "NotFoundError"}, " → %gemini models lists what there is"),
    ({"context_length_exceeded", "exceed_context_size_error"}, _ASK_LESS),
    ({"request_too_large"}, " → attach less, or smaller files"),
)
_TOO_LONG = tuple(
    re.compile(form)
    for form in (
        r"input token count \(?(?P<sent>\d{1,15})\)? exceeds the maximum number of tokens allowed \(?(?P<taken>\d{1,15})",
        r"prompt is too long: (?P<sent>\d{1,15}) tokens > (?P<taken>\d{1,15}) maximum",
        r"context length is (?P<taken>\d{1,15}) tokens\. However, you(?:r messages resulted in| requested) (?P<sent>\d{1,15})",
    )
)
GEMINI_KEY = "GEMINI_API_KEY"
_LONG_WAIT = 120  # seconds, and minutes: what is longer is told in the next unit
_LONGEST = 300  # characters of a service's message; the rest is noise in a cell


def error_from_body(code: int, body: bytes, wait: float | None = None, *, key_name: str = GEMINI_KEY) -> ApiError:
    """Return the error that an HTTP answer with this status code and body means.

    Args:
        code: the HTTP status code.
        body: what came.
        wait: what its Retry-After header says, in seconds.
        key_name: the environment variable that holds the service's key; empty where it needs none.
    """
    try:
        data = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):  # brackets without end
        return error_from_data(code, {"message": _plain(body)}, wait, key_name=key_name)
    if isinstance(data, list) and data:
        data = data[0]
    error = data.get("error") if isinstance(data, dict) else None
    said = error if isinstance(error, dict) else {"message": str(error or _plain(body))}
    return error_from_data(code, said, wait, key_name=key_name)


def error_from_data(code: int, error: dict[str, Any], wait: float | None = None, *, key_name: str = GEMINI_KEY) -> ApiError:
    """Return the error that the object under the key `error` means; `code` and `wait` count where it names none."""
    number = error.get("code")
    code = int(str(number)) if str(number).isdecimal() and len(str(number)) < _DIGITS else code
    words = [_one_line(word) for word in (error.get("status"), number, error.get("type")) if isinstance(word, str) and word]
    words += ["billing_error"] if code == _PAYMENT else []
    status = words[0] if words else ""
    reason = next((str(d["reason"]) for d in _details(error) if d.get("reason")), "")
    kind = _kind(code, set(words), reason)
    daily = kind is RateLimitError and ("PerDay" in json.dumps(error) or "quota_exceeded" in words)
    asked = _retry_after(error)
    wait = wait if asked is None else asked
    text, advice = _in_short(_one_line(str(error.get("message") or "the service gave no reason")))
    advice = advice or _advice(kind, set(words), key_name) or (_when(wait, daily=daily) if kind is RateLimitError else "")
    label = " ".join(str(word) for word in (code, status) if word)
    made = kind(f"{text} ({label}){advice}" if label else f"{text}{advice}", code=code, status=status, reason=reason)
    made.retry_after = wait
    if isinstance(made, RateLimitError):
        made.daily = daily
    passes = code in _PASSING or kind is RateLimitError or not _TROUBLE.isdisjoint(words)
    made.passing = passes and not daily and _UNPAID.isdisjoint(words)
    return made


def retry_after(value: str, date: str = "") -> float | None:
    """Return the seconds that a Retry-After header asks for, whether it counts them or names a time.

    A time is measured from the response's own `date`, so that a wrong clock here changes nothing. Source: RFC 9110 §10.2.3.
    """
    try:
        seconds = float(value)
    except ValueError:
        seconds = _between(date, value)
    return seconds if 0 <= seconds < math.inf else None


def _between(start: str, end: str) -> float:
    try:
        return (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds()
    except (ValueError, TypeError):
        return math.nan


def _kind(code: int, words: set[str], reason: str) -> type[ApiError]:
    if reason == "API_KEY_INVALID" or code in (401, 403) or words & _NOT_ALLOWED:
        return AuthenticationError
    if code == 429 or words & _TOO_MANY:  # noqa: PLR2004 - HTTP
        return RateLimitError
    if code >= 500 or words & _TROUBLE:  # noqa: PLR2004 - HTTP
        return ServerError
    return ApiError


def _when(wait: float | None, *, daily: bool) -> str:
    """Say when a quota is there again."""
    others = "%gemini models lists other models"
    if daily:
        return f" → the quota of a day begins anew at midnight Pacific time; {others}"
    return f" → ask again {'in a moment' if wait is None else f'in {_span(wait)}'}; {others}"


def _span(seconds: float) -> str:
    if seconds > _LONG_WAIT * 60:
        return f"{seconds / 3600:.0f} h"
    return f"{math.ceil(seconds)} s" if seconds <= _LONG_WAIT else f"{math.ceil(seconds / 60)} min"


def _in_short(text: str) -> tuple[str, str]:
    """Return a message and its way out; the latter is empty unless the message alone tells it."""
    found = next(filter(None, (form.search(text) for form in _TOO_LONG)), None)
    if found is None:
        return text, ""
    sent, taken = int(found["sent"]), int(found["taken"])
    return f"{sent - taken:,} tokens too many: {sent:,} were asked, the model takes {taken:,}", _ASK_LESS


def _advice(kind: type[ApiError], words: set[str], key_name: str) -> str:
    if kind is AuthenticationError:
        return _key_advice(key_name)
    known = next((advice for known, advice in _ADVICE if known & words), "")
    return known or (" → ask again in a moment" if kind is ServerError else "")


def _key_advice(key_name: str) -> str:
    """Say where the key belongs."""
    if not key_name:
        return " → this service wants a key after all; set NAME_API_KEY, where NAME is what stands before the colon in -m"
    if key_name in (GEMINI_KEY, "GOOGLE_API_KEY"):
        return f" → set {GEMINI_KEY} or run %gemini key"
    return f" → set {key_name} or run %gemini key {key_name.removesuffix('_API_KEY').lower()}"


def _details(error: dict[str, Any]) -> Iterable[dict[str, Any]]:
    details = error.get("details")
    return (detail for detail in details if isinstance(detail, dict)) if isinstance(details, list) else ()


def _retry_after(error: dict[str, Any]) -> float | None:
    return retry_after(next((str(d["retryDelay"]) for d in _details(error) if d.get("retryDelay")), "").removesuffix("s"))


def _plain(body: bytes) -> str:
    text = body[:_LONGEST].decode("utf-8", "replace").strip()
    return f"not an answer of the API: {text!r}" if text else ""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
