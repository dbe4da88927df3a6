"""Markdown's tokens as a reader of plain text needs them: formulas as text, links and images with where they lead.

Rule: what can't be clicked or looked at is said in words.
Invariants: all text is made harmless once more, because the parser decodes entities and percent signs; a link's host stands in
letters that cannot pose as others; code that would take too long to colour has no language.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

from nbgemini.render.coloured_code import is_colourable
from nbgemini.render.links import host_of, plain_url, speaks_for_itself
from nbgemini.render.text import harmless

_LONGEST_CODE = 8_000  # characters that are coloured: 8 µs each
_LONGEST_TARGET = 500
_SMALL = {"sub": "_", "sup": "^", "kbd": ""}  # H_2O
_CLOSING = {r"\(": r"\)", r"\[": r"\]"}


def readable(tokens: Iterable[Any]) -> list[Any]:
    """Return tokens that hold nothing but what a reader sees: harmless text, the targets of links, formulas as text."""
    found: list[Any] = []
    for token in tokens:
        token.content = harmless(token.content)
        if token.type == "fence":
            token.info = _language(token)
        if token.type == "inline":
            token.children = readable(token.children)
        found += _rewritten(token, found)
    return found


def _rewritten(token: Any, before: Sequence[Any]) -> list[Any]:  # noqa: PLR0911 - a table
    match token.type:
        case "formula":
            return [_words(f"{token.markup}{token.content}{_CLOSING.get(token.markup, token.markup)}")]
        case "math_block":
            closing = _CLOSING.get(token.markup, token.markup)
            token.type, token.tag, token.info, token.content = "fence", "code", "", f"{token.markup}{token.content}{closing}"
        case "small_open" | "small_close":
            return [_words(_SMALL[token.tag])] if token.nesting > 0 and _SMALL[token.tag] else []
        case "footnote_reference":
            return [_words(f"[{token.content}]")]
        case "footnote_open":
            return _paragraph(f"[{token.meta['label']}]")
        case "footnote_close":
            return []
        case "image":
            target = _target(str(token.attrGet("src") or ""))
            return [_words(f"[image not loaded: {', '.join(filter(None, (token.content, target)))}]")]
        case "link_open":
            token.type, token.tag = "link", "link"
        case "link_close":
            token.type, token.tag = "link", "link"
            return [token, *_shown_target(before)]
    return [token]


def _shown_target(before: Sequence[Any]) -> list[Any]:
    """Return the words that say where the link leads that ends here."""
    text = list(takewhile(lambda token: token.type != "link" or token.nesting != 1, reversed(before)))
    url = str(before[-len(text) - 1].attrGet("href") or "")
    shown = "".join(token.content for token in reversed(text))
    return [_words(f" ({_target(url)})")] if _target(url) and not speaks_for_itself(url, shown) else []


def _target(url: str) -> str:
    """Return where a URL leads, its host in letters that cannot pose as others."""
    target = harmless(plain_url(url) or host_of(url) or url)
    return target if len(target) <= _LONGEST_TARGET else f"{target[:_LONGEST_TARGET]}…"


def _paragraph(text: str) -> list[Any]:
    from markdown_it.token import Token  # noqa: PLC0415 - at first use

    inline = Token("inline", "", 0, content=text, children=[_words(text)])
    return [Token("paragraph_open", "p", 1), inline, Token("paragraph_close", "p", -1)]


def _language(token: Any) -> str:
    """Return the language of code that is coloured."""
    words = token.info.split()
    colourable = words and len(token.content) <= _LONGEST_CODE and is_colourable(token.content, words[0])
    return words[0].lower() if colourable else ""


def _words(text: str) -> Any:
    from markdown_it.token import Token  # noqa: PLC0415 - at first use

    return Token("text", "", 0, content=harmless(text))
