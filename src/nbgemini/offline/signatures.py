"""Thought signatures that can be checked: issued for one part, valid only in that part."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from typing import Any

_SECRET = secrets.token_bytes(32)
_SENTINELS = {"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}  # accepted for foreign history
_LENGTH = 64


def sign(part: dict[str, Any]) -> dict[str, Any]:
    """Return the part with its signature."""
    return {**part, "thoughtSignature": base64.b64encode(_mark(part)).decode()}


def genuine(part: dict[str, Any]) -> bool:
    """Whether the part's signature was issued by this process for this very part (or is a sentinel)."""
    text = str(part.get("thoughtSignature"))
    if text in _SENTINELS:
        return True
    try:
        found = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(found, _mark(part))


def _mark(part: dict[str, Any]) -> bytes:
    call, code = part.get("functionCall") or {}, part.get("executableCode") or {}
    said: list[Any] = ["text", part.get("text") or ""]
    if call:
        said = ["call", call.get("name"), call.get("args") or {}]
    elif code:
        said = ["code", code.get("code")]
    text = json.dumps(said, sort_keys=True)
    return (hmac.digest(_SECRET, text.encode(), "sha512") + hashlib.sha256(text.encode()).digest())[:_LENGTH]
