"""Token counts of OpenAI's two dialects: output counts what was reasoned too, except with those who add it on top or beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbgemini.turns import Usage

_DIGITS = 16


def usage_of(said: Mapping[str, Any], asked: str, answered: str) -> Usage:
    """Return token counts; `asked` and `answered` are the dialect's words for input and output.

    What was answered is what the total leaves of it: that is right for xAI too, whose output does not hold the reasoning. Where
    the total leaves too little, as it counts no reasoning, it is the output itself.
    """
    given, made = _count(said, f"{asked}_tokens"), _count(said, f"{answered}_tokens")
    thought = _count(_dict(said, f"{answered}_tokens_details"), "reasoning_tokens") or _count(said, "reasoning_tokens")
    cached = _count(_dict(said, f"{asked}_tokens_details"), "cached_tokens")
    cached = cached or _count(said, "cached_tokens") or _count(said, "prompt_cache_hit_tokens")
    total = _count(said, "total_tokens") or given + made
    inside = made - thought if thought <= made else made
    return Usage(given, thought, max(inside, total - given - thought), cached, 0, total)


def _dict(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _count(data: Mapping[str, Any], key: str) -> int:
    """Return a count, which some write as a float or as text; 0 for anything else."""
    value = data.get(key)
    if (type(value) is float and value.is_integer()) or (
        isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _DIGITS
    ):
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**53 else 0
