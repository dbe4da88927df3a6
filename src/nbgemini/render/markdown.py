"""Markdown to sanitised HTML, the whole of it: what a text becomes that came in pieces."""

from __future__ import annotations

from nbgemini.render.code import code_html
from nbgemini.render.streaming_markdown import LARGEST, Blocks

__all__ = ["LARGEST", "code_html", "to_html"]


def to_html(markdown: str) -> str:
    """Return sanitised HTML of a whole Markdown text."""
    blocks = Blocks()
    blocks.append(markdown)
    blocks.close()
    return blocks.html()
