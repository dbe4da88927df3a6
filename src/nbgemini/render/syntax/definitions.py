"""What a text defines for all of itself: addresses of links by label, and footnotes.

Both may be used before they are defined. So a block remembers for which labels it asked in vain; if one of them is defined
later, the block is rendered once more.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from nbgemini.render.syntax.blocks import MOST_LEVELS

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


def environment() -> dict[str, Any]:
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
