r"""Formulas on lines of their own: `\[ … \]`, `$$ … $$` and bare environments, found before any other block.

What stands between the delimiters is TeX, so its `=`, `-`, `#` and blank lines mean nothing to Markdown. A formula ends where
its delimiter stands; an opening that finds none within some lines, or prose behind a blank line, is text.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from nbgemini.render.math import ENVIRONMENT, is_mathematics, is_prose

LONGEST = 100  # lines of a formula
UNDECIDED = "nbgemini undecided"  # where a parse notes the first line with a formula whose end may still come
GROWING = "nbgemini growing"  # where a parse is told that more text may follow
_OPENING = re.compile(rf"(?<![\\$])(?:\\\\)*(?P<sign>\$\$|\\\[|\\begin\{{(?P<name>{ENVIRONMENT})\}})")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*")
_CODE_INDENT = 4  # columns
_DASHES = ("|", "-", ":")  # how the second line of a table begins
_CODE = re.compile(r"(`+)(?:(?!\1).)+?\1(?!`)")
_OTHER_BLOCK = re.compile(r"[ \t]*(?:`{3}|~{3})")
_OTHER_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)]|#{1,6}|>)[ \t]")
_SIGN = re.compile(r"[\\^_{}=<>+*/|&-]")
_WORD = re.compile(r"[^\W\d_]{2}")


class Found(Struct, frozen=True):
    """A formula: the sign that opens it, its TeX, the line of its end and the place behind it."""

    sign: str
    latex: str
    line: int
    end: int


def display_math_rule(state: Any, start: int, end: int, silent: bool) -> bool:
    """Parse a formula that has its lines for itself."""
    begin = state.bMarks[start] + state.tShift[start]
    if state.src[begin : begin + 1] not in ("$", "\\"):
        return False
    opening = _OPENING.match(state.src, begin, state.eMarks[start])
    found = _find(state, start, opening, end) if opening else None
    if found is None or state.src[found.end : state.eMarks[found.line]].strip():
        return False
    if _may_grow(state, found.line):
        _note(state, start)  # text behind it would make it a part of a paragraph
    if not silent:
        token = state.push("math_block", "math", 0)
        token.block, token.content, token.markup = True, found.latex, found.sign
        token.map = [start, found.line + 1]
        state.line = found.line + 1
    return True


def paragraph_rule(state: Any, start: int, end: int, silent: bool) -> bool:
    """Parse a paragraph, or a heading with a line below; a formula that begins in it ends before anything else can."""
    del silent  # nothing ends with a paragraph
    outer, state.parentType = state.parentType, "paragraph"
    line, underline = _behind_formulas(state, start, end), ""
    while line < end and not state.isEmpty(line):
        if (underline := _underline(state, line, start)) or _is_ended(state, line, end):
            break
        line = _behind_formulas(state, line, end)
    state.parentType = outer
    kind, tag = ("heading", "h1" if underline == "=" else "h2") if underline else ("paragraph", "p")
    state.line = line + bool(underline)
    opening = state.push(f"{kind}_open", tag, 1)
    opening.map, opening.markup = [start, state.line], underline
    token = state.push("inline", "", 0)
    token.content = state.getLines(start, line, state.blkIndent, False).strip()  # noqa: FBT003 - the parser's own form
    token.map, token.children = [start, line], []
    state.push(f"{kind}_close", tag, -1).markup = underline
    return True


def environment_rule(state: Any, silent: bool) -> bool:
    r"""Parse `\begin{align} … \end{align}` within a text."""
    if state.src[state.pos] != "\\":
        return False
    opening = _OPENING.match(state.src, state.pos, state.posMax)
    if not opening or not opening["name"]:
        return False
    closing = _closing(opening).search(state.src, opening.end(), min(state.posMax, opening.end() + 10_000))
    if not closing:
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = state.src[opening.start("sign") : closing.end()], "$$"
    state.pos = closing.end()
    return True


def _underline(state: Any, line: int, start: int) -> str:
    """Return the sign of a line that makes a heading of the text above; dashes below several lines are a rule."""
    found = _UNDERLINE.fullmatch(state.src, state.bMarks[line] + state.tShift[line], state.eMarks[line])
    is_at_margin = 0 <= state.sCount[line] - state.blkIndent < _CODE_INDENT
    is_rule = found is not None and found[1].startswith("---") and line - start > 1
    return str(found[1][0]) if found and is_at_margin and not is_rule else ""


def _is_ended(state: Any, line: int, end: int) -> bool:
    if state.sCount[line] - state.blkIndent >= _CODE_INDENT:  # which cannot interrupt
        return display_math_rule(state, line, end, silent=True)
    below = line + 1
    if state.sCount[line] < 0 or (
        # no block begins with a letter, but a table whose second line has its dashes
        state.src[state.bMarks[line] + state.tShift[line]].isalpha()
        and (below >= state.lineMax or not state.src.startswith(_DASHES, state.bMarks[below] + state.tShift[below]))
    ):
        return False
    return any(rule(state, line, end, True) for rule in state.md.block.ruler.getRules("paragraph"))  # noqa: FBT003


def _behind_formulas(state: Any, line: int, end: int) -> int:
    """Return the line behind this one and behind each formula that begins in it and does not end there."""
    begin = state.bMarks[line] + state.tShift[line]
    while opening := _open(state.src, begin, state.eMarks[line]):
        found = _find(state, line, opening, end)
        if found is None and state.env.get(UNDECIDED) == line and _stands_at_edge(state, line, opening):
            return end  # its lines are no items, rules or headings
        if found is None:
            break
        line, begin = found.line, found.end
    return line + 1


def _stands_at_edge(state: Any, line: int, opening: re.Match[str]) -> bool:
    """Say whether nothing stands in a line before or behind what opens a formula."""
    begin, end = state.bMarks[line] + state.tShift[line], state.eMarks[line]
    return opening.start() == begin or not state.src[opening.end() : end].strip()


def _open(source: str, begin: int, end: int) -> re.Match[str] | None:
    """Return the last opening in a line that is not in code and has no end there."""
    if source.find("$$", begin, end) < 0 and source.find("\\", begin, end) < 0:
        return None
    codes = iter([code.span() for code in _CODE.finditer(source, begin, end)] if source.find("`", begin, end) >= 0 else [])
    code, last, place, ends = next(codes, None), None, begin, {}
    for opening in _OPENING.finditer(source, begin, end):
        while code and code[1] <= opening.start("sign"):
            code = next(codes, None)
        if opening.start() < place or (code and code[0] < opening.start("sign")):
            continue
        last, closing = opening, _closing(opening)
        if closing not in ends:
            ends[closing] = max((found.end() for found in closing.finditer(source, begin, end)), default=0)
        if ends[closing] > opening.end() and (found := closing.search(source, opening.end(), end)):
            last, place = None, found.end()
    return last


def _find(state: Any, line: int, opening: re.Match[str], end: int) -> Found | None:
    found = _searched(state, line, opening, end)
    if found is None or opening["name"]:
        return found
    if found.sign == "$$":
        return None if is_prose(found.latex) or not found.latex.strip() else found
    return found if is_mathematics(found.latex) else None


def _searched(state: Any, first: int, opening: re.Match[str], end: int) -> Found | None:
    closing, sign = _closing(opening), "$$" if opening["name"] else opening["sign"]
    pieces: list[str] = []
    begin, after_blank = opening.end(), False
    for line in range(first, min(end, first + LONGEST)):
        if line > first:  # behind the indentation of what it stands in
            own = min(state.tShift[line], max(0, state.sCount[line] - state.blkIndent))
            begin = int(state.bMarks[line] + state.tShift[line] - own)
        text = state.src[begin : state.eMarks[line]]
        if line > first and state.sCount[line] < state.blkIndent and _OTHER_ITEM.match(text):
            return None
        if found := closing.search(text):
            latex = "\n".join([*pieces, text[: found.start()]])
            latex = f"{opening['sign']}{latex}{found.group()}" if opening["name"] else latex
            return Found(sign, latex, line, begin + found.end())
        if line > first and (
            text.find(opening["sign"]) >= 0 or (not _may_grow(state, line) and _is_other(text, after_blank=after_blank))
        ):
            return None
        after_blank = line > first and not text.strip()
        pieces.append(text)
    if first + LONGEST > end >= state.env.get(GROWING, end + 1):
        _note(state, first)
    return None


def _note(state: Any, line: int) -> None:
    state.env[UNDECIDED] = min(line, state.env.get(UNDECIDED, line))


def _may_grow(state: Any, line: int) -> bool:
    return bool(line + 1 >= state.env.get(GROWING, line + 2) and not state.src.endswith("\n"))


def _is_other(text: str, *, after_blank: bool) -> bool:
    """Say whether this line cannot belong to a formula that began above."""
    if _OTHER_BLOCK.match(text):
        return True
    if not after_blank or not text.strip():
        return False
    return is_prose(text) or (_WORD.search(text) is not None and not _SIGN.search(text))


def _closing(opening: re.Match[str]) -> re.Pattern[str]:
    if name := opening["name"]:
        return re.compile(rf"\\end\{{{re.escape(name)}\}}")
    return _CLOSINGS[opening["sign"]]


_CLOSINGS = {"$$": re.compile(r"(?<!\\)\$\$"), "\\[": re.compile(r"(?<!\\)\\\]|(?<=\\\\)\\\]")}
