"""Counts, tokens and money in words."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from nbgemini._environment import HOST

if TYPE_CHECKING:
    from nbgemini.messages.turns import Usage

_LEAST = 0.0001  # USD that four digits can say


def tokens_text(usage: Usage) -> str:
    """Return the token counts that are known, in words."""
    cached = f" ({usage.cached:,} cached)" if usage.cached else ""
    counts = {f"in{cached}": usage.input, "thought": usage.thought, "out": usage.output}
    return " / ".join(f"{count:,} {word}" for word, count in counts.items() if count)


def money_text(cost: float | None) -> str:
    """Return a price in dollars with as many digits as it needs, or nothing."""
    return "" if not cost else f"${cost:.4f}" if cost >= _LEAST else f"<${_LEAST}"


def plural(number: int, name: str) -> str:
    """Return a count with its noun: `1 exchange`, `2 exchanges`."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def percent(tokens: int, window: int) -> str:
    """Return a share; one that is not nothing is never called 0 %."""
    share = 100 * tokens / window
    return f"{share:.0f} %" if share >= 1 else "< 1 %"


def duration_text(seconds: float) -> str:
    """Return a time with one digit, or nothing."""
    return f"{seconds:.1f} s" if HOST.durations else ""


_NEEDED_IN_PROSE = (0x180B, 0x180C, 0x180D, 0x180F, 0x200C, 0x200D, 0x2800, 0xFE0E, 0xFE0F)
_KEPT = "\n\t"


def invisible_codes() -> tuple[int, ...]:
    """Return the code points of characters that nobody sees; 4,400 of them, listed when they are first needed."""
    return (
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x200B, 0x200E, 0x200F, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x2028, 0x202F),  # line ends of another kind, and bidi controls
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE0E),  # but not the two that choose text or emoji
        *range(0xFFF0, 0xFFFC),
        *range(0x1BCA0, 0x1BCA4),
        *range(0x1D173, 0x1D17B),
        *range(0xE0000, 0xE1000),
    )


@cache
def _left_out() -> dict[int, None]:
    return dict.fromkeys((*invisible_codes(), *_NEEDED_IN_PROSE))


def visible(text: str) -> str:
    """Return a text without any of them, and without control characters but line ends and tabs."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign for sign in text.translate(_left_out()) if sign in _KEPT or unicodedata.category(sign)[0] != "C")
