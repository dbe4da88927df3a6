"""Markdown rendered block by block while it streams: each finished block once, the unfinished rest as text.

A top-level block is finished when the next one has begun, because Markdown's block structure is decided from left to right,
line by line. So a line that is still being written ends a block only where no rest of that line could continue it, and what
follows an open formula is undecided until that is closed, or prose has ended it. A link or a footnote may be defined later than
it is used: once the text is whole, the blocks that asked for it in vain are rendered once more.
Invariants: the blocks' HTML does not depend on how the text was cut; the work over a whole stream is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from threading import Lock
from typing import Any, TypeVar

from msgspec import Struct

from nbgemini.render.block_html import preformatted, render
from nbgemini.render.block_rules import is_defined_now, missed, new_environment
from nbgemini.render.escape import Incoming, harmless
from nbgemini.render.html_tree import Patch, as_it_is, parse_html
from nbgemini.render.markdown_parser import parse_blocks
from nbgemini.render.open_markdown import OpenMarkdown

T = TypeVar("T")

LARGEST = 1_000_000  # characters of a text that are rendered; what comes behind them is shown as it is
_LARGEST = 16_000  # characters of an open block before it is cut at a line end, so that one block never takes long
_AT_ONCE = 10_000  # characters that are parsed at once where blocks end in them: a million tokens are slow to collect
_CLOSED_BY_BLANK = {"paragraph_open", "heading_open", "hr", "fence", "math_block", "table_open"}
_AFTER_BLANK_LINE = re.compile(r"\n[ \t]*\n[ \t\n]*\Z")
_OPEN_CODE = re.compile(r" {0,3}(?:(`{3,}+)[^`\n]*+|(~{3,}+)[^\n]*+)\n")  # possessive: a line of tildes has one reading
_TABLE_HEAD = re.compile(r"\|[^\n]+\n\|[-:| \t]+\n")
_LONGEST_FENCE = 200  # characters of an unfinished line that are kept to see a fence cut in two
_EDGE = 16  # characters of the end that are kept to see a blank line cut in two
_GROWTH = 1.25  # the rest is parsed again after it has grown by this,
_ALLOWANCE = 3  # or as long as all that was parsed stays below so many times the text


class RenderedBlock(Struct, frozen=True):
    """One finished block."""

    html: str
    source: str  # the Markdown it takes, with the blank lines behind it


class Blocks:
    """Cuts a growing Markdown text into finished blocks."""

    def __init__(self) -> None:
        self.parsed = 0  # characters, in search of finished blocks, over all
        self._lock = Lock()
        self._incoming = Incoming()
        self._pieces: list[str] = []  # of the text that is not part of a finished block
        self._length = 0  # of that
        self._total = 0  # characters that came
        self._edge = ""  # the last of them
        self._fresh = False  # whether a block may have ended since the last search,
        self._parse_at = 1.0  # which costs too much before the text is so long
        self._code_end: re.Pattern[str] | None = None  # what ends the code that the text begins with
        self._line = ""  # of that code, the last
        self._finished: list[str] = []
        self._waiting: list[tuple[int, str, list[tuple[str, str]]]] = []  # blocks that missed a definition
        self._rendered_length = 0
        self._env: dict[str, Any] = new_environment()
        self._open = OpenMarkdown()

    def append(self, text: str) -> str:
        """Take in text and return what of it can be shown."""
        shown = self._incoming.feed(text)
        self._add(shown)
        return shown

    def advance(self) -> list[RenderedBlock]:
        """Render the blocks that are finished by now; may run in another thread."""
        return self._take(self._rendered)

    def close(self) -> list[RenderedBlock]:
        """Render all that is left, and once more what asked for something that was defined later."""
        blocks = self._take_all(self._rendered)
        for number, source, labels in self._waiting:
            if is_defined_now(self._env, labels):
                self._finished[number] = render(source, self._env)
        self._waiting.clear()
        return blocks

    def cut(self) -> list[str]:
        """Return the sources of the blocks that are finished by now, for a reader who wants no HTML."""
        return self._take(str)

    def cut_all(self) -> list[str]:
        """Return the sources of all blocks that are left."""
        return self._take_all(str)

    def html(self) -> str:
        """Return all finished blocks."""
        return "".join(self._finished)

    def tail(self) -> str:
        """Return the text that is not part of a finished block yet."""
        with self._lock:
            return self._joined()

    @property
    def promising(self) -> bool:
        """Whether there may be a finished block, and looking for it keeps the work linear."""
        affordable = self.parsed + self._length <= _ALLOWANCE * self._total
        worthwhile = affordable or self._length >= self._parse_at
        return self._fresh and worthwhile and (self._open.blocks != 1 or self._length > _LARGEST)

    def patch(self) -> Patch | None:
        """Return how the end that is not finished looks by now; None where it looks as before. May run in another thread."""
        tail = self.tail()
        return self._open.patch(tail, self._env) if self._rendered_length < LARGEST else Patch(parse_html(preformatted(tail)))

    def _add(self, shown: str) -> None:
        if not shown:
            return
        with self._lock:
            if self._code_end:
                lines = self._line + shown
                self._line = _unfinished_line(lines)
                may_end = self._code_end.search(lines) is not None
            else:
                begins_block = not shown.isspace() and _AFTER_BLANK_LINE.search(self._edge) is not None
                may_end = begins_block or "\n" in shown or self._length > _LARGEST
            self._fresh = self._fresh or may_end
            self._edge = (self._edge + shown[-_EDGE:])[-_EDGE:]
            self._pieces.append(shown)
            self._length += len(shown)
            self._total += len(shown)

    def _joined(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def _take(self, made: Callable[[str], T]) -> list[T]:
        """Take away the blocks that are finished by now, and return what is made of each."""
        if not self.promising:
            return []
        with self._lock:
            tail = self._joined()
            self._fresh = False
        return self._taken_at(tail, self._ends(tail, growing=True), made)

    def _take_all(self, made: Callable[[str], T]) -> list[T]:
        self._add(self._incoming.end())
        blocks: list[T] = []
        while tail := self.tail():
            blocks += self._taken_at(tail, self._ends(tail, growing=False) or [len(tail)], made)
        return blocks

    def _ends(self, tail: str, *, growing: bool) -> list[int]:
        self.parsed += len(tail)
        try:
            return _finished_ends(tail, growing=growing)
        except RecursionError:  # a caller left the parser no room: all of it is shown as it is
            return []

    def _taken_at(self, tail: str, ends: list[int], made: Callable[[str], T]) -> list[T]:
        blocks = [made(tail[begin:end]) for begin, end in pairwise([0, *ends])]
        end = ends[-1] if ends else 0
        with self._lock:  # more text may have come meanwhile
            rest = self._joined()[end:]
            rest = _head_of_table(tail[ends[-2] if ends[1:] else 0 : end], rest) + rest
            self._pieces, self._length = [rest], len(rest)
            self._parse_at = max(1.0, (len(tail) - end) * _GROWTH)
            self._code_end = _end_of_open_code(rest)
            self._line = _unfinished_line(rest)
        if blocks:
            self._open.restart()
        return blocks

    def _rendered(self, source: str) -> RenderedBlock:
        html = render(source, self._env) if self._rendered_length < LARGEST else preformatted(source)
        self._rendered_length += len(source)
        if labels := missed(self._env):
            self._waiting.append((len(self._finished), source, labels))
        self._finished.append(html)
        return RenderedBlock(html, source)


def _end_of_open_code(tail: str) -> re.Pattern[str] | None:
    """Return what ends the code that the tail begins with and never left: until that comes, nothing need be parsed."""
    found = _OPEN_CODE.match(tail)
    if not found:
        return None
    fence = found[1] or found[2]
    end = re.compile(rf"^ {{0,3}}{fence}{fence[0]}*[ \t]*\n", re.MULTILINE)
    return None if end.search(tail, found.end()) else end


def _unfinished_line(text: str) -> str:
    """Return as much of the last line as tells a fence."""
    return text[text.rfind("\n") + 1 :][:_LONGEST_FENCE]


def _finished_ends(tail: str, *, growing: bool) -> list[int]:
    """Return where the finished blocks of `tail` end, blank lines behind them included."""
    ends, begin = [], 0
    while len(tail) - begin > _AT_ONCE:
        found = _later_starts(tail[begin : tail.rfind("\n", begin, begin + _AT_ONCE) + 1], growing=True)
        if not found:
            break
        ends += [begin + end for end in found]
        begin = ends[-1]
    return [*ends, *(begin + end for end in _ends_of_rest(tail[begin:], growing=growing))]


def _ends_of_rest(tail: str, *, growing: bool) -> list[int]:
    """Return the same where one of the first blocks may be a long one."""
    if len(tail) <= _LARGEST:
        return _later_starts(tail, growing=growing)
    lines = tail[: tail.rfind("\n", 0, _LARGEST) + 1]
    if not lines:
        return [max(tail.rfind(" ", _LARGEST // 2, _LARGEST), 0) or _LARGEST]
    ends = _later_starts(lines, growing=True) or _ends_inside(lines)
    if not ends:  # code that is longer, or fences that only the whole text settles
        ends = _later_starts(tail, growing=growing)
    return [end for end in ends if end <= ends[0] + _LARGEST]


def _head_of_table(block: str, rest: str) -> str:
    """Return the head of a table that was cut between its rows, since they are none without it; else nothing."""
    if not rest.startswith("|") or not block.endswith("|\n"):
        return ""
    head = _TABLE_HEAD.match(block)
    return head[0] if head and len(head[0]) <= _LARGEST // 4 else ""


def _ends_inside(text: str) -> list[int]:
    """Return where a block that is too long is cut: before its last item, or behind a line that is no code."""
    tokens, _ = parse_blocks(text, growing=True)
    lines = text.split("\n")
    items = {token.map[0] for token in tokens if token.type == "list_item_open" and token.level == 1} - {0}
    code = {line for token in tokens if token.type == "fence" for line in range(*token.map)}  # its rest would be Markdown
    last = max(items or {line for line in range(1, len(lines)) if line - 1 not in code}, default=0)
    return [sum(len(line) + 1 for line in lines[:last])] if last else []


def _later_starts(text: str, *, growing: bool) -> list[int]:
    """Return where every block but the first begins, as far as that is settled."""
    tokens, undecided = parse_blocks(text, growing=growing)
    lines = text.split("\n")
    blank = [not line.strip(" \t") for line in lines]
    blocks = _top_blocks(tokens, blank)
    starts = {first for (former, _), (_, first) in pairwise(blocks) if _is_settled(former, first, blank)} - {0}
    offsets, total = [], 0
    for number, line in enumerate(lines[: undecided + 1]):
        if number in starts and (number < undecided or blank[number - 1]):
            offsets.append(total)
        total += len(line) + 1
    return offsets


def _top_blocks(tokens: Sequence[Any], blank: Sequence[bool]) -> list[tuple[str, int]]:
    """Return type and first line of each top-level block; a link definition has no token, but the lines that no other has."""
    found: list[tuple[str, int]] = []
    line = 0
    spans = [(token.type, *token.map) for token in tokens if token.level == 0 and token.map and token.nesting >= 0]
    for kind, begin, end in [*spans, ("", len(blank), 0)]:
        found += [("definition", number) for number in range(line, begin) if not blank[number]][:1]
        found += [(kind, begin)] if kind else []
        line = end
    return found


def _is_settled(former: str, first: int, blank: Sequence[bool]) -> bool:
    """Say whether the rest of an unfinished last line cannot make the block that begins at `first` a part of the former one."""
    after_blank = blank[first - 1]
    if former == "definition":
        return after_blank  # or its title may come yet
    if after_blank and former in _CLOSED_BY_BLANK:
        return True
    deciding = first if after_blank else first + 1  # the line below tells whether this one is a table's head
    return deciding < len(blank) - 1


def to_html(markdown: str) -> str:
    """Return sanitised HTML of a whole Markdown text."""
    blocks = Blocks()
    blocks.append(markdown)
    blocks.close()
    return blocks.html()


class Verbatim:
    """A growing text without any markup."""

    promising = False  # nothing is finished before its end

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._html = ""

    def append(self, text: str) -> str:
        """Take in text and return it as it will be shown."""
        self._pieces.append(harmless(text))
        return self._pieces[-1]

    def advance(self) -> list[RenderedBlock]:
        """Return nothing."""
        return []

    def close(self) -> list[RenderedBlock]:
        """Return all of it as one block."""
        tail, self._pieces = self.tail(), []
        self._html = preformatted(tail)
        return [RenderedBlock(self._html, tail)] if tail else []

    def html(self) -> str:
        """Return the block, once there is one."""
        return self._html

    def patch(self) -> Patch:
        """Return how it looks."""
        return as_it_is(self.tail())

    def tail(self) -> str:
        """Return the text."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]
