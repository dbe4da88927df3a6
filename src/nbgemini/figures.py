"""Tokens and money in words."""

from __future__ import annotations

from nbgemini.turns import Usage

_LEAST = 0.0001  # USD that four digits can say


def tokens_text(usage: Usage) -> str:
    """Return the token counts that are known, in words."""
    cached = f" ({usage.cached:,} cached)" if usage.cached else ""
    counts = {f"in{cached}": usage.input, "thought": usage.thought, "out": usage.output}
    return " / ".join(f"{count:,} {word}" for word, count in counts.items() if count)


def money_text(cost: float | None) -> str:
    """Return a price in dollars with as many digits as it needs, or nothing."""
    return "" if not cost else f"${cost:.4f}" if cost >= _LEAST else f"<${_LEAST}"


def percent(tokens: int, window: int) -> str:
    """Return a share; one that is not nothing is never called 0 %."""
    share = 100 * tokens / window
    return f"{share:.0f} %" if share >= 1 else "< 1 %"
