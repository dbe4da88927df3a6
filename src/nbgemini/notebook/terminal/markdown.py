"""Markdown for a terminal: rich renders what our own parser read, and where it can't, the source is shown.

Rules: a finished block is rendered alone and whole; of one that still grows the end is rendered as what it will be, and no more
than can be seen, so that a long block costs no more than a short one.
Invariants: no text is lost and nothing steers the terminal, so a rendering that lacks a letter or holds a control character
gives way to its source, and so does what would take too long or makes rich fail; rich is imported at first use.
"""

from __future__ import annotations

import io
import os
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, takewhile
from typing import Any

from nbgemini.render.block_rules import new_environment
from nbgemini.render.code import is_colourable
from nbgemini.render.escape import harmless
from nbgemini.render.markdown_parser import parse_all
from nbgemini.render.open_markdown import parse_open
from nbgemini.render.urls import host_of, plain_url, speaks_for_itself

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
    formula = f"{token.markup}{token.content}{_CLOSING.get(token.markup, token.markup)}"
    match token.type:
        case "formula":
            return [_words(formula)]
        case "math_block":
            token.type, token.tag, token.info, token.content = "fence", "code", "", formula
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


def _language(token: Any) -> str:
    """Return the language of code that is coloured."""
    words = token.info.split()
    colourable = words and len(token.content) <= _LONGEST_CODE and is_colourable(token.content, words[0])
    return words[0].lower() if colourable else ""


def _words(text: str) -> Any:
    from markdown_it.token import Token  # noqa: PLC0415 - at first use

    return Token("text", "", 0, content=harmless(text))


def _paragraph(text: str) -> list[Any]:
    from markdown_it.token import Token  # noqa: PLC0415 - at first use

    inline = Token("inline", "", 0, content=text, children=[_words(text)])
    return [Token("paragraph_open", "p", 1), inline, Token("paragraph_close", "p", -1)]


_DIM, _RESET = "\x1b[2m", "\x1b[0m"
_STYLE = re.compile(r"\x1b\[[\d;]*m")
_PADDING = re.compile(r"(?: |\x1b\[[\d;]*m)+\Z")
_LARGEST = 40_000  # characters of a block that is rendered
_MOST_OPEN = 3_000  # characters of a block that still grows that are rendered each time
_LONGEST_WORD = 100
_FENCE = re.compile(r" {0,3}(?:`{3,}|~{3,})[^\n]*(?:\n|\Z)")
_ANY_FENCE = re.compile(r"^[ >\t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*((?:`{3,}|~{3,})[^\n]*)$", re.MULTILINE)
_TABLE_HEAD = re.compile(r"[^\n]*\|[^\n]*\n[ :|>\t-]+\n")
_ITEM = re.compile(r"^(?:[-*+]|\d{1,9}[.)])[ \t]", re.MULTILINE)
_DARK_ON_LIGHT = ("7", "15")  # the background's colour as COLORFGBG names it
_THEME = {"markdown.code": "cyan", "markdown.code_block": "none"}  # no background of its own: it suits any terminal


class Renderer:
    """Shows Markdown as its source: what is left to do without rich."""

    def block(self, source: str, columns: int) -> str:
        """Return a finished block as it is printed."""
        del columns  # the terminal breaks the lines
        text = source.strip("\n")
        return f"{text}\n" if text.strip() else ""

    def rows(self, tail: str, columns: int, most: int) -> list[str]:
        """Return the last rows of a text that still grows."""
        return _last_rows(self._broken(_end_of(tail, columns * most), columns), most)

    def _broken(self, text: str, columns: int) -> list[str]:
        lines = text.expandtabs().split("\n")
        return [line[at : at + columns] for line in lines for at in range(0, max(1, len(line)), columns)]


class RichRenderer(Renderer):
    """Renders Markdown with rich."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - at first use, in a thread
        from rich.theme import Theme  # noqa: PLC0415

        self._console = Console(file=io.StringIO(), force_terminal=True, theme=Theme(_THEME), legacy_windows=False)
        self._markdown = _markdown()
        self._env: dict[str, Any] = new_environment()

    def block(self, source: str, columns: int) -> str:
        """Return a block rendered, or its source where that would lose or add something, or take too long."""
        text = None if len(source) > _LARGEST else self._faithful(source, columns)
        return super().block(source, columns) if text is None else text

    def rows(self, tail: str, columns: int, most: int) -> list[str]:
        """Return the last rows of a block that still grows, rendered with its open syntax closed."""
        source = _visible_end(tail, 2 * most)
        in_code = _FENCE.match(source) is not None
        text = self._faithful(source, columns, partial(parse_open, in_code=in_code))
        if text is None:
            return super().rows(tail, columns, most)
        rows = text.removesuffix("\n").split("\n") if text else []
        return _last_rows(rows if source == tail else [dim("⋮"), *rows], most)

    def _faithful(self, source: str, columns: int, parse: Callable[..., Sequence[Any]] = parse_all) -> str | None:
        """Return the block rendered if that holds all of it and nothing else."""
        try:
            tokens = readable(parse(source, self._env))
            text = self._rendered(tokens, columns)
        except Exception:  # noqa: BLE001 - whatever a renderer stumbles over, the text is there to be read
            return None
        return text if _is_faithful(text, tokens) else None

    def _rendered(self, tokens: list[Any], columns: int) -> str:
        self._markdown.parsed = tokens  # one for all blocks: each would make a parser of its own
        with self._console.capture() as capture:
            self._console.print(self._markdown, width=columns)
        lines = [_unpadded(line) for line in capture.get().split("\n")]
        text = "\n".join(lines).strip("\n")
        return f"{text}\n" if text else ""

    def _broken(self, text: str, columns: int) -> list[str]:
        """Break lines between words."""
        from rich.text import Text  # noqa: PLC0415

        return [line.plain.rstrip() for line in Text(text).wrap(self._console, columns, overflow="fold")]


def rich_renderer() -> Renderer:
    """Import rich, the parser and the highlighter; return what renders with them."""
    rich = RichRenderer()
    rich.block("*ready*\n```python\nx = 1\n```\n", 20)
    return rich


def dim(text: str) -> str:
    """Return text that is shown dim."""
    body = text.removesuffix("\n")
    return f"{_DIM}{body}{_RESET}{text[len(body) :]}"


def _markdown() -> Any:
    """Return what renders Markdown, to be given the tokens."""
    from rich.markdown import Markdown, TableDataElement  # noqa: PLC0415 - at first use

    class Cell(TableDataElement):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.content.overflow = "fold"  # rich would cut a long word off

    class Parsed(Markdown):
        elements = {**Markdown.elements, "td_open": Cell, "th_open": Cell}  # noqa: RUF012 - rich's own
        inlines = {*Markdown.inlines, "link"}  # noqa: RUF012

    return Parsed("", code_theme=_code_theme())


def _code_theme() -> str:
    """Return a theme of the terminal's own colours, for a light ground where we are told of one."""
    from IPython import get_ipython  # noqa: PLC0415

    told = str(getattr(get_ipython(), "colors", "")).lower() == "lightbg"
    return "ansi_light" if told or os.environ.get("COLORFGBG", "").split(";")[-1] in _DARK_ON_LIGHT else "ansi_dark"


def _is_faithful(text: str, tokens: Iterable[Any]) -> bool:
    """Say whether a rendering holds every letter of the tokens, and nothing that steers the terminal."""
    shown = _STYLE.sub("", text)
    wanted, found = (Counter(filter(str.isalnum, chain.from_iterable(texts))) for texts in (_contents(tokens), [shown]))
    return harmless(shown) == shown and wanted <= found


def _contents(tokens: Iterable[Any]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield from _contents(token.children)
        else:
            yield token.content


def _unpadded(line: str) -> str:
    body = _PADDING.sub("", line)
    return body + _RESET if _STYLE.search(body) else body


def _last_rows(rows: list[str], most: int) -> list[str]:
    return rows if len(rows) <= most else [dim("⋮"), *rows[len(rows) - most + 1 :]]


def _visible_end(tail: str, most: int) -> str:
    """Return the last lines of a block that still grows, below the lines that say what they are: a table's head, a fence."""
    begin, lines = len(tail), 0
    while begin > 0 and lines < most and len(tail) - begin < _MOST_OPEN:
        begin, lines = tail.rfind("\n", 0, begin - 1) + 1, lines + 1
    if len(tail) - begin > 2 * _MOST_OPEN:  # a line without end
        place = (len(tail) // _MOST_OPEN - 1) * _MOST_OPEN  # where it was a little earlier too
        begin = tail.find(" ", place, place + _LONGEST_WORD) + 1 or place
    if begin <= 0:
        return tail
    if opening := _FENCE.match(tail) or _TABLE_HEAD.match(tail):
        return opening[0] + tail[max(begin, opening.end()) :]
    if _ITEM.match(tail) and (item := _ITEM.search(tail, begin)):
        return tail[item.start() :]
    fences = _ANY_FENCE.findall(tail, 0, begin)
    return (f"{fences[-1]}\n" if len(fences) % 2 else "") + textwrap.dedent(tail[begin:])


def _end_of(text: str, most: int) -> str:
    """Return an end of the text that holds at least `most` characters and begins where it would begin a little later too."""
    if len(text) <= most:
        return text
    begin = text.rfind("\n", 0, len(text) - most) + 1
    return text[begin + (len(text) - most - begin) // most * most :]
