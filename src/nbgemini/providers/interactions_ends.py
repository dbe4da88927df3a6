"""How an interaction ends, and what its errors mean: data, dated 2026-11-21.

Source: ai.google.dev/gemini-api/docs/api-errors (codes are words here, also where the HTTP status was 200).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbgemini.error_body import error_from_data
from nbgemini.events import Continuation, Event, Fault, Finish
from nbgemini.providers.gemini_sources import dicts

_HTTP = {
    "invalid_request": 400, "parameter_unknown": 400, "failed_precondition": 400, "authentication": 401,
    "payment_required": 402, "permission_denied": 403, "not_found": 404, "model_not_found": 404, "already_exists": 409,
    "aborted": 409, "out_of_range": 416, "rate_limit_exceeded": 429, "quota_exceeded": 429, "too_many_requests": 429,
    "cancelled": 499, "api_error": 500, "unimplemented": 501, "service_unavailable": 503, "deadline_exceeded": 504,
    "gateway_timeout": 504,
}  # fmt: skip
_WITHHELD = {
    "safety", "recitation", "language", "prohibited_content", "spii", "blocklist", "image_safety", "image_prohibited_content",
    "image_recitation", "image_other", "content_blocked",
}  # fmt: skip
_MISSHAPEN = {
    "malformed_function_call", "malformed_tool_call", "unexpected_tool_call", "no_image", "too_many_tool_calls",
    "missing_thought_signature",
}  # fmt: skip
_COMPLETE = ("completed", "requires_action")  # the latter waits for us to answer calls
_GOING_ON = ("in_progress", "queued")
_CUT = ("incomplete", "cancelled", "budget_exceeded")


def ended(interaction: Mapping[str, Any]) -> Iterable[Event]:
    """Yield what the status of an interaction says of its end; nothing while it goes on."""
    status = str(interaction.get("status") or "")
    if status in _COMPLETE:
        yield Finish("complete", status)
    elif status in _CUT:
        yield Finish("truncated", status.upper())
    elif status == "requires_continuation":
        yield from _cut_in_two(interaction)
    elif status == "failed":
        for error in dicts(interaction.get("errors")) or [
            {"message": "the interaction failed, and the service does not say why"}
        ]:
            yield refused(error)
    elif status and status not in _GOING_ON:
        yield Finish("truncated", status.upper())


def refused(error: Any) -> Fault | Finish:
    """Return what an error says: withheld, broken off, or a fault."""
    if not isinstance(error, Mapping):
        return Fault(error_from_data(0, {"message": str(error)}))
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    if code in _WITHHELD:
        return Finish("blocked", code.upper(), message)
    if code in _MISSHAPEN:
        return Finish("truncated", code.upper(), message)
    if code not in _HTTP:
        return Fault(error_from_data(0, dict(error)))
    status = "NOT_FOUND" if code == "model_not_found" else code.upper()
    daily = {"quota": "PerDay"} if code == "quota_exceeded" else {}  # as Google's other API names a quota of a day
    return Fault(error_from_data(_HTTP[code], {**error, "code": _HTTP[code], "status": status, **daily}))


def _cut_in_two(interaction: Mapping[str, Any]) -> Iterable[Event]:
    token = interaction.get("continuation_token")
    if token and isinstance(token, str):
        yield Continuation(token)
    yield Finish("truncated", "CONTINUATION")
