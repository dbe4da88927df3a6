"""The Markdown parser: CommonMark, tables, strikethrough, and what models write beyond that.

Invariants: no raw HTML; the work is linear in the text; nothing of it vanishes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import cache, lru_cache, partial
from itertools import pairwise
from typing import Any
from unicodedata import category, east_asian_width

from nbgemini._environment import hush
from nbgemini.render.block_rules import (
    fence_rule,
    footnote_reference_rule,
    footnote_rule,
    full_table,
    shallow_list,
    shallow_quote,
)
from nbgemini.render.display_math import GROWING, UNDECIDED, display_math_rule, environment_rule, paragraph_rule
from nbgemini.render.escape import EMOJI
from nbgemini.render.math import brackets_rule, dollars_rule

hush("markdown_it")  # a line for each rule that it tries at each line

OPEN_END = "nbgemini open end"  # where a parse of text that still grows finds what closes its open syntax
_DEEPEST = 20  # elements in each other
_MOST_BREAKS = 4  # within emphasis that is still open, such as a verse, there are fewer,
_MOST_SIGNS = 3  # and it begins with so few
_LONGEST_PIECE = 10_000  # characters of inline text that are parsed at once


def parse_blocks(source: str, *, growing: bool = False) -> tuple[Sequence[Any], int]:
    """Return the block tokens of harmless Markdown, its inline text unparsed, and the first line that is not decided yet."""
    lines = count_lines(source)
    env: dict[str, Any] = {GROWING: lines} if growing else {}
    return _block_tokens(source, env), env.get(UNDECIDED, lines)


def count_lines(source: str) -> int:
    """Return how many lines the parser sees: none behind the last line end where only blanks have come."""
    return source.count("\n") + (not source.rstrip(" \t").endswith("\n"))


def _block_tokens(source: str, env: MutableMapping[str, Any]) -> list[Any]:
    parser = markdown_parser()
    tokens: list[Any] = []
    parser.block.parse(source, parser, env, tokens)
    return tokens


def parse_all(source: str, env: MutableMapping[str, Any]) -> Sequence[Any]:
    """Return all tokens of harmless Markdown; `env` carries definitions from block to block."""
    tokens = parse_structure(source, env)
    for token in tokens:
        if token.type == "inline":
            token.children = [child for children in parse_inline(token.content, env) for child in children]
    return tokens


def parse_structure(source: str, env: MutableMapping[str, Any]) -> Sequence[Any]:
    """Return the block tokens of harmless Markdown for `parse_inline`; `env` carries definitions from block to block."""
    tokens = _block_tokens(source, env)
    for item, opening, text in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type == "list_item_open" and opening.type == "paragraph_open" and (found := _TASK.match(text.content)):
            text.content = f"{_BOXES[found['done'].lower()]} {text.content[found.end() :]}"
    if OPEN_END in env:
        env[OPEN_END](tokens, env)
    return tokens


def parse_inline(content: str, env: MutableMapping[str, Any]) -> Iterator[list[Any]]:
    """Yield the tokens of inline text, of a very long one piece by piece: a million tokens at once are slow to collect."""
    parser = markdown_parser()
    for piece in _pieces(content):
        children: list[Any] = []
        parser.inline.parse(piece, parser, env, children)
        yield children


def _pieces(content: str) -> Iterator[str]:
    """Yield text in pieces of bounded length, cut before a blank where there is one."""
    begin = 0
    while len(content) - begin > _LONGEST_PIECE:
        half, limit = begin + _LONGEST_PIECE // 2, begin + _LONGEST_PIECE
        end = max(content.rfind(" ", half, limit), content.rfind("\n", half, limit))
        yield content[begin : (end := end if end > 0 else limit)]
        begin = end
    yield content[begin:]


@cache
def markdown_parser() -> Any:
    """Return the parser."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - at first use
    from markdown_it.rules_block import blockquote, list_block, table  # noqa: PLC0415
    from markdown_it.rules_inline import emphasis, strikethrough  # noqa: PLC0415

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST}).enable(["table", "strikethrough"])
    block, ends_text = parser.block.ruler, ["paragraph", "reference", "blockquote", "list"]
    block.at("table", full_table(table), {"alt": ["paragraph", "reference"]})
    block.at("fence", fence_rule, {"alt": ends_text})
    block.at("blockquote", shallow_quote(blockquote), {"alt": ends_text})
    block.at("list", shallow_list(list_block), {"alt": ["paragraph", "reference", "blockquote"]})
    block.disable("lheading")
    block.at("paragraph", paragraph_rule, {"alt": []})
    block.before("table", "math_block", display_math_rule, {"alt": ends_text})
    block.before("reference", "footnote", footnote_rule, {"alt": ["paragraph", "reference"]})
    inline = parser.inline.ruler
    inline.at("emphasis", _forgiving(emphasis.tokenize, "*_"))
    inline.at("strikethrough", _forgiving(strikethrough.tokenize, "~"))
    inline.after("text", "bare_address", _bare_address_rule)
    inline.before("escape", "dollars", dollars_rule)
    inline.before("escape", "bracketed", brackets_rule)
    inline.before("escape", "environment", environment_rule)
    inline.before("link", "footnote_reference", footnote_reference_rule)
    inline.before("footnote_reference", "lone_bracket", _lone_bracket_rule)
    inline.before("autolink", "small_tag", _small_tag_rule)
    parser.inline.ruler2.after("emphasis", "small_tags", _pair_small_tags)
    parser.inline.ruler2.after("fragments_join", "foreign_items", _break_before_items)
    return parser


def _lone_bracket_rule(state: Any, silent: bool) -> bool:
    """Take a bracket that nothing closes as text; else all that follows would be read once for each, in search of a link."""
    mark = next((mark for mark in ("[", "![") if state.src.startswith(mark, state.pos)), "")
    if not mark or state.src.find("]", state.pos, state.posMax) >= 0:
        return False
    state.pending += "" if silent else mark
    state.pos += len(mark)
    return True


def open_delimiters(text: str, env: MutableMapping[str, Any]) -> list[str]:
    """Return the signs of emphasis that inline text opens, never closes, and may yet close, from the outermost on."""
    from markdown_it.rules_inline import StateInline  # noqa: PLC0415 - at first use

    parser = markdown_parser()
    state = StateInline(text, parser, env, [])
    parser.inline.tokenize(state)
    parser.inline.ruler2.getRules("")[0](state)  # which pairs them
    signs = {42: "*", 95: "_", 126: "~~"}
    breaks = [at for at, token in enumerate(state.tokens) if token.type == "softbreak"]
    begin = breaks[-_MOST_BREAKS] if breaks[_MOST_BREAKS - 1 :] else 0
    return [
        signs[one.marker]
        for one in state.delimiters
        if one.open and one.end < 0 and one.token >= begin and not _multiplies(one, state.tokens)
    ]


def _multiplies(delimiter: Any, tokens: Sequence[Any]) -> bool:
    """Tell the sign in `2*n`, `x[i]*y` and `10**9` from emphasis, and the end of a comment in code without a fence."""
    first = last = delimiter.token
    if tokens[first].content != "*" or delimiter.length > _MOST_SIGNS:
        return False
    while first and tokens[first - 1].content == "*":
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1].content == "*":
        last += 1
    before = tokens[first - 1].content[-1:] if first else " "
    behind = tokens[last + 1].content[:1] if last + 1 < len(tokens) else ""
    is_alone = delimiter.length == 1
    return before.isascii() and (before.isdigit() or (is_alone and (before.isalnum() or before in ")]" or behind == "/")))


_QUOTES = ("Pi", "Pf")  # German ends with what English begins with
_NEITHER_OPENS = ("Pe", "Sc", "Sm")
_NEITHER_CLOSES = ("Ps", "Sc", "Sm")
_ASCII_OPENING = "([{<"
_ASCII_CLOSING = ")]}>.,:;!?%"
_ASCII_QUOTES = "\"'"
_SPANISH = "¡¿"
_NO_BREAK = "\u00a0\u202f"  # within French quotes


def _forgiving(rule: Callable[[Any, bool], bool], signs: str) -> Callable[[Any, bool], bool]:
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
    farther, before, after, behind = (
        state.src[place] if 0 <= place < state.posMax else " " for place in (start - 2, start - 1, end, end + 1)
    )
    return scanned._replace(
        can_open=scanned.can_open or _may_open(before, after, behind),
        can_close=scanned.can_close or _may_close(farther, before, after),
    )


def _may_open(before: str, after: str, behind: str) -> bool:
    """Say whether what follows belongs inside: `は**「重要」`."""
    if after.isspace():
        return False
    if after.isascii():
        return _is_wide(before) and (after in _ASCII_OPENING or after in _ASCII_QUOTES)
    if _kind(after) in _QUOTES:
        return behind in _NO_BREAK or not behind.isspace()
    return _kind(after) not in _NEITHER_OPENS


def _may_close(farther: str, before: str, after: str) -> bool:
    """Say whether what stands before belongs inside: `注意。**正文`, `(important)**な`, `"Wort"**en`."""
    if before.isspace():
        return False
    if before in _ASCII_QUOTES:
        return not farther.isspace() and farther not in _ASCII_OPENING
    if before.isascii():
        return before in _ASCII_CLOSING or (_is_wide(after) and before not in _ASCII_OPENING)
    kind = _kind(before)
    if kind in _QUOTES:
        return farther in _NO_BREAK or not farther.isspace()
    is_wave_dash = kind == "Sm" and _is_wide(before)
    return is_wave_dash or (kind not in _NEITHER_CLOSES and before not in _SPANISH)


_kind = lru_cache(maxsize=1_000)(category)


@lru_cache(maxsize=1_000)
def _is_wide(char: str) -> bool:
    return not char.isascii() and east_asian_width(char) in "WF"


_FOREIGN_ITEM = re.compile(  # how lists begin that Markdown does not know, and people do
    rf"[•·‣⁃–—]\s|[{EMOJI}]|[0-9#*]\ufe0f?\u20e3|\[\d{{1,3}}\][:\s]|(?![0-9])\d{{1,3}}[.)-]\s"  # noqa: RUF001
    r"|[(（](?:\d{1,2}|[A-Za-z])[)）]|[一二三四五六七八九十]{1,3}、"  # noqa: RUF001
)


def _break_before_items(state: Any) -> None:
    """Let each item of such a list have a line of its own."""
    for token, following in pairwise(state.tokens):
        if token.type == "softbreak" and following.type == "text" and _FOREIGN_ITEM.match(following.content):
            token.type, token.tag = "hardbreak", "br"


_TAG = re.compile(r"<(?:(?P<br>br)\s{0,9}/?|(?P<close>/?)(?P<name>sub|sup|kbd))\s{0,9}>", re.IGNORECASE)
_MOST_OPEN_TAGS = 4  # of our elements in each other
_SCHEME = re.compile(r"(?<![A-Za-z0-9])https?\Z", re.IGNORECASE)
_ADDRESS = re.compile(
    r"://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?)(?P<path>[/?#][\w!#$%&'()*+,./:;=?@{|}~-]*)?"
)
_BEHIND = "?!.,:;*_~'|"  # belongs to the sentence, not to the address
_PAIRS = {")": "(", "}": "{"}
_TASK = re.compile(r"\[(?P<done>[ xX])\][ \t]+(?=\S)")
_BOXES = {" ": "☐", "x": "☑"}


def _small_tag_rule(state: Any, silent: bool) -> bool:
    """Parse `<br>`, `<sub>`, `<sup>` and `<kbd>` without attributes; nothing else is HTML."""
    if state.src[state.pos] != "<":
        return False
    found = _TAG.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        token = state.push("hardbreak" if found["br"] else "small_tag", (found["name"] or "br").lower(), 0)
        if not found["br"]:
            token.content, token.meta = found.group(), {"close": bool(found["close"])}
    state.pos = found.end()
    return True


def _pair_small_tags(state: Any) -> None:
    """Make elements of the tags that have both ends in the same place, and text of all others and of escaped signs."""
    open_tags: list[Any] = [None]  # None: an element of Markdown
    for token in state.tokens:
        if token.nesting > 0:
            open_tags.append(None)
        elif token.nesting < 0:
            while open_tags.pop() is not None:
                pass
        elif token.type == "small_tag" and not token.meta["close"]:
            if None in open_tags[-_MOST_OPEN_TAGS:]:
                open_tags.append(token)
        elif token.type == "small_tag" and open_tags[-1] is not None and open_tags[-1].tag == token.tag:
            opening = open_tags.pop()
            opening.type, opening.nesting, opening.content = "small_open", 1, ""
            token.type, token.nesting, token.content = "small_close", -1, ""
    for token in state.tokens:
        if token.type in ("small_tag", "text_special"):
            token.type, token.tag = "text", ""


def _bare_address_rule(state: Any, silent: bool) -> bool:
    """Parse a web address that stands in the text, without the punctuation behind it."""
    if state.src[state.pos] != ":" or state.linkLevel:
        return False
    scheme = _SCHEME.search(state.src, max(0, state.pos - 6), state.pos)
    found = _ADDRESS.match(state.src, state.pos, state.posMax) if scheme else None
    if not scheme or not found or not (address := _trimmed(found, state.src[found.end() : found.end() + 1])):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme.group())]
        url = f"{scheme.group()}{address}"
        token = state.push("link_open", "a", 1)
        token.attrs, token.markup = {"href": state.md.normalizeLink(url)}, "linkify"
        state.push("text", "", 0).content = url
        state.push("link_close", "a", -1).markup = "linkify"
    state.pos += len(address)
    return True


def _trimmed(found: re.Match[str], behind: str) -> str:
    """Return what of it is the address, or nothing where its host would not be what a reader takes for it."""
    if not found["path"]:
        return "" if behind in ("@", "\\") or (behind.isalnum() and not _is_wide(behind)) else found.group()
    address, path = found.group(), found["path"]
    for place in range(1, len(path)):  # …/path查看 goes on in Chinese, …/wiki/日本 is all of it
        if _is_wide(path[place]) and path[place - 1].isascii() and path[place - 1].isalnum():
            address = address[: len(address) - len(path) + place]
            break
    counts = Counter(address)
    end = len(address)
    while (last := address[end - 1]) in _BEHIND or counts[last] > counts[_PAIRS.get(last, last)]:
        counts[last] -= 1
        end -= 1
    return address[:end]
