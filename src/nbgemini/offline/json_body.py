"""JSON as Gemini reads it: strict UTF-8, no NaN, no lone surrogates, no number beyond a double, not too deep."""

from __future__ import annotations

from typing import Any

import msgspec

_DEEPEST = 100
_MOST_VALUES = 500_000  # in memory each takes many times as much as in its text
_BROKEN = "Invalid JSON payload received. {}"


class InvalidRequest(Exception):  # noqa: N818 - it is what the request is
    """The request is not valid; the text is what Google answers."""


def decode_json(text: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises:
        InvalidRequest: it is not JSON, or too deep.
    """
    if sum(map(text.count, (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{"))) > _MOST_VALUES:  # type: ignore[arg-type]
        raise InvalidRequest(_BROKEN.format("Too many values."))
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(_BROKEN.format(error)) from None
    if _is_too_deep(value):
        raise InvalidRequest(_BROKEN.format("Message too deep. Max recursion depth reached."))
    return value


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [child for item in level for child in _children(item)]
    return bool(level)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
