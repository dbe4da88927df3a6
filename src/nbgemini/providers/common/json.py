"""What services send as JSON, whatever it turns out to be: objects, lists and counts, or their absence."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from nbgemini.errors import WireError
from nbgemini.providers.base import OVER
from nbgemini.transport.framing import DONE

_decode = msgspec.json.Decoder().decode
_LARGEST = 2**63
_DIGITS = 18


def load(frame: bytes) -> Any:
    """Decode a frame: the fast way, and for bad UTF-8, lone surrogates or NaN the lenient one; what is an end stays bytes.

    Raises:
        WireError: it is not JSON.
    """
    try:
        return _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if frame in (OVER, DONE):
        return frame
    text = frame.decode("utf-8", "replace")
    try:
        return _without_surrogates(json.loads(text))
    except json.JSONDecodeError as error:
        raise WireError(_not_json(text, error.pos)) from None
    except (ValueError, RecursionError):  # digits without end, brackets without end
        raise WireError(_not_json(text, 0)) from None


def as_dict(value: Any) -> dict[str, Any]:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list, an empty one for anything else."""
    return value if isinstance(value, list) else []


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects in what should be a list of them."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count(value: Any) -> int:
    """Return a count, which some write as text or as a float; 0 for anything else."""
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value) if 0 <= value < _LARGEST else 0
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS
    return int(value) if digits else 0


def _not_json(text: str, at: int) -> str:
    near = text[max(0, at - 30) : at + 30]
    return f"the service sent what is not JSON, at character {at} of {len(text)}: …{near!r}… → ask again"


def _without_surrogates(data: Any) -> Any:
    """Return the data without lone surrogates: no later request could carry them."""
    return json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
