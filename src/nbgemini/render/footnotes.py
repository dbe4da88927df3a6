"""Footnotes: `[^1]` in the text, and `[^1]: …` where it stands, with what is indented below.

Only what is defined is a footnote; else `[^1]` stays as it was written.
"""

from __future__ import annotations

import re
from typing import Any

from nbgemini.render.containers import MOST_LEVELS
from nbgemini.render.definitions import footnotes_of

_DEFINITION = re.compile(r"\[\^(?P<label>[^\[\]\s^]{1,100})\]:[ \t]*")
_REFERENCE = re.compile(r"\[\^(?P<label>[^\[\]\s^]{1,100})\]")
_INDENT = 4  # columns of what belongs to a footnote


def footnote(state: Any, start: int, end: int, silent: bool) -> bool:
    """Parse what a footnote says."""
    begin = state.bMarks[start] + state.tShift[start]
    found = _DEFINITION.match(state.src, begin, state.eMarks[start])
    if not found or state.is_code_block(start) or state.level >= MOST_LEVELS:
        return False
    if silent:
        return True
    footnotes_of(state.env).add(found["label"])
    token = state.push("footnote_open", "div", 1)
    token.block, token.meta = True, {"label": found["label"]}
    token.map = lines = [start, start + 1]
    _tokenize(state, start, end, found.end())
    lines[1] = state.line
    state.push("footnote_close", "div", -1).block = True
    return True


def _tokenize(state: Any, start: int, end: int, begin: int) -> None:
    kept = state.bMarks[start], state.tShift[start], state.sCount[start], state.parentType, state.blkIndent
    state.bMarks[start], state.tShift[start], state.parentType = begin, 0, "footnote"
    state.blkIndent += _INDENT
    state.sCount[start] = state.blkIndent
    state.md.block.tokenize(state, start, end)
    state.bMarks[start], state.tShift[start], state.sCount[start], state.parentType, state.blkIndent = kept
    state.line = max(state.line, start + 1)


def footnote_reference(state: Any, silent: bool) -> bool:
    """Parse where a footnote belongs."""
    if state.src[state.pos] != "[":
        return False
    found = _REFERENCE.match(state.src, state.pos, state.posMax)
    if not found or not footnotes_of(state.env).has(found["label"]):
        return False
    if not silent:
        token = state.push("footnote_reference", "", 0)
        token.content = found["label"]
    state.pos = found.end()
    return True
