"""What all outputs of this kernel show or leave out, as its user wants it.

The wish is the whole kernel's, and what it changes stands at many heights; so it is kept here, below all of them.
"""

from __future__ import annotations


class Looks:
    """What is shown.

    Attributes:
        durations: how long something took; it differs each time, so a notebook whose outputs are compared leaves it out.
        latex: answers as LaTeX too, which documents made of a notebook take.
    """

    durations = True
    latex = True


LOOKS = Looks()


def duration_text(seconds: float) -> str:
    """Return a time with one digit, or nothing."""
    return f"{seconds:.1f} s" if LOOKS.durations else ""
