"""What models write within a line beyond CommonMark: four elements of HTML, bare addresses, boxes of tasks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width

_TAG = re.compile(r"<(?:(?P<br>br)\s{0,9}/?|(?P<close>/?)(?P<name>sub|sup|kbd))\s{0,9}>", re.IGNORECASE)
_DEEPEST = 4  # of our elements in each other
_SCHEME = re.compile(r"(?<![A-Za-z0-9])https?\Z", re.IGNORECASE)
_ADDRESS = re.compile(
    r"://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?)(?P<path>[/?#][\w!#$%&'()*+,./:;=?@{|}~-]*)?"
)
_BEHIND = "?!.,:;*_~'|"  # belongs to the sentence, not to the address
_PAIRS = {")": "(", "}": "{"}
_TASK = re.compile(r"\[(?P<done>[ xX])\][ \t]+(?=\S)")
_BOXES = {" ": "☐", "x": "☑"}


def small_tag(state: Any, silent: bool) -> bool:
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


def pair_small_tags(state: Any) -> None:
    """Make elements of the tags that have both ends in the same place, and text of all others."""
    _pair(state.tokens)


def _pair(tokens: Sequence[Any]) -> None:
    open_tags: list[Any] = [None]  # None: an element of Markdown
    for token in tokens:
        if token.nesting > 0:
            open_tags.append(None)
        elif token.nesting < 0:
            while open_tags.pop() is not None:
                pass
        elif token.type == "small_tag":
            _take(token, open_tags)
    for token in tokens:
        if token.type == "small_tag":
            token.type, token.tag = "text", ""


def _take(token: Any, open_tags: list[Any]) -> None:
    opening = open_tags[-1]
    if not token.meta["close"]:
        if None in open_tags[-_DEEPEST:]:
            open_tags.append(token)
    elif opening is not None and opening.tag == token.tag:
        open_tags.pop()
        opening.type, opening.nesting, opening.content = "small_open", 1, ""
        token.type, token.nesting, token.content = "small_close", -1, ""


def bare_address(state: Any, silent: bool) -> bool:
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


def _is_wide(char: str) -> bool:
    return not char.isascii() and east_asian_width(char) in "WF"


def check_boxes(state: Any) -> None:
    """Show `[ ]` and `[x]` at the beginning of a list's item as boxes."""
    tokens = state.tokens
    for item, opening, text in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type == "list_item_open" and opening.type == "paragraph_open" and (found := _TASK.match(text.content)):
            text.content = f"{_BOXES[found['done'].lower()]} {text.content[found.end() :]}"
