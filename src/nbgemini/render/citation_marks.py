"""References in an answer's Markdown that say which sources a passage rests on, until they become `[1]` on the page.

A reference is made of characters that mean nothing to Markdown, to a typesetter or to a highlighter, and begins with some that
a model cannot know: it forges none. Wherever it cannot be shown, in code or in a formula, it vanishes.
"""

from __future__ import annotations

import re
from secrets import randbelow

from nbgemini.messages.citations import Places

_ZERO = 0xE000  # private use: digits, then begin and comma and end
_OURS = dict.fromkeys(range(_ZERO, _ZERO + 13), "\ufffd")
_GONE = dict.fromkeys(_OURS)
_DIGITS, _BEGIN, _COMMA, _END = "".join(map(chr, range(_ZERO, _ZERO + 10))), "\ue00a", "\ue00b", "\ue00c"
_SECRET = _BEGIN + "".join(_DIGITS[randbelow(10)] for _ in range(9)) + _BEGIN
_REFERENCE = re.compile(rf" ?{_SECRET}([{_DIGITS}{_COMMA}]+){_END}")
_WHOLE = re.compile(  # what a reference must not stand in
    r"\]\([^()\n]{0,2000}\)|`[^`\n]{1,1000}`|\$[^$\n]{1,1000}\$|\\\([^\n]{0,1000}?\\\)|https?://[^\s<>]{1,2000}|<[^<>\n]{1,2000}>"
)
_BEHIND = " \t\n|"  # before these: a table's cell ends there
_VERBATIM = ("```", "~~~", "$$", "    ")


def with_references(markdown: str, places: Places) -> str:
    """Return Markdown with references, which `shown` shows; sources are counted from 1 there."""
    markdown = markdown.translate(_OURS)
    spans = [found.span() for found in _WHOLE.finditer(markdown)]
    pieces, begin = [], 0
    for at, sources in places:
        place = _fitting(markdown, at, spans)
        if place is not None and place >= begin:
            pieces += [markdown[begin:place], _reference(sources)]
            begin = place
    return "".join([*pieces, markdown[begin:]])


def shown(escaped: str, begin: str = "<sup>", end: str = "</sup>") -> str:
    """Return escaped text with its references as what a reader sees, each between `begin` and `end`."""
    return _REFERENCE.sub(lambda found: f"{begin}{_numbers(found[1])}{end}", escaped) if _SECRET in escaped else escaped


def without_references(text: str, source: str) -> str:
    """Return what was made of such Markdown without the references that are left in it."""
    return _REFERENCE.sub("", text).translate(_GONE) if _SECRET in source else text  # a highlighter may have cut some in pieces


def _fitting(text: str, at: int, spans: list[tuple[int, int]]) -> int | None:
    at = next((end for start, end in spans if start < at < end), at)
    while at and text[at - 1] in _BEHIND:
        at -= 1
    line = text[text.rfind("\n", 0, at) + 1 : at]
    fits = any(map(str.isalnum, line)) and not line.lstrip(" ").startswith(_VERBATIM) and not line.startswith(_VERBATIM)
    return at if fits else None


def _reference(sources: tuple[int, ...]) -> str:
    return f" {_SECRET}{_COMMA.join(_digits(number + 1) for number in sources)}{_END}"


def _digits(number: int) -> str:
    return "".join(_DIGITS[int(digit)] for digit in str(number))


def _numbers(digits: str) -> str:
    numbers = ("".join(str(_DIGITS.index(digit)) for digit in number) for number in digits.split(_COMMA) if number)
    return "".join(f"[{number}]" for number in numbers)
