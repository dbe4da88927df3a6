"""Bounds on what blocks may hold, so that work and size grow with the text only; what is beyond them is shown as text.

Each level of quotes and lists looks at every line in it, and a table's missing cells are made up: so levels and made up cells
have a limit. All is decided where it stands: nothing else of the text changes.
"""

from __future__ import annotations

import re
from typing import Any

from nbgemini.render.syntax.math import GROWING

MOST_LEVELS = 16  # a list takes two, a quote one
_MOST_QUOTES = 6  # in each other
_QUOTES = "nbgemini quotes"  # where a parse counts them
_SPARE_CELLS = 100  # that a table may lack,
_MOST_CELLS_A_CELL = 2  # and so many of those that it has


def shallow_list(rule: Any) -> Any:
    """Return the rule for lists, which begins none too deep."""
    return lambda state, start, end, silent: state.level + 2 <= MOST_LEVELS and rule(state, start, end, silent)


def shallow_quote(rule: Any) -> Any:
    """Return the rule for quotes, which begins none too deep."""

    def limited(state: Any, start: int, end: int, silent: bool) -> bool:
        depth = state.env.get(_QUOTES, 0)
        if state.level + 1 > MOST_LEVELS or depth >= _MOST_QUOTES:
            return False
        state.env[_QUOTES] = depth + 1
        try:
            return bool(rule(state, start, end, silent))
        finally:
            state.env[_QUOTES] = depth

    return limited


def full_table(rule: Any) -> Any:
    """Return the rule for tables, which takes none that lacks most of its cells."""

    def full(state: Any, start: int, end: int, silent: bool) -> bool:
        if not rule(state, start, end, True) or not _is_full(state, start, end):  # noqa: FBT003 - the parser's own form
            return False
        return silent or bool(rule(state, start, end, False))  # noqa: FBT003

    return full


def _is_full(state: Any, start: int, end: int) -> bool:
    columns, rows, cells = state.src.count("|", state.bMarks[start + 1], state.eMarks[start + 1]), 0, 0
    for line in range(start, end):
        if state.isEmpty(line):
            break
        rows += 1
        cells += state.src.count("|", state.bMarks[line], state.eMarks[line])
    return bool(columns * rows <= _MOST_CELLS_A_CELL * cells + _SPARE_CELLS)


_OPENING = re.compile(r"(?P<marks>`{3,})(?P<info>[^`\n]*)|(?P<tildes>~{3,})(?P<about>[^\n]*)")
_INNER = re.compile(r"[ \t]*(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[\w+#.-]*)[ \t]*", re.ASCII)
_FLAT = "nbgemini flat fences"  # where a parse notes that fences do not end


def fence(state: Any, start: int, end: int, silent: bool) -> bool:
    """Parse a fenced code block."""
    begin = state.bMarks[start] + state.tShift[start]
    opening = _OPENING.fullmatch(state.src, begin, state.eMarks[start])
    if not opening or state.is_code_block(start):
        return False
    if silent:
        return True
    marks = opening["marks"] or opening["tildes"]
    closing, behind = _end(state, start, end, marks)
    state.line = closing + 1 if closing < behind else behind
    token = state.push("fence", "code", 0)
    token.info, token.markup = opening["info"] or opening["about"] or "", marks
    token.content = state.getLines(start + 1, closing, state.sCount[start], True)  # noqa: FBT003
    token.map = [start, state.line]
    return True


def _end(state: Any, start: int, end: int, marks: str) -> tuple[int, int]:
    """Return the line of the closing fence, and the line behind all that the code may take; the same if none closes it."""
    open_fences, flat, line = [len(marks)], 0, start + 1
    for line in range(start + 1, end):
        begin = state.bMarks[line] + state.tShift[line]
        if begin < state.eMarks[line] and state.sCount[line] < state.blkIndent:
            return (flat, line) if flat else (line, line)
        if state.src[begin : begin + 1] != marks[0] or not (found := _INNER.fullmatch(state.src, begin, state.eMarks[line])):
            continue
        at_margin, length = not state.is_code_block(line), len(found["marks"])
        if found["info"]:
            open_fences.append(length)
        elif length >= open_fences[-1] and (at_margin or len(open_fences) > 1):
            open_fences.pop()
        else:
            continue
        if not open_fences or (state.env.get(_FLAT) and not found["info"]):
            return line, end
        if not flat and not found["info"] and at_margin and length >= len(marks):
            flat = line
    return _unclosed(state, end, flat)


def _unclosed(state: Any, end: int, flat: int) -> tuple[int, int]:
    if state.env.get(GROWING) == end or not flat:
        return end, end
    state.env[_FLAT] = True
    return flat, end
