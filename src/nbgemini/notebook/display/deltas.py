"""What a page was told of a growing text, and what it is told next.

The page holds the text as HTML; behind its finished blocks stands what is still being written, formatted as far as it came.
Each character travels once, but for those that turn out to be something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from nbgemini.render.html_tree import Node, Operation, Patch, amend, parse_html, serialize_html
from nbgemini.render.streaming_markdown import RenderedBlock


class Update(Struct, frozen=True):
    """What a text has become: further finished blocks, as HTML and as nodes, and how the rest looks, if it looks different."""

    html: tuple[str, ...]
    nodes: list[Node]
    patch: Patch | None


def update_of(blocks: Sequence[RenderedBlock], patch: Patch | None) -> Update:
    """Return an update; blocks that may be long are parsed here, so not on the loop."""
    html = tuple(block.html for block in blocks)
    return Update(html, [node for text in html for node in parse_html(text)], patch)


class Deltas:
    """The kernel's side of one streamed text."""

    def __init__(self) -> None:
        """Begin with an empty page."""
        self._finished: list[str] = []
        self._open: list[Node] = []

    def next(self, update: Update) -> list[Operation]:
        """Return the operations that bring the page up to date; `html_tree` says what they are."""
        rest = update.patch or Patch([])
        if not update.html:
            return amend(self._open, rest.nodes, rest.levels) if update.patch else []
        operations = amend(self._open, [*update.nodes, *rest.nodes])
        del self._open[: len(update.nodes)]
        self._finished += update.html
        return operations

    def correct(self, html: str) -> bool:
        """Take this for all finished blocks; say whether the page was told otherwise and needs a snapshot."""
        told, self._finished = "".join(self._finished), [html]
        return told != html

    def open_html(self) -> str:
        """Return what stands behind the finished blocks."""
        return serialize_html(self._open)

    def snapshot(self) -> dict[str, Any]:
        """Return all that was told so far, for a page that missed some of it."""
        return {"html": "".join(self._finished), "open": self.open_html()}
