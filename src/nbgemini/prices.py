"""What tokens cost: published prices per million tokens in USD, read on 2026-10-07; a model without a row has no price.

Output prices include thinking. Source: the Gemini API's pricing page (paid tier), as other price lists quote it.
"""

from __future__ import annotations

from msgspec import Struct

from nbgemini.turns import Usage


class Price(Struct, frozen=True):
    """USD per million tokens; above `long_from` input tokens the `long_*` prices count."""

    input: float
    output: float
    long_from: int = 0
    long_input: float = 0.0
    long_output: float = 0.0


_PRICES = {
    "gemini-3.8-flash": Price(0.75, 3.75),
    "gemini-3.5-flash": Price(1.50, 9.00),
    "gemini-3.5-flash-lite": Price(0.30, 2.50),
    "gemini-3.1-pro-preview": Price(2.00, 12.00, 200_000, 4.00, 18.00),
    "gemini-2.5-pro": Price(1.25, 10.00, 200_000, 2.50, 15.00),
    "gemini-2.5-flash": Price(0.30, 2.50),
    "gemini-2.5-flash-lite": Price(0.10, 0.40),
    "gemini-4-hydrogen": Price(1.50, 7.50),
}


def cost(model: str, usage: Usage) -> float | None:
    """Return what this usage costs in USD, or None where no price is known."""
    price = _PRICES.get(model)
    if price is None:
        return None
    long = price.long_from and usage.input > price.long_from
    asked, made = (price.long_input, price.long_output) if long else (price.input, price.output)
    return ((usage.input + usage.tool) * asked + (usage.output + usage.thought) * made) / 1_000_000


def price_of(model: str) -> str:
    """Return a model's price as "0.75 / 3.75", or nothing where it is not known."""
    price = _PRICES.get(model)
    return f"{price.input:g} / {price.output:g}" if price else ""
