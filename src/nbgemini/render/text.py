"""Text that can do nothing but be read: control characters shown, line ends made one kind.

Hidden is what Unicode calls default-ignorable: text can be smuggled in it past a reader's eyes.
Invariants: no escape sequence survives, at any cut; joiners and the selectors that emoji and scripts need do.
"""

from __future__ import annotations

from nbgemini.invisible import HIDDEN

_KEPT = "\n\t"


def _table() -> dict[int, str]:
    shown = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _KEPT}
    shown |= {code: f"\\x{code:02x}" for code in range(0x7F, 0xA0)}
    shown |= {code: f"‹U+{code:04X}›" for code in HIDDEN}  # noqa: RUF001 - not to be taken for a tag
    shown |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
    return shown


_SHOWN = _table()


def harmless(text: str) -> str:
    """Return `text` with every control character visible; CR and CRLF become LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_SHOWN)
