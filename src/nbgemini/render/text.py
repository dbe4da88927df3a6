"""Text that can do nothing but be read: control characters shown, line ends made one kind.

Hidden is what Unicode calls default-ignorable: text can be smuggled in it past a reader's eyes.
Invariants: no escape sequence survives, at any cut; joiners and the selectors that emoji and scripts need do.
"""

from __future__ import annotations

import re

from nbgemini.invisible import HIDDEN

_KEPT = "\n\t"


def _table() -> dict[int, str]:
    shown = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _KEPT}
    shown |= {code: f"\\x{code:02x}" for code in range(0x7F, 0xA0)}
    shown |= {code: f"‹U+{code:04X}›" for code in HIDDEN}  # noqa: RUF001 - not to be taken for a tag
    shown |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
    return shown


_SHOWN = _table()
_BLANK = re.compile(
    "([\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800\t\x0b\x0c])\\1*"  # blanks that are no spaces
    r"|(?<=\S)(?<!\\n) {9,}| {41,}"  # spaces that push what follows out of sight; indentation does not
    r"|(?:\\n){9,}|\n{9,}"
)
_NAMES = {" ": "spaces", "\\": "line ends", "\n": "line ends", "\t": "tabs"}


def harmless(text: str) -> str:
    """Return `text` with every control character visible; CR and CRLF become LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_SHOWN)


def marked_blanks(text: str) -> str:
    """Return harmless `text` with blanks marked that look like nothing, and long runs of them counted."""
    return _BLANK.sub(_mark, text)


def _mark(found: re.Match[str]) -> str:
    run = found[0]
    count = len(run) // (2 if run[0] == "\\" else 1)
    name = _NAMES.get(run[0], f"U+{ord(run[0]):04X}")
    return f"‹{count} {name}›" if count > 1 or run[0] in _NAMES else f"‹{name}›"  # noqa: RUF001 - as hidden characters are shown
