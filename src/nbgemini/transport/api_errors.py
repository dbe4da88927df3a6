"""What an error body says, as the right class of the error tree.

Bodies come as an object in many shapes, as a one-element array, as HTML from a proxy, or empty; `code` may be a number, a text
or missing. Sources: google.rpc.Status with RetryInfo, QuotaFailure and ErrorInfo details (AIP-193); the pages on errors of
platform.claude.com and platform.openai.com, whose words stand under `type`, or under `code` as a text (2026-11-21).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec import Struct

from nbgemini.errors import ApiError, AuthenticationError, QuotedMessage, RateLimitError, ServerError, adapt, root_cause

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
    speaks = any((said := data.get(name)) and isinstance(said, str | list | dict) for name in _BARE)
    return dict(data) if bare and (speaks or _failed(data)) else None


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


def _failed(data: Mapping[str, Any]) -> bool:
    """Whether MiniMax's envelope tells of a failure."""
    envelope = data.get("base_resp")
    return isinstance(envelope, dict) and bool(envelope.get("status_code"))


WORDS = {
    "context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens", "contextwindowexceedederror",
    "context_window_exceeded", "contextlengthexceeded", "model_max_prompt_tokens_exceeded", "tokens_limit_reached",
    "prompt_too_long", "input_too_long", "max_context_length_exceeded", "context_size_exceeded", "string_above_max_length",
    "context_overflow", "model_context_window_exceeded",
}  # fmt: skip
_N = r"\(?(?P<{}>\d[\d,]{{0,14}})\)?"
_SENT, _TAKEN, _MORE = (_N.format(name) for name in ("sent", "taken", "more"))
_YOU, _BUT = r"you(?:r messages resulted in| requested)", r"(?:but|however,?) (?:the|your) request"
_WINDOW = r".{0,40}?(?:length|context|limit)(?: of)?"
# Patterns are compiled where the first error is read; at import they would take 4 ms.
_COUNTED = (
    rf"input token count {_SENT} exceeds the maximum number of tokens allowed {_TAKEN}",
    rf"prompt is too long: {_SENT} tokens > {_TAKEN} maximum",
    rf"(?:context|prompt) length (?:is|of) {_TAKEN} tokens\. However, {_YOU}(?: about)? {_SENT}",
    rf"maximum (?:context|prompt) length is {_TAKEN}(?: tokens)?,? {_BUT} (?:contains|has) {_SENT}",
    rf"maximum context length of {_TAKEN} tokens\. You requested a total of {_SENT}",
    rf"(?:request|prompt) {_SENT}(?: tokens\))? exceeds the available context size {_TAKEN}",
    rf"request \({_SENT} tokens\) exceeds the available context size \({_TAKEN} tokens",
    rf"prompt contains {_SENT} tokens.{{0,40}}, too large for model with {_TAKEN} maximum context length",
    rf"prompt token count of {_SENT} exceeds the limit of {_TAKEN}",
    rf"first {_SENT} tokens when context the overflows.{{0,80}} context length of only {_TAKEN}",
    rf"(?:prompt|input)(?: is| has)? \(?(?:length )?{_SENT}(?: tokens)?\)? (?:is longer than|exceeds) {_WINDOW} {_TAKEN}",
    rf"input length {_SENT} exceeds .{{0,40}}?{_TAKEN}",
    rf"input has {_SENT} tokens.{{0,60}}(?:limit|maximum).{{0,20}}? {_TAKEN}",
    rf"(?:input|prompt) token count (?:is )?{_SENT},? (?:but .{{0,30}}?up to|cannot exceed) {_TAKEN}",
    rf"prompt is {_SENT} tokens long.{{0,120}}maximum supported sequence length is .{{0,10}}?{_TAKEN}",
)
_EXCESS = (
    rf"exceed(?:ed|s) (?:the )?max(?:imum)? context length by {_MORE}",
    rf"too many tokens: .{{0,40}}exceeded by {_MORE}",
)
_SIGNS = r"""(?ix)
    (?: exceed\w* | larger\ than | longer\ than | overflow\w* | over\ the | greater\ than | beyond | surpass\w* ) .{0,80}?
        (?: context\ (?:length|window|size|limit) | (?:prompt|input|sequence)\ length | token\ limit | max_model_len
          | maximum\ (?:number\ of\ )?(?:input\ )?tokens )
    | (?: context\ (?:length|window|size|limit) | (?:prompt|input)\ length | token\ limit | max_model_len ) .{0,80}?
        (?: exceed\w* | too\ (?:long|large|small) | overflow\w* | reached | \b must\ be\ (?:less|<) )
    | (?: prompt | input | message\w* | conversation | chat | request | context ) \ (?: is\ | was\ | are\ )? too\ long
    | too\ many\ (?: prompt\ | input\ )? tokens \b (?! \ per )
    | maximum\ (?: context | prompt | input )\ length\ (?:is|of) .{0,80}? (?: request\w* | result\w* | contain\w* | reduce )
    | reduce\ the\ length\ of\ (?:the|your)\ (?: messages | prompt | input | chat )
    | range\ of\ input\ length\ should\ be
    | inputs?`?\ tokens\ \+\ `?max_new_tokens
    | request\ (?:body\ )?too\ large
    | (?:prompt|input)\ exceeds\ max\w*\ length
    | total\ number\ of\ tokens\ exceeds
    | inputs?`?\ must\ have\ less\ than\ \d+\ tokens
    | context_?window_?exceeded | context_length_exceeded | too_many_prompt_tokens
    """
_LOOKED_AT = 2_000  # characters of a message


def too_long(message: str, words: set[str]) -> str | None:
    """Return in a line that the prompt is too long, counted where the message counts; None if that is not what it says.

    Args:
        message: the service's own, in one line.
        words: its words for the kind of error, in lower case.
    """
    text = message[:_LOOKED_AT]
    if found := next(filter(None, (re.search(form, text, re.IGNORECASE) for form in _COUNTED)), None):
        sent, taken = _number(found["sent"]), _number(found["taken"])
        if sent > taken:
            return f"{sent - taken:,} tokens too many: {sent:,} were asked, the model takes {taken:,}"
    if found := next(filter(None, (re.search(form, text, re.IGNORECASE) for form in _EXCESS)), None):
        return f"{_number(found['more']):,} tokens too many"
    return message if words & WORDS or re.search(_SIGNS, text) else None


def _number(text: str) -> int:
    return int(text.replace(",", ""))


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
    (_UNPAID, " → check the balance of your account with the service"),
    ({"not_found", "not_found_error", "model_not_found", "notfounderror"}, " → %gemini models lists them"),
    ({"request_too_large"}, " → attach less, or smaller files"),
)
_KEY = (
    r"(?i)\b(?:incorrect|invalid|missing|expired|no|wrong|bad) (?:api[ _-]?key|auth\w* token|access token|credentials?)\b"
    r"|\blogin fail|\bapi[ _-]?key\b.{0,30}\b(?:not valid|invalid|not found|expired|required|missing|incorrect|revoked)\b"
)
_HOPELESS = (
    r"(?i)requires? --\w|does(?: not|n't) support|\bnot (?:supported|implemented)\b|\bunsupported\b|more system memory"
    r"|\bunknown model\b|\blimit: 0\b"
)
_NO_MONEY = r"(?i)\binsufficient (?:balance|credits?|funds)\b"
_NO_KEYS = r"(?i)API keys are not supported|Expected OAuth ?2 access token"
# What a 403 may be about, other than the key: in Google's reasons or in anybody's words.
_ELSEWHERE = (
    (
        r"SERVICE_DISABLED|has not been used in project|API is disabled|\bnot enabled\b",
        " → switch this API on in the project that the key belongs to, and ask again in a few minutes",
    ),
    (
        r"BILLING_DISABLED|requires billing|billing (?:account|to be enabled|is disabled)",
        " → check the billing of the project that the key belongs to",
    ),
    (
        (
            r"IAM_PERMISSION_DENIED|USER_PROJECT_DENIED|CONSUMER_INVALID|Permission '[^']{1,200}' denied|denied on resource"
            r"|\bIAM\b|not authorized to perform|AccessDenied"
        ),
        " → the owner of the project must allow it (IAM)",
    ),
    (r"API_KEY_\w+_BLOCKED", " → the key is restricted: allow this API and this machine in its settings, or take another key"),
    (r"(?i)\bexplicit deny\b|not allowed to (?:access|use) (?:the )?model|model_not_allowed", ""),
    (r"(?i)flagged|moderation", " → ask in other words"),
    (r"(?i)<(?:!doctype|html)|cloudflare", " → this is from a proxy or firewall, not from the service"),
    (r"(?i)(?:cachedcontent|file|resource)\b.{0,80}\b(?:not found|not exist)", ""),
    (r"(?i)\b(?:region|country|territory|location)\b|LOCATION_", ""),
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
    unpaid = _PAYMENT in (code, said.code) or re.search(_NO_MONEY, message)
    words = [_one_line(word) for word in said.words] + (["billing_error"] if unpaid else [])
    status, known = words[0] if words else "", {word.lower() for word in words}
    reason = next((str(d["reason"]) for d in said.details if d.get("reason")), "")
    long = too_long(message, known)
    code = _UNAUTHENTICATED if code == _UNAUTHENTICATED else said.code or code
    elsewhere = _elsewhere(code, known, f"{reason} {message}")
    kind = ApiError if elsewhere is not None or (long and code != _TOO_MANY_REQUESTS) else _kind(code, known, reason, message)
    daily = kind is RateLimitError and ("PerDay" in json.dumps(error) or "quota_exceeded" in known)
    asked = retry_after(next((str(d["retryDelay"]) for d in said.details if d.get("retryDelay")), "").removesuffix("s"))
    wait = wait if asked is None else asked
    passes = code in _PASSING or kind is RateLimitError or not _TROUBLE.isdisjoint(known)
    hopeless = long or kind is AuthenticationError or not (_UNPAID | _NEVER).isdisjoint(known) or re.search(_HOPELESS, message)
    passing = passes and not daily and not hopeless
    advice = _ASK_LESS if long else elsewhere
    if advice is None:
        advice = _advice(kind, known, key_name, message, code) or _when(kind, wait, daily=daily, passing=passing)
    label = " ".join(str(word) for word in (code, status) if word)
    text = long or message
    said_so = f"{text} ({label})" if label else text
    made = kind(QuotedMessage(said_so + adapt(advice)), code=code, status=status, reason=reason)
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
    about_key = code in (0, 200, 400, _UNAUTHENTICATED, _FORBIDDEN) and re.search(_KEY, message)
    if reason == "API_KEY_INVALID" or code in (_UNAUTHENTICATED, _FORBIDDEN) or words & (_NO_KEY | _NOT_ALLOWED) or about_key:
        return AuthenticationError
    if code == _TOO_MANY_REQUESTS or words & _TOO_MANY:
        return RateLimitError
    if code >= 500 or words & _TROUBLE:  # noqa: PLR2004 - HTTP
        return ServerError
    return ApiError


def _elsewhere(code: int, words: set[str], said: str) -> str | None:
    """Return the way out if it is forbidden for another reason than the key; None if it is about that, or not forbidden."""
    if code == _UNAUTHENTICATED and re.search(_NO_KEYS, said):
        return " → this address takes OAuth tokens, not keys; ask Gemini's own API, or sign in (vertex: with google-genai)"
    if code != _FORBIDDEN and not words & _NOT_ALLOWED:
        return None
    return next((advice for form, advice in _ELSEWHERE if re.search(form, said)), None)


def _when(kind: type[ApiError], wait: float | None, *, daily: bool, passing: bool) -> str:
    """Say when it may go better: when a quota is there again, or soon."""
    others = "%gemini models lists other models"
    if kind is not RateLimitError:
        return " → ask again in a moment" if passing else ""
    if daily:
        return f" → the daily quota resets at midnight Pacific time; {others}"
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
        return " → this service needs a key; set NAME_API_KEY, where NAME is the part before the colon in -m"
    if key_name in (GEMINI_KEY, "GOOGLE_API_KEY"):
        return f" → set {GEMINI_KEY} or run %gemini key"
    return f" → set {key_name} or run %gemini key {key_name.removesuffix('_API_KEY').lower()}"


def _plain(body: bytes) -> str:
    text = body[:_LONGEST].decode("utf-8", "replace").strip()
    return f"not an answer of the API: {text!r}" if text else ""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def cause(error: Exception) -> str:
    """Say in a few words what the system said; never the URL."""
    inner = root_cause(error)
    text: Any = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    if "Connect call failed" in text:
        return "connection refused"
    return " ".join(str(text).split())[:120]
