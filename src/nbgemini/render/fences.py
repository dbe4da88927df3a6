"""Fenced code as models write it: a fence with a language inside a fence begins code inside code, and ends that first.

By the book the first bare fence ends the outer code, and its rest becomes Markdown. So fences are counted, as long as all of
them end; if one does not, the book is right.
"""

from __future__ import annotations

import re
from typing import Any

from nbgemini.render.display_math import GROWING

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
