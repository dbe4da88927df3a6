"""What a page was told of a growing text, and what it is told next.

The page holds finished blocks as HTML and behind them the text that still grows. Each character travels once: a block that
was never shown as text comes as HTML at once; a plain paragraph is made by the page from the text it has.
"""

from __future__ import annotations

from typing import Any

from nbgemini.render.streaming_markdown import Block


class Deltas:
    """The kernel's side of one streamed text."""

    def __init__(self) -> None:
        """Begin with an empty page."""
        self._html: list[str] = []
        self._tail = ""

    def next(self, blocks: list[Block], tail: str) -> list[list[Any]]:
        """Return what brings the page to these further finished blocks and this growing text behind them.

        Operations are `["t", text]` (append text), `["p", units]` (so many UTF-16 units of the text are a paragraph) and
        `["h", html, units]` (this HTML takes the place of so many units).
        """
        ops: list[list[Any]] = []
        shown = self._tail
        for block in blocks:
            ops += _finished(block, shown[: len(block.source)])
            shown = shown[len(block.source) :]
        if len(tail) > len(shown):
            ops.append(["t", tail[len(shown) :]])
        self._html += [block.html for block in blocks]
        self._tail = tail
        return ops

    def correct(self, html: str) -> bool:
        """Take this for all finished blocks; say whether the page was told otherwise and needs a snapshot."""
        told, self._html = "".join(self._html), [html]
        return told != html

    def snapshot(self) -> dict[str, Any]:
        """Return all that was told so far, for a page that missed some of it."""
        return {"html": "".join(self._html), "tail": self._tail}


def _finished(block: Block, shown: str) -> list[list[Any]]:
    """Return what turns a block's text into the block, given how much of the text is shown."""
    if not (block.plain and shown):
        return [["h", block.html, units(shown)]]
    missing = block.source[len(shown) :]
    return [*([["t", missing]] if missing else []), ["p", units(block.source)]]


def units(text: str) -> int:
    """Return the length of a text in UTF-16 units, which is how a browser counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
