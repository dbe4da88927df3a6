"""Text that can do nothing but be read: control characters shown, line ends made one kind.

Hidden is what Unicode calls default-ignorable: text can be smuggled in it past a reader's eyes. Three marks of direction are
part of ordinary Hebrew and Arabic, so they stay in a line that has such letters, one at a time and few; what overrides or
isolates a direction is always shown.
Invariants: no escape sequence survives, at any cut; joiners and the selectors that emoji and scripts need do.
"""

from __future__ import annotations

import re
from html import escape

from nbgemini.formatting import invisible_codes

_KEPT = "\n\t"
_MARKS = "\u061c\u200e\u200f"
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"  # Hebrew, Arabic, …
)
_RUN = re.compile(f"(?<=[{_MARKS}])[{_MARKS}]+")
_MARK = re.compile(f"[{_MARKS}]")
_FEW = 3  # marks in a line,
_CHARACTERS_A_MARK = 8  # and one more for so many characters


_SHOWN = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _KEPT},
    **{code: f"\\x{code:02x}" for code in range(0x7F, 0xA0)},
    **{code: f"‹U+{code:04X}›" for code in invisible_codes() if chr(code) not in _MARKS},  # noqa: RUF001 - not to be taken for a tag
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}
EMOJI = "\u00a9\u00ae\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_NO_CHARACTERS = "".join(
    map(chr, (*range(0xFDD0, 0xFDF0), *(plane << 16 | end for plane in range(17) for end in (0xFFFE, 0xFFFF))))
)
_SPACES = "\t\x0b\x0c\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BLANKS = f"{_SPACES}\u2800\ufffc\U00013430-\U00013442\U00016fe4\U0001d159{_NO_CHARACTERS}"
_BLANK = re.compile(
    f"([{_BLANKS}])\\1*"  # what looks like nothing, and is no space
    f"|(?<![{EMOJI}])(\ufe0e|\ufe0f(?!\u20e3))\\2*"  # a selector has its place behind an emoji or in a keycap,
    f"|(?<![{EMOJI}\ufe0f\u0600-\u0dff\u1000-\u18af])([\u200c\u200d])\\3*"  # a joiner in an emoji or in some scripts,
    "|(?<![\u1820-\u18aa])([\u180b-\u180d\u180f])\\4*"  # a Mongolian selector behind a Mongolian letter
    r"|(?<=\S)(?<!\\n) {9,}| {41,}"  # spaces that push what follows out of sight; indentation does not
    r"|(?:\\n){9,}|\n{9,}"
)
_NAMES = {" ": "spaces", "\\": "line ends", "\n": "line ends", "\t": "tabs"}
_MARKS_SHOWN = {ord(mark): f"‹U+{ord(mark):04X}›" for mark in _MARKS}  # noqa: RUF001


def harmless(text: str) -> str:
    """Return `text` with every control character visible; CR and CRLF become LF."""
    text = _plain(text)
    return "\n".join(map(_marked, text.split("\n"))) if _MARK.search(text) else text


def plain_html(text: str) -> str:
    """Return plain text as HTML, for an attribute or for code, where no typesetter looks for formulas."""
    return escape(harmless(text))


def legible(text: str, *, rtl: bool) -> str:
    """Return text like `harmless`, of which is known whether it belongs to a text written from right to left."""
    text = _plain(text)
    return _RUN.sub(lambda found: found[0].translate(_MARKS_SHOWN), text) if rtl else text.translate(_MARKS_SHOWN)


def is_rtl(text: str) -> bool:
    """Say whether some of it is written from right to left."""
    return _RIGHT_TO_LEFT.search(text) is not None


class Incoming:
    """Text that comes in pieces, made harmless as the whole of it would be; a line waits from its first mark to its end."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._rtl = False  # of the line's part that is through
        self._length = 0

    def feed(self, text: str) -> str:
        """Take in text and return what can be shown by now."""
        if self._waiting and "\n" not in text and not self._waiting[-1].endswith("\r"):
            self._waiting.append(text)
            return ""
        text = "".join([*self._waiting, text])
        self._waiting = [text[-1:]] if text.endswith("\r") else []  # an LF may follow
        lines = _plain(text[: len(text) - len(self._waiting)]).split("\n")
        whole = [self._ended(line) for line in lines[:-1]]
        return "\n".join([*whole, self._begun(lines[-1])])

    def end(self) -> str:
        """Return what has waited."""
        text, self._waiting = "".join(self._waiting), []
        return "\n".join(map(self._ended, _plain(text).split("\n")))

    def _ended(self, line: str) -> str:
        shown = _marked(line, rtl=self._rtl, before=self._length)
        self._rtl, self._length = False, 0
        return shown

    def _begun(self, line: str) -> str:
        mark = _MARK.search(line)
        through, rest = (line[: mark.start()], line[mark.start() :]) if mark else (line, "")
        self._rtl = self._rtl or is_rtl(through)
        self._length += len(through)
        if rest:
            self._waiting.insert(0, rest)
        return through


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_SHOWN)


def marked_blanks(text: str) -> str:
    """Return harmless `text` with blanks marked that look like nothing, and long runs of them counted."""
    return _BLANK.sub(_counted, text)


def _counted(found: re.Match[str]) -> str:
    run = found[0]
    count = len(run) // (2 if run[0] == "\\" else 1)
    name = _NAMES.get(run[0], f"U+{ord(run[0]):04X}")
    return f"‹{count} {name}›" if count > 1 or run[0] in _NAMES else f"‹{name}›"  # noqa: RUF001 - as hidden characters are shown


def _marked(line: str, *, rtl: bool = False, before: int = 0) -> str:
    """Return a line with its marks shown, unless they are what they are for."""
    marks = len(_MARK.findall(line))
    ordinary = marks <= _FEW + (before + len(line)) // _CHARACTERS_A_MARK and (rtl or is_rtl(line))
    return legible(line, rtl=ordinary) if marks else line
