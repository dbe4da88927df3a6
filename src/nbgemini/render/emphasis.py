"""Which `*` and `~` begin and which end emphasis, also where writing has no spaces.

CommonMark looks at the characters on both sides and knows words between spaces and ASCII punctuation. In Chinese, Japanese and
Korean there are no such spaces, and „…“, «…» and 「…」 belong to the words they stand around. So what stands inside decides:
an opening bracket cannot stand before an end, a closing one not behind a beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any
from unicodedata import category, east_asian_width

_QUOTES = ("Pi", "Pf")  # German ends with what English begins with
_NEITHER_OPENS = ("Pe", "Sc", "Sm")
_NEITHER_CLOSES = ("Ps", "Sc", "Sm")
_ASCII_OPENING = "([{<"
_ASCII_CLOSING = ")]}>.,:;!?%"
_ASCII_QUOTES = "\"'"
_SPANISH = "¡¿"
_SPACE = " "
_NO_BREAK = "\u00a0\u202f"  # within French quotes


def forgiving(rule: Callable[[Any, bool], bool], signs: str) -> Callable[[Any, bool], bool]:
    """Return a rule for emphasis that also knows writing without spaces."""

    def emphasis(state: Any, silent: bool) -> bool:
        if state.src[state.pos] not in signs:
            return False
        state.scanDelims = partial(_scan, state, type(state).scanDelims)
        return rule(state, silent)

    return emphasis


def _scan(state: Any, by_the_book: Callable[[Any, int, bool], Any], start: int, within_words: bool) -> Any:
    scanned = by_the_book(state, start, within_words)
    if not within_words:  # an underscore
        return scanned
    end = start + scanned.length
    before, after = _at(state, start - 1), _at(state, end)
    can_open = scanned.can_open or _may_open(before, after, _at(state, end + 1))
    can_close = scanned.can_close or _may_close(_at(state, start - 2), before, after)
    return scanned._replace(can_open=can_open, can_close=can_close)


def _at(state: Any, place: int) -> str:
    return state.src[place] if 0 <= place < state.posMax else _SPACE


def _may_open(before: str, after: str, behind: str) -> bool:
    """Say whether what follows belongs inside: `は**「重要」`."""
    if after.isspace():
        return False
    if after.isascii():
        return _is_wide(before) and (after in _ASCII_OPENING or after in _ASCII_QUOTES)
    kind = _kind(after)
    return behind in _NO_BREAK or not behind.isspace() if kind in _QUOTES else kind not in _NEITHER_OPENS


def _may_close(farther: str, before: str, after: str) -> bool:
    """Say whether what stands before belongs inside: `注意。**正文`, `(important)**な`, `"Wort"**en`."""
    if before.isspace():
        return False
    if before in _ASCII_QUOTES:
        return not farther.isspace() and farther not in _ASCII_OPENING
    if before.isascii():
        return before in _ASCII_CLOSING or (_is_wide(after) and before not in _ASCII_OPENING)
    if _is_wide(before) and _kind(before) == "Sm":  # a wave dash
        return True
    kind = _kind(before)
    return (
        farther in _NO_BREAK or not farther.isspace()
        if kind in _QUOTES
        else kind not in _NEITHER_CLOSES and before not in _SPANISH
    )


@lru_cache(maxsize=1_000)
def _kind(char: str) -> str:
    return category(char)


@lru_cache(maxsize=1_000)
def _is_wide(char: str) -> bool:
    return not char.isascii() and east_asian_width(char) in "WF"
