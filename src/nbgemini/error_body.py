"""What an error body says, as the right class of the error tree.

Bodies come as an object, as a one-element array, as HTML from a proxy, or empty; `code` may be a number, a string or
missing. Source: google.rpc.Status with RetryInfo, QuotaFailure and ErrorInfo details (AIP-193).
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
_TOO_LONG = re.compile(r"input token count \(?(\d{1,15})\)? exceeds the maximum number of tokens allowed \(?(\d{1,15})")
_LONG_WAIT = 120  # seconds, and minutes: what is longer is told in the next unit
_LONGEST = 300  # characters of a service's message; the rest is noise in a cell


def error_from_body(code: int, body: bytes, wait: float | None = None) -> ApiError:
    """Return the error that an HTTP answer with this status code and body means; `wait` is what its Retry-After header says."""
    try:
        data = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):  # brackets without end
        return error_from_data(code, {"message": _plain(body)}, wait)
    if isinstance(data, list) and data:
        data = data[0]
    error = data.get("error") if isinstance(data, dict) else None
    return error_from_data(code, error if isinstance(error, dict) else {"message": str(error or _plain(body))}, wait)


def error_from_data(code: int, error: dict[str, Any], wait: float | None = None) -> ApiError:
    """Return the error that the object under the key `error` means; `code` and `wait` count where it names none."""
    number = error.get("code")
    code = int(str(number)) if str(number).isdecimal() and len(str(number)) < _DIGITS else code
    status = _one_line(str(error.get("status") or (number if isinstance(number, str) else "")))
    reason = next((str(d["reason"]) for d in _details(error) if d.get("reason")), "")
    text = _one_line(str(error.get("message") or "the service gave no reason"))
    kind = _kind(code, status, reason)
    daily = kind is RateLimitError and "PerDay" in json.dumps(error)
    asked = _retry_after(error)
    wait = wait if asked is None else asked
    advice = _when(wait, daily=daily) if kind is RateLimitError else ""
    made = kind(_advise(kind, text, code, status, advice), code=code, status=status, reason=reason)
    made.retry_after = wait
    if isinstance(made, RateLimitError):
        made.daily = daily
    made.passing = code in _PASSING or status in ("INTERNAL", "UNAVAILABLE") or kind is RateLimitError
    made.passing = made.passing and not (isinstance(made, RateLimitError) and made.daily)
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


def _kind(code: int, status: str, reason: str) -> type[ApiError]:
    if reason == "API_KEY_INVALID" or code in (401, 403) or status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return AuthenticationError
    if code == 429 or status == "RESOURCE_EXHAUSTED":  # noqa: PLR2004 - HTTP
        return RateLimitError
    if code >= 500 or status in ("INTERNAL", "UNAVAILABLE"):  # noqa: PLR2004 - HTTP
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


def _advise(kind: type[ApiError], text: str, code: int, status: str, advice: str) -> str:
    label = " ".join(str(word) for word in (code, status) if word)
    if too_long := _TOO_LONG.search(text):
        sent, taken = int(too_long[1]), int(too_long[2])
        text = f"{sent - taken:,} tokens too many: {sent:,} were asked, the model takes {taken:,}"
        advice = " → %gemini drop, reset or fork the chat, or -m a model with a larger window (%gemini models)"
    elif kind is AuthenticationError:
        advice = " → set GEMINI_API_KEY or run %gemini key"
    elif status == "NOT_FOUND":
        advice = " → %gemini models lists what there is"
    elif kind is ServerError:
        advice = " → ask again in a moment"
    return f"{text} ({label}){advice}" if label else f"{text}{advice}"


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
