"""JSON that still comes, closed into the largest valid prefix of it.

Invariants (property-tested): what is returned is JSON, or empty while there is none; a whole text comes back as it is; a longer
text gives no less; the work is linear in the text.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
    [ \t\r\n]*+
    (?: (?P<mark> [{}\[\],:] )
      | (?P<text> " (?P<body> (?: [^"\\\x00-\x1f] | \\ (?: ["\\/bfnrt] | u[0-9a-fA-F]{4} ) )*+ ) (?P<end> " )? )
      | (?P<plain> -?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)? | true | false | null )
    )
    """,
    re.VERBOSE,
)
_HALF_A_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")  # of an emoji written as two escapes
_CLOSED_BY = {"{": "}", "[": "]"}


def closed(text: str) -> str:
    """Return the beginning of a JSON text as JSON: open texts, lists and objects closed, and left out what can't be."""
    reader = _Reader(text)
    while reader.step():
        pass
    return reader.closed()


class _Reader:
    """Walks over a text, token by token, and knows where it could have been closed last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[str] = []
        self._wanted = "value"  # or: first, key, first key, colon, comma, nothing
        self._kept, self._quote = 0, ""

    def step(self) -> bool:
        """Take one more token; say whether there may be another."""
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            return False
        self._at = found.end()
        if found["mark"]:
            return self._mark(found["mark"])
        if self._wanted in ("key", "first key"):
            self._wanted = "colon"
            return bool(found["end"])
        if self._wanted not in ("value", "first"):
            return False
        return self._value(found)

    def closed(self) -> str:
        """Return the text up to where it could be closed last, closed there."""
        ends = "".join(_CLOSED_BY[mark] for mark in reversed(self._open))
        return self._text[: self._kept] + self._quote + ends if self._kept else ""

    def _value(self, found: re.Match[str]) -> bool:
        whole = bool(found["plain"] or found["end"])
        half = None if whole else _HALF_A_PAIR.search(self._text, found.start("body"), found.end())
        self._kept, self._quote = (half.start() if half else found.end()), "" if whole else '"'
        self._wanted = "comma" if self._open else "nothing"
        return whole

    def _mark(self, mark: str) -> bool:
        wanted, inside = self._wanted, self._open[-1] if self._open else ""
        if mark in _CLOSED_BY and wanted in ("value", "first"):
            self._open.append(mark)
            self._wanted, self._kept = "first key" if mark == "{" else "first", self._at
        elif mark == _CLOSED_BY.get(inside) and wanted in ("comma", "first" if inside == "[" else "first key"):
            self._open.pop()
            self._wanted, self._kept = "comma" if self._open else "nothing", self._at
        elif (mark, wanted) == (":", "colon"):
            self._wanted = "value"
        elif (mark, wanted) == (",", "comma"):
            self._wanted = "key" if inside == "{" else "value"
        else:
            return False
        return True
