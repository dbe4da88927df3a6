"""Who shows how far a map is that asks no terminal: a notebook says so when its extension is loaded.

A map stands below the notebook and knows none; so the notebook hands down what makes a bar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Maker: TypeAlias = Callable[[], Callable[[Any], object] | None]

_makers: list[Maker] = []


def show_by(maker: Maker) -> None:
    """Let `maker` make the bars from now on; it is called where a map begins."""
    _makers.append(maker)


def show_no_longer(maker: Maker) -> None:
    """Undo that; harmless twice."""
    if maker in _makers:
        _makers.remove(maker)


def made() -> Callable[[Any], object] | None:
    """Return a new bar; None if nobody makes any here."""
    return _makers[-1]() if _makers else None
