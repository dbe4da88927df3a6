"""Text that is shown as it is; it stands where `Blocks` stands for Markdown."""

from __future__ import annotations

from nbgemini.render.block_html import as_text
from nbgemini.render.escape import harmless
from nbgemini.render.html_tree import Patch, as_it_is
from nbgemini.render.streaming_markdown import Block


class Verbatim:
    """A growing text without any markup."""

    promising = False  # nothing is finished before its end

    def __init__(self) -> None:
        """Begin with nothing."""
        self._pieces: list[str] = []
        self._html = ""

    def append(self, text: str) -> str:
        """Take in text and return it as it will be shown."""
        self._pieces.append(harmless(text))
        return self._pieces[-1]

    def advance(self) -> list[Block]:
        """Return nothing."""
        return []

    def close(self) -> list[Block]:
        """Return all of it as one block."""
        tail, self._pieces = self.tail(), []
        self._html = as_text(tail)
        return [Block(self._html, tail)] if tail else []

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
