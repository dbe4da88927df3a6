"""Thought signatures that can be checked: issued for one part, valid only in that part.

Signatures of others, as a recorded answer holds them, are taken at their own place too: in a part that says the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Container
from typing import Any, TypeAlias

Place: TypeAlias = tuple[str, str]

_SECRET = b"nbgemini's offline service"  # nothing to protect: a saved chat goes on with the next service too
_SENTINELS = {"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}  # accepted for foreign history
_LENGTH = 64


def sign(part: dict[str, Any]) -> dict[str, Any]:
    """Return the part with its signature."""
    return {**part, "thoughtSignature": base64.b64encode(_mark(part)).decode()}


def genuine(part: dict[str, Any], foreign: Container[Place] = ()) -> bool:
    """Whether the part's signature was issued here for this very part, or is foreign at its place, or a sentinel."""
    text = str(part.get("thoughtSignature"))
    if text in _SENTINELS or place(part) in foreign:
        return True
    return hmac.compare_digest(_bare(text).encode(), _bare(base64.b64encode(_mark(part)).decode()).encode())


def place(part: dict[str, Any]) -> Place:
    """Return a part's signature with what the part says."""
    return _bare(str(part.get("thoughtSignature"))), _essence(part)


def _bare(text: str) -> str:
    """Return one spelling of base64: the official client sends the other alphabet back."""
    return text.replace("-", "+").replace("_", "/").rstrip("=")


def _mark(part: dict[str, Any]) -> bytes:
    said = _essence(part).encode()
    return (hmac.digest(_SECRET, said, "sha512") + hashlib.sha256(said).digest())[:_LENGTH]


def _essence(part: dict[str, Any]) -> str:
    """Return what a part says, the same however a client writes it."""
    call, code = part.get("functionCall"), part.get("executableCode")
    said: list[Any] = ["text", part.get("text") or ""]
    if isinstance(call, dict):
        said = ["call", call.get("name"), call.get("args") or {}]
    elif isinstance(code, dict):
        said = ["code", code.get("code")]
    return json.dumps(said, sort_keys=True)
