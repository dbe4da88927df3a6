"""Markdown to sanitised HTML, the whole of it: what a text becomes that came in pieces."""

from __future__ import annotations

from nbgemini.render.blocks import LARGEST, Blocks
from nbgemini.render.coloured_code import code_html

__all__ = ["LARGEST", "code_html", "to_html"]


def to_html(markdown: str) -> str:
    """Return sanitised HTML of a whole Markdown text."""
    blocks = Blocks()
    blocks.append(markdown)
    blocks.close()
    return blocks.html()
