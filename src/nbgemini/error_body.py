"""What an error body says, as the right class of the error tree.

Bodies come as an object in many shapes, as a one-element array, as HTML from a proxy, or empty; `code` may be a number, a text
or missing. Sources: google.rpc.Status with RetryInfo, QuotaFailure and ErrorInfo details (AIP-193); the pages on errors of
platform.claude.com and platform.openai.com, whose words stand under `type`, or under `code` as a text (2026-11-21).
"""

from __future__ import annotations

import json
import math
import re
from email.utils import parsedate_to_datetime
from typing import Any

from nbgemini.error_reason import Reason, reason_of
from nbgemini.errors import ApiError, AuthenticationError, RateLimitError, ServerError
from nbgemini.too_long import too_long

_PASSING = (408, 500, 502, 503, 504, 529)  # sent again, it may succeed (AIP-194; 529 is Anthropic's "overloaded")
_UNAUTHENTICATED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY_REQUESTS = 401, 403, 404, 429
_NO_KEY = {
    "unauthenticated", "unauthorized", "authentication_error", "authenticationerror", "invalid_api_key", "incorrect_api_key",
    "invalid_authentication_error", "auth_error", "invalid_token",
}  # fmt: skip
_NOT_ALLOWED = {"permission_denied", "permission_error", "permissiondeniederror", "forbidden"}
_TOO_MANY = {"resource_exhausted", "rate_limit_error", "rate_limit_exceeded", "insufficient_quota", "too_many_requests"}
_TROUBLE = {"internal", "unavailable", "api_error", "overloaded_error", "timeout_error", "server_error", "internalservererror"}
_PAYMENT = 402  # what OpenRouter and DeepSeek answer where credit has run out
_UNPAID = {
    "insufficient_quota",
    "billing_error",
    "exceeded_current_quota_error",
    "insufficient_balance",
}  # waiting helps nobody
_NEVER = {  # the same request fails again, whatever the code
    "invalid_request_error", "not_supported_error", "not_found_error", "model_not_found", "invalid_argument", "unsupported",
    "invalid_request", "unimplemented", "not_implemented",
}  # fmt: skip
_ASK_LESS = " → %gemini drop, reset or fork the chat, or -m a model with a larger window (%gemini models)"
_ADVICE = (
    (_UNPAID, " → look at the balance of your account with the service"),
    ({"not_found", "not_found_error", "model_not_found", "notfounderror"}, " → %gemini models lists what there is"),
    ({"request_too_large"}, " → attach less, or smaller files"),
)
_KEY = re.compile(
    r"\b(?:incorrect|invalid|missing|expired|no|wrong|bad) (?:api[ _-]?key|auth\w* token|access token|credentials?)\b"
    r"|\blogin fail|\bapi[ _-]?key\b.{0,30}\b(?:not valid|invalid|not found|expired|required|missing|incorrect|revoked)\b",
    re.IGNORECASE,
)
_HOPELESS = re.compile(
    r"requires? --\w|does(?: not|n't) support|\bnot (?:supported|implemented)\b|\bunsupported\b|more system memory"
    r"|\bunknown model\b|\blimit: 0\b",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(r"\binsufficient (?:balance|credits?|funds)\b", re.IGNORECASE)
# What a 403 may be about, other than the key: in Google's reasons or in anybody's words.
_ELSEWHERE = (
    (
        re.compile(r"SERVICE_DISABLED|has not been used in project|API is disabled|\bnot enabled\b"),
        " → switch this API on in the project that the key belongs to, and ask again in a few minutes",
    ),
    (
        re.compile(r"BILLING_DISABLED|requires billing|billing (?:account|to be enabled|is disabled)"),
        " → look at the billing of the project that the key belongs to",
    ),
    (
        re.compile(
            r"IAM_PERMISSION_DENIED|USER_PROJECT_DENIED|CONSUMER_INVALID|Permission '[^']{1,200}' denied|denied on resource"
            r"|\bIAM\b|not authorized to perform|AccessDenied",
        ),
        " → whoever owns the project must allow it (IAM)",
    ),
    (re.compile(r"flagged|moderation", re.IGNORECASE), " → ask in other words"),
    (re.compile(r"<(?:!doctype|html)|cloudflare", re.IGNORECASE), " → a proxy or a firewall on the way says so"),
    (re.compile(r"(?:cachedcontent|file|resource)\b.{0,80}\b(?:not found|not exist)", re.IGNORECASE), ""),
    (re.compile(r"\b(?:region|country|territory|location)\b|LOCATION_", re.IGNORECASE), ""),
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
        data = None
    if isinstance(data, list) and data:
        data = data[0]
    said = data if isinstance(data, dict) and reason_of(data) != Reason() else {"message": _plain(body)}
    return error_from_data(code, said, wait, key_name=key_name)


def error_from_data(code: int, error: dict[str, Any], wait: float | None = None, *, key_name: str = GEMINI_KEY) -> ApiError:
    """Return the error that an object means, in any of its shapes; `code` and `wait` count where it names none."""
    said = reason_of(error)
    message = _one_line(said.message or "the service gave no reason")
    unpaid = _PAYMENT in (code, said.code) or _NO_MONEY.search(message)
    words = [_one_line(word) for word in said.words] + (["billing_error"] if unpaid else [])
    status, known = words[0] if words else "", {word.lower() for word in words}
    reason = next((str(d["reason"]) for d in said.details if d.get("reason")), "")
    long = too_long(message, known)
    code = _UNAUTHENTICATED if code == _UNAUTHENTICATED else said.code or code
    elsewhere = _elsewhere(code, known, f"{reason} {message}")
    kind = ApiError if elsewhere is not None or (long and code != _TOO_MANY_REQUESTS) else _kind(code, known, reason, message)
    daily = kind is RateLimitError and ("PerDay" in json.dumps(error) or "quota_exceeded" in known)
    asked = _retry_after(said)
    wait = wait if asked is None else asked
    passes = code in _PASSING or kind is RateLimitError or not _TROUBLE.isdisjoint(known)
    hopeless = long or kind is AuthenticationError or not (_UNPAID | _NEVER).isdisjoint(known) or _HOPELESS.search(message)
    passing = passes and not daily and not hopeless
    advice = _ASK_LESS if long else elsewhere
    if advice is None:
        advice = _advice(kind, known, key_name, message, code) or _when(kind, wait, daily=daily, passing=passing)
    label = " ".join(str(word) for word in (code, status) if word)
    text = long or message
    made = kind(f"{text} ({label}){advice}" if label else f"{text}{advice}", code=code, status=status, reason=reason)
    made.retry_after = wait
    if isinstance(made, RateLimitError):
        made.daily = daily
    made.passing = passing
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


def _kind(code: int, words: set[str], reason: str, message: str) -> type[ApiError]:
    about_key = code in (0, 400, _UNAUTHENTICATED, _FORBIDDEN) and _KEY.search(message)
    if reason == "API_KEY_INVALID" or code in (_UNAUTHENTICATED, _FORBIDDEN) or words & (_NO_KEY | _NOT_ALLOWED) or about_key:
        return AuthenticationError
    if code == _TOO_MANY_REQUESTS or words & _TOO_MANY:
        return RateLimitError
    if code >= 500 or words & _TROUBLE:  # noqa: PLR2004 - HTTP
        return ServerError
    return ApiError


def _elsewhere(code: int, words: set[str], said: str) -> str | None:
    """Return the way out if it is forbidden for another reason than the key; None if it is about that, or not forbidden."""
    if code != _FORBIDDEN and not words & _NOT_ALLOWED:
        return None
    return next((advice for form, advice in _ELSEWHERE if form.search(said)), None)


def _when(kind: type[ApiError], wait: float | None, *, daily: bool, passing: bool) -> str:
    """Say when it may go better: when a quota is there again, or soon."""
    others = "%gemini models lists other models"
    if kind is not RateLimitError:
        return " → ask again in a moment" if passing else ""
    if daily:
        return f" → the quota of a day begins anew at midnight Pacific time; {others}"
    if not passing:
        return f" → {others}"
    return f" → ask again {'in a moment' if wait is None else f'in {_span(wait)}'}; {others}"


def _span(seconds: float) -> str:
    if seconds > _LONG_WAIT * 60:
        return f"{seconds / 3600:.0f} h"
    return f"{math.ceil(seconds)} s" if seconds <= _LONG_WAIT else f"{math.ceil(seconds / 60)} min"


def _advice(kind: type[ApiError], words: set[str], key_name: str, message: str, code: int) -> str:
    if kind is AuthenticationError:
        return _key_advice(key_name)
    words = words | ({"model_not_found"} if code == _NOT_FOUND and "model" in message.lower() else set())
    return next((advice for known, advice in _ADVICE if known & words), "")


def _key_advice(key_name: str) -> str:
    """Say where the key belongs."""
    if not key_name:
        return " → this service wants a key after all; set NAME_API_KEY, where NAME is what stands before the colon in -m"
    if key_name in (GEMINI_KEY, "GOOGLE_API_KEY"):
        return f" → set {GEMINI_KEY} or run %gemini key"
    return f" → set {key_name} or run %gemini key {key_name.removesuffix('_API_KEY').lower()}"


def _retry_after(said: Reason) -> float | None:
    return retry_after(next((str(d["retryDelay"]) for d in said.details if d.get("retryDelay")), "").removesuffix("s"))


def _plain(body: bytes) -> str:
    text = body[:_LONGEST].decode("utf-8", "replace").strip()
    return f"not an answer of the API: {text!r}" if text else ""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
