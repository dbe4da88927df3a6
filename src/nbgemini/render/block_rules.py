"""Rules of the Markdown parser for blocks: quotes, lists, tables and fences within bounds, footnotes, definitions of links."""

from __future__ import annotations

import re
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


_LINKS, _FOOTNOTES = "references", "footnotes"  # the parser's own name, and ours
_LONGEST = 1_000  # characters of a label
Environment = MutableMapping[str, Any]


class Links(dict[str, Any]):
    """Addresses and titles by label, as the parser keeps them."""

    def __init__(self, earlier: dict[str, Any] | None = None) -> None:
        """Begin with those that were defined `earlier`, which stay as they are."""
        super().__init__()
        self.missed: set[str] = set()
        self._earlier = earlier or {}

    def __contains__(self, label: object) -> bool:
        return super().__contains__(label) or label in self._earlier

    def get(self, label: str, default: Any = None) -> Any:
        """Return what is defined; note that it was asked for where it is not."""
        if label not in self and len(label) <= _LONGEST:
            self.missed.add(label)
        return super().get(label) or dict.get(self._earlier, label, default)


class Footnotes:
    """The labels that have a footnote."""

    def __init__(self, earlier: Footnotes | None = None) -> None:
        """Begin with those that were defined `earlier`, which stay as they are."""
        self.missed: set[str] = set()
        self._labels: set[str] = set()
        self._earlier = earlier

    def add(self, label: str) -> None:
        """Note that there is one."""
        self._labels.add(label)

    def __contains__(self, label: str) -> bool:
        return label in self._labels

    def has(self, label: str) -> bool:
        """Say whether there is one; note that it was asked for where there is none."""
        known = label in self._labels or (self._earlier is not None and label in self._earlier)
        if not known:
            self.missed.add(label)
        return known


def new_environment() -> dict[str, Any]:
    """Return what the blocks of one text share."""
    return {_LINKS: Links(), _FOOTNOTES: Footnotes()}


def environment_inside(env: Environment) -> dict[str, Any]:
    """Return what a rendering of text that still grows starts with: all that is defined so far, which it leaves as it is."""
    return {_LINKS: Links(env[_LINKS]), _FOOTNOTES: Footnotes(env[_FOOTNOTES])}


def footnotes_of(env: Environment) -> Footnotes:
    """Return the footnotes of a text."""
    found: Footnotes = env.setdefault(_FOOTNOTES, Footnotes())
    return found


def missed(env: Environment) -> tuple[frozenset[str], frozenset[str]]:
    """Return the labels that were asked for in vain since this was called last: of links, and of footnotes."""
    links, footnotes = env[_LINKS], env[_FOOTNOTES]
    found = frozenset(links.missed), frozenset(footnotes.missed)
    links.missed.clear()
    footnotes.missed.clear()
    return found


def is_defined_now(env: Environment, labels: tuple[frozenset[str], frozenset[str]]) -> bool:
    """Say whether one of them has been defined meanwhile."""
    links, footnotes = labels
    return any(label in env[_LINKS] for label in links) or any(map(env[_FOOTNOTES].has, footnotes))


_DEFINITION = re.compile(r"\[\^(?P<label>[^\[\]\s^]{1,100})\]:[ \t]*")
_REFERENCE = re.compile(r"\[\^(?P<label>[^\[\]\s^]{1,100})\]")
_INDENT = 4  # columns of what belongs to a footnote


def footnote_rule(state: Any, start: int, end: int, silent: bool) -> bool:
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


def footnote_reference_rule(state: Any, silent: bool) -> bool:
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
