"""A model's Markdown inside a page of ours: as it came if nothing in it can do harm, else mended, else as source.

Invariants: whatever reads the page finds no raw HTML, no picture that is loaded from elsewhere, no link but to the web or a
mailbox, no code that a converter would run or pass through; what a text opens it closes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from nbgemini.render.escape import harmless

_END = "nbgemini end of text"
_HTML = re.compile(r"<(?=[A-Za-z/!?])")
_RAW = re.compile(r"`\{=|^[ \t>]*(?:`{3,}|~{3,})[ \t]*\{|^:{3,}", re.MULTILINE)  # what Pandoc and Quarto obey
_SPECIAL = re.compile(r"([\\`*_\[\]<>#!|~&$])")
_RUN = re.compile(r"`+")


def safe_markdown(text: str) -> str:
    """Return Markdown that reads as the model meant it, as far as that is harmless."""
    source = harmless(text).strip("\n")
    for tried in (source, _HTML.sub(r"\\<", source).replace("![", "!\\[")):
        if _is_safe(tried):
            return tried
    return fenced(source)


def fenced(text: str, language: str = "") -> str:
    """Return text as a block of source, whatever it holds."""
    longest = max((len(run) for run in _RUN.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{harmless(text)}\n{fence}"


def escaped(text: str) -> str:
    """Return text for the middle of a line."""
    return _SPECIAL.sub(r"\\\1", " ".join(harmless(text).split()))


def quoted(markdown: str) -> str:
    """Return Markdown as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in markdown.split("\n"))


def _is_safe(source: str) -> bool:
    if _RAW.search(source):
        return False
    try:
        return all(_reads_safely(source, tables=tables) for tables in (True, False))
    except RecursionError:
        return False


def _reads_safely(source: str, *, tables: bool) -> bool:
    """Whether one dialect finds nothing harmful; where cells end differs, and with it what is code."""
    tokens = _parser(tables=tables).parse(f"{source}\n\n{_END}", {})
    closed = len(tokens) >= 3 and tokens[-1].level == 0 and tokens[-2].content == _END  # noqa: PLR2004 - open, text, close
    return closed and all(_is_harmless(token) for token in _all(tokens))


def _all(tokens: Sequence[Any]) -> Iterable[Any]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _is_harmless(token: Any) -> bool:
    if token.type == "link_open":
        return str(token.attrs.get("href", "")).lower().startswith(("http://", "https://", "mailto:", "#"))
    return token.type not in ("html_block", "html_inline", "image")


@cache
def _parser(*, tables: bool) -> Any:
    """Return a parser that finds all that a reader of its dialect might."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - at first use

    parser = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", *(["table"] if tables else [])])
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005 - it is given by name
    return parser
