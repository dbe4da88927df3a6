"""Characters that a reader does not see and a model does: what Unicode calls default-ignorable, and what looks like a blank.

Text can be smuggled in them past a reader's eyes. Not among the hidden are the joiners and the two selectors that emoji and
scripts need in prose; where only a model reads a text, as the description of a tool, they have no place either.
"""

from __future__ import annotations

import unicodedata

HIDDEN = (
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x200B, 0x200E, 0x200F, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x2028, 0x202F),  # line ends of another kind, and bidi controls
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE0E),  # but not the two that choose text or emoji
    *range(0xFFF0, 0xFFFC),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE1000),
)
_NEEDED_IN_PROSE = (0x180B, 0x180C, 0x180D, 0x180F, 0x200C, 0x200D, 0x2800, 0xFE0E, 0xFE0F)
_LEFT_OUT = dict.fromkeys((*HIDDEN, *_NEEDED_IN_PROSE))
_KEPT = "\n\t"


def visible(text: str) -> str:
    """Return a text without any of them, and without control characters but line ends and tabs."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign for sign in text.translate(_LEFT_OUT) if sign in _KEPT or unicodedata.category(sign)[0] != "C")
