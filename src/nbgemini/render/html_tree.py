"""Sanitised HTML as a tree, and the few operations that turn what a page shows into what it should show.

A page that holds the same tree applies them in order: `["t", path, cut, text]` removes so many UTF-16 units from the end of an
element's last text and appends text there; `["h", path, drop, html]` removes so many of an element's last nodes and appends
HTML. A path leads from the root through child nodes, each counted from the end: `[1]` is the last. White space between blocks
is no part of the tree.
Invariant: HTML in an operation is made of whole nodes that left the sanitiser.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any, TypeAlias

from msgspec import Struct

Operation: TypeAlias = list[Any]
_TOKEN = re.compile(r"<(?P<close>/?)(?P<name>[a-z0-9]+)(?:[^<>\"]|\"[^\"]*\")*>|[^<]+")
_DEEPEST = 60  # elements in each other
_WHOLE = ""  # in the place of a name: the tag is all of the element
_VOID = frozenset({"br", "hr", "img", _WHOLE})
_BLOCK_NAMES = "p h1 h2 h3 h4 h5 h6 ul ol li blockquote pre table thead tbody tr th td div hr details"
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&nbsp;": "\xa0"}
_ENTITY = re.compile("|".join(_ENTITIES))


class Element(Struct):
    """An element: its opening tag as it is written, its name, and what is inside."""

    tag: str
    name: str
    children: list[Node]


Node: TypeAlias = str | Element  # text is decoded


class Level(Struct, frozen=True):
    """How the children of one element on the way to the open end are brought up to date."""

    kept: int = 0  # how many of them are finished; the next one is the first that may change
    skipped: int = 0  # how many of the new ones only stand for what was kept
    text: int = -1  # characters that are kept of the next one, a text; -1 where it is an element, or is replaced as a whole
    skipped_text: int = 0  # characters of the new text that only stand for what was kept


class Patch(Struct, frozen=True):
    """What the end of a growing text looks like now, and where it belongs; see `amend`."""

    nodes: list[Node]
    levels: tuple[Level, ...] = ()


def as_it_is(text: str) -> Patch:
    """Return text that shows as it is."""
    return Patch([Element("<pre>", "pre", [text])] if text else [])


def parse_html(html: str) -> list[Node]:
    """Return the nodes of sanitised HTML; what is left open ends with it, and what is very deep is one node."""
    root = Element("", "div", [])
    open_elements, begins = [root], [0]
    deep = False
    for found in _TOKEN.finditer(html):
        name = found["name"]
        if name is None:
            _add_text(open_elements[-1], found[0])
        elif not found["close"]:
            element = Element(found[0], name, [])
            _trim_end(open_elements[-1], name)
            open_elements[-1].children.append(element)
            if name not in _VOID:
                open_elements.append(element)
                begins.append(found.start())
            deep = deep or len(open_elements) > _DEEPEST
        elif len(open_elements) > 1:  # the sanitiser leaves each element closed
            element, begin = open_elements.pop(), begins.pop()
            _trim_end(element, name)
            if deep and len(open_elements) == 1:
                element.tag, element.name, element.children = html[begin : found.end()], _WHOLE, []
                deep = False
    _trim_end(root, root.name)
    return root.children


def serialize_html(nodes: Sequence[Node]) -> str:
    """Return nodes as HTML."""
    pieces: list[str] = []
    _write(nodes, pieces)
    return "".join(pieces)


def amend(shown: list[Node], new: Sequence[Node], levels: Sequence[Level] = ()) -> list[Operation]:
    """Bring nodes up to date in place, by all that is `new` or by an end whose `levels` say where it belongs; return how."""
    operations: list[Operation] = []
    _amend(shown, new, levels, [], operations)
    return operations


def _amend(
    shown: list[Node], new: Sequence[Node], levels: Sequence[Level], path: list[int], operations: list[Operation]
) -> None:
    level = levels[0] if levels else Level()
    end, at = list(new[level.skipped :]), level.kept
    kept = shown[at] if at < len(shown) else None
    if level.text >= 0 and isinstance(kept, str):
        begun = end.pop(0) if end and isinstance(end[0], str) else ""
        end.insert(0, kept[: level.text] + str(begun)[level.skipped_text :])
    elif len(levels) > 1 and isinstance(kept, Element) and end and isinstance(first := end[0], Element):
        _amend(kept.children, first.children, levels[1:], [*path, len(shown) - at], operations)
        at, end = at + 1, end[1:]
    _replace_end(shown, end, at, path, operations)


def _replace_end(shown: list[Node], end: list[Node], at: int, path: list[int], operations: list[Operation]) -> None:
    """Let the children from `at` on be these."""
    same = 0
    for old, new in zip(shown[at:], end, strict=False):
        if isinstance(old, Element) and isinstance(new, Element) and old.tag == new.tag:
            _replace_end(old.children, new.children, 0, [*path, len(shown) - at - same], operations)
        elif old != new:
            break
        same += 1
    at, end = at + same, end[same:]
    surplus = len(shown) - at
    before, after = shown[at] if surplus else None, end[0] if end else None
    if isinstance(before, str) and isinstance(after, str) and (common := _common(before, after)):
        if surplus > 1:
            operations.append(["h", path, surplus - 1, ""])
        operations.append(["t", path, units(before[common:]), after[common:]])
        surplus, end, shown[at:] = 0, end[1:], [after]
        at += 1
    if surplus or end:
        operations.append(["h", path, surplus, serialize_html(end)])
    shown[at:] = end


def units(text: str) -> int:
    """Return the length of a text in UTF-16 units, which is how a browser counts."""
    return len(text) + sum(char > "\uffff" for char in text)


def _common(old: str, new: str) -> int:
    """Return how many characters both begin with."""
    if new.startswith(old):
        return len(old)
    return next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new)))


def _add_text(parent: Element, html: str) -> None:
    text = _ENTITY.sub(lambda found: _ENTITIES[found[0]], html)
    before = parent.children[-1] if parent.children else parent
    if parent.name in _BLOCKS - {"pre"} and isinstance(before, Element) and before.name in _BLOCKS:
        text = text.lstrip("\n")
    if text:
        parent.children.append(text)


def _trim_end(parent: Element, next_name: str) -> None:
    """Take away the line end before a block, or before the end of one."""
    last = parent.children[-1] if parent.children else None
    if isinstance(last, str) and next_name in _BLOCKS and parent.name in _BLOCKS - {"pre"}:
        parent.children[-1:] = [text] if (text := last.rstrip("\n")) else []


def _write(nodes: Sequence[Node], pieces: list[str]) -> None:
    for node in nodes:
        if isinstance(node, str):
            pieces.append(escape(node, quote=False).replace("\xa0", "&nbsp;"))
        else:
            pieces.append(node.tag)
            _write(node.children, pieces)
            if node.name not in _VOID:
                pieces.append(f"</{node.name}>")
