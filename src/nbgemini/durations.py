"""How long something took, in words, or not at all: a notebook whose outputs are compared leaves out what differs each time.

The wish is the whole kernel's, and what shows a time stands at many heights; so it is kept here, below all of them.
"""

from __future__ import annotations

_shown = [True]


def show(wanted: bool) -> None:
    """Say from now on how long something took, or don't."""
    _shown[0] = wanted


def duration_text(seconds: float) -> str:
    """Return a time with one digit, or nothing."""
    return f"{seconds:.1f} s" if _shown[0] else ""


def shown() -> bool:
    """Whether times are said."""
    return _shown[0]
