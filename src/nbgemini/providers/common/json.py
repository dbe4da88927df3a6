"""What services send as JSON, whatever it turns out to be: objects, lists and counts, or their absence."""

from __future__ import annotations

from typing import Any

from nbgemini.providers.base import OVER
from nbgemini.transport.framing import DONE, load_json

_ENDS = (OVER, DONE)
_LARGEST = 2**63
_DIGITS = 18


def load_frame(frame: bytes) -> Any:
    """Decode a frame; what says that a stream is at its end stays bytes.

    Raises:
        WireError: it is not JSON.
    """
    return frame if frame in _ENDS else load_json(frame)


def as_dict(value: Any) -> dict[str, Any]:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list, an empty one for anything else."""
    return value if isinstance(value, list) else []


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects in what should be a list of them."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_count(value: Any) -> int:
    """Return a count, which some write as text or as a float; 0 for anything else."""
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value) if 0 <= value < _LARGEST else 0
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS
    return int(value) if digits else 0
