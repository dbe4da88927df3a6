"""Thought signatures that can be checked: issued for one part, valid only in that part.

A call whose arguments come in pieces is signed with all of them where it begins; it may go back whole or as it came.
Signatures of others, as a recorded answer holds them, are taken at their own place too: in a part that says the same.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Container
from typing import Any, TypeAlias

Place: TypeAlias = tuple[str, str]

_SECRET = b"nbgemini's offline service"  # nothing to protect: a saved chat goes on with the next service too
_SENTINELS = {"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}  # accepted for foreign history
_BEGIN, _ALL = 24, 40  # bytes about what a part begins with, and about all of it; 24 end where a base64 letter does
_BEGIN_LETTERS = 32


def sign(part: dict[str, Any], whole: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the part with its signature; `whole` is what it says together with the pieces that follow it."""
    return {**part, "thoughtSignature": _issued(whole or part)}


def genuine(part: dict[str, Any], foreign: Container[Place] = ()) -> bool:
    """Whether the part's signature was issued here for this very part, or is foreign at its place, or a sentinel."""
    text = str(part.get("thoughtSignature"))
    if text in _SENTINELS or place(part) in foreign or (_bare(text), _beginning(part)) in foreign:
        return True
    letters = _BEGIN_LETTERS if _in_pieces(part) else None  # the arguments are in other parts
    return hmac.compare_digest(_bare(text)[:letters].encode(), _bare(_issued(part))[:letters].encode())


def place(part: dict[str, Any]) -> Place:
    """Return a part's signature with what the part says."""
    return _bare(str(part.get("thoughtSignature"))), _essence(part)


def _issued(part: dict[str, Any]) -> str:
    return base64.b64encode(_digest(_beginning(part))[:_BEGIN] + _digest(_essence(part))[:_ALL]).decode()


def _bare(text: str) -> str:
    """Return one spelling of base64: the official client sends the other alphabet back."""
    return text.replace("-", "+").replace("_", "/").rstrip("=")


def _digest(said: str) -> bytes:
    return hmac.digest(_SECRET, said.encode(), "sha512")


def _in_pieces(part: dict[str, Any]) -> bool:
    call = part.get("functionCall")
    return isinstance(call, dict) and bool(call.get("willContinue"))


def _beginning(part: dict[str, Any]) -> str:
    """Return what a part says before its arguments come."""
    call = part.get("functionCall")
    return json.dumps(["begin", call.get("name")]) if isinstance(call, dict) else _essence(part)


def _essence(part: dict[str, Any]) -> str:
    """Return what a part says, the same however a client writes it."""
    call, code = part.get("functionCall"), part.get("executableCode")
    if _in_pieces(part):
        return _beginning(part)
    said: list[Any] = ["text", part.get("text") or ""]
    if isinstance(call, dict):
        said = ["call", call.get("name"), call.get("args") or {}]
    elif isinstance(code, dict):
        said = ["code", code.get("code")]
    elif isinstance(inline := part.get("inlineData"), dict):
        said = ["data", _bare(str(inline.get("data")))]
    return json.dumps(json.loads(json.dumps(said), parse_float=_number), sort_keys=True)


def _number(text: str) -> float:
    """Return one value for 2 and 2.0: the official client keeps numbers that come in pieces as floats."""
    number = float(text)
    return int(number) if number.is_integer() else number
