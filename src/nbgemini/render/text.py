"""Text that can do nothing but be read: control characters shown, line ends made one kind.

Invariants: no escape sequence survives, at any cut; joiners and variation selectors, which emoji and scripts need, do.
"""

from __future__ import annotations

_KEPT = "\n\t"
_HIDDEN = [
    *range(0x200B, 0x200C),
    *range(0x200E, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0x061C,
    0x180E,
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0000, 0xE0080),
]


def _table() -> dict[int, str]:
    shown = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _KEPT}
    shown |= {code: f"\\x{code:02x}" for code in range(0x7F, 0xA0)}
    shown |= {code: f"‹U+{code:04X}›" for code in _HIDDEN}  # noqa: RUF001 - not to be taken for a tag
    shown |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
    return shown


_SHOWN = _table()


def harmless(text: str) -> str:
    """Return `text` with every control character visible; CR and CRLF become LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_SHOWN)
