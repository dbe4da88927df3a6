"""Rules of the Markdown parser for blocks: quotes, lists, tables and fences within bounds, footnotes, definitions of links."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import MutableMapping
from typing import Any

from nbgemini.render.display_math import GROWING

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


_DELIMITERS = re.compile(r"[|:-][|: \t-]*")  # the second line of a table
_PIPE, _HIDDEN = re.compile(r"(?<!\\)\|"), "\x1f"  # which no harmless text has
_SPAN = re.compile(r"(?<![`\\])(`{1,2})(?!`)[^`]+\1(?!`)|(?<!\\)\$[^\s$`](?:[^$`]*[^\s$`])?\$")


def full_table(rule: Any) -> Any:
    """Return the rule for tables, which takes none that lacks most of its cells, and loses no code that has pipes."""

    def full(state: Any, start: int, end: int, silent: bool) -> bool:
        if start + 2 > end or not _DELIMITERS.fullmatch(delimiters := _line(state, start + 1)):
            return False
        source, known, columns = state.src, len(state.tokens), len(_pipes_inside(delimiters)) + 1
        try:
            _hide_pipes(state, range(start, start + 1), columns, all_surplus=False)
            if not rule(state, start, end, True):  # noqa: FBT003 - the parser's own form
                return False
            last = next((line for line in range(start, end) if state.isEmpty(line)), end)
            cells = state.src.count("|", state.bMarks[start], state.eMarks[last - 1])
            if (columns + 1) * (last - start) > _MOST_CELLS_A_CELL * cells + _SPARE_CELLS:
                return False
            if silent:
                return True
            _hide_pipes(state, range(start + 2, last), columns, all_surplus=True)
            return bool(rule(state, start, end, False))  # noqa: FBT003
        finally:
            state.src = source
            for token in state.tokens[known:]:
                token.content = token.content.replace(_HIDDEN, "|")

    return full


def _hide_pipes(state: Any, lines: range, columns: int, *, all_surplus: bool) -> None:
    """Hide pipes in rows with more cells than the table has columns: those in code and formulas, then what is surplus still."""
    pieces, at = [], 0
    for line in lines:
        row = _line(state, line)
        if len(_pipes_inside(row)) < columns:
            continue
        pieces.append(state.src[at : state.eMarks[line] - len(row)])
        row = _SPAN.sub(lambda found: _PIPE.sub(_HIDDEN, found[0]), row)
        if all_surplus and (surplus := _pipes_inside(row)[columns - 1 :]):
            row = row[: surplus[0]] + _PIPE.sub(_HIDDEN, row[surplus[0] : surplus[-1] + 1]) + row[surplus[-1] + 1 :]
        pieces.append(row)
        at = state.eMarks[line]
    state.src = "".join([*pieces, state.src[at:]]) if pieces else state.src


def _pipes_inside(row: str) -> list[int]:
    """Return where the pipes between the cells of a row stand."""
    end = len(row.rstrip())
    return [found.start() for found in _PIPE.finditer(row, row.startswith("|"), end - row.endswith("|", 0, end))]


def _line(state: Any, line: int) -> str:
    return str(state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]])


_OPENING = re.compile(r"(?P<marks>`{3,})(?P<info>[^`\n]*)|(?P<tildes>~{3,})(?P<about>[^\n]*)")
_INNER = re.compile(r"[ \t]*(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[\w+#.-]*)[ \t]*", re.ASCII)
_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]")
_FLAT = "nbgemini flat fences"  # where a parse notes that fences do not end


def fence_rule(state: Any, start: int, end: int, silent: bool) -> bool:
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
    open_fences, flat, outdented = [len(marks)], 0, 0
    for line in range(start + 1, end):
        begin = state.bMarks[line] + state.tShift[line]
        if begin < state.eMarks[line] and state.sCount[line] < state.blkIndent and not outdented:
            if state.sCount[line] < 0 or state.env.get(_FLAT) or _ITEM.match(state.src, begin, state.eMarks[line]):
                return flat or line, line
            outdented = line  # which ends the item by the book; but models often indent only the fences
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
    if state.env.get(GROWING) == end or not (flat or outdented):
        return end, end
    state.env[_FLAT] = True
    return (flat, end) if flat else (outdented, outdented)


_LINKS, _FOOTNOTES = "references", "footnotes"  # the parser's own name, and ours
_LONGEST = 1_000  # characters of a label
Environment = MutableMapping[str, Any]


class Definitions(ChainMap[str, Any]):
    """What is defined by label, here and earlier; the labels that were asked for in vain are noted."""

    def __init__(self, *maps: MutableMapping[str, Any]) -> None:
        super().__init__(*maps)
        self.missed: set[str] = set()

    def get(self, label: str, default: Any = None) -> Any:
        """Return what is defined; note that it was asked for where it is not."""
        if label not in self and len(label) <= _LONGEST:
            self.missed.add(label)
        return super().get(label, default)


def new_environment() -> dict[str, Any]:
    """Return what the blocks of one text share."""
    return {_LINKS: Definitions(), _FOOTNOTES: Definitions()}


def environment_inside(env: Environment) -> dict[str, Any]:
    """Return what a rendering of text that still grows starts with: all that is defined so far, which it leaves as it is."""
    return {kind: Definitions({}, *env[kind].maps) for kind in (_LINKS, _FOOTNOTES)}


def missed(env: Environment) -> list[tuple[str, str]]:
    """Return the labels that were asked for in vain since this was called last, each behind the kind of what it names."""
    found = [(kind, label) for kind in (_LINKS, _FOOTNOTES) for label in env[kind].missed]
    for kind, _ in found:
        env[kind].missed.clear()
    return found


def is_defined_now(env: Environment, labels: list[tuple[str, str]]) -> bool:
    """Say whether one of them has been defined meanwhile."""
    return any(label in env[kind] for kind, label in labels)


_REFERENCE = re.compile(r"\[\^(?P<label>[^\[\]\s^]{1,100})\^?\]")
_DEFINITION = re.compile(rf"{_REFERENCE.pattern}:[ \t]*")
_INDENT = 4  # columns of what belongs to a footnote


def footnote_rule(state: Any, start: int, end: int, silent: bool) -> bool:
    """Parse what a footnote says."""
    begin = state.bMarks[start] + state.tShift[start]
    found = _DEFINITION.match(state.src, begin, state.eMarks[start])
    if not found or state.is_code_block(start) or state.level >= MOST_LEVELS:
        return False
    if silent:
        return True
    state.env.setdefault(_FOOTNOTES, Definitions())[found["label"]] = True
    token = state.push("footnote_open", "div", 1)
    token.block, token.meta = True, {"label": found["label"]}
    token.map = lines = [start, start + 1]
    outside = state.bMarks[start], state.tShift[start], state.sCount[start], state.parentType, state.blkIndent
    state.bMarks[start], state.tShift[start], state.parentType = found.end(), 0, "footnote"
    state.blkIndent += _INDENT
    state.sCount[start] = state.blkIndent
    state.md.block.tokenize(state, start, end)
    state.bMarks[start], state.tShift[start], state.sCount[start], state.parentType, state.blkIndent = outside
    lines[1] = state.line = max(state.line, start + 1)
    state.push("footnote_close", "div", -1).block = True
    return True


def footnote_reference_rule(state: Any, silent: bool) -> bool:
    """Parse where a footnote belongs."""
    if state.src[state.pos] != "[":
        return False
    found = _REFERENCE.match(state.src, state.pos, state.posMax)
    if not found or state.src.startswith("(", found.end()):
        return False
    if not found["label"].isdecimal() and not state.env.setdefault(_FOOTNOTES, Definitions()).get(found["label"]):
        return False  # but what has a number is defined below, as a rule
    if not silent:
        state.push("footnote_reference", "", 0).content = found["label"]
    state.pos = found.end()
    return True
