"""Markdown to sanitised HTML: raw HTML is text, formulas stay LaTeX, code is coloured, links show where they lead.

Invariants: the sanitiser comes last; nothing is loaded from anywhere when the result is shown; text that would take the
parser too long is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

from nbgemini.render.sanitise import sanitised
from nbgemini.render.text import harmless

LARGEST = 200_000  # characters that are parsed in one go
_LONGEST_CODE = 20_000  # characters that are coloured; lexers are quadratic in long lines and in long runs of words
_LONGEST_CODE_LINE = 500
_LONGEST_CODE_RUN = 1_000
_MOST_OPEN_COMMENTS = 100
_DEEPEST = 40
_MOST_LINES = 10_000
_MOST_CELLS = 30_000  # of tables with more columns than a person reads
_MOST_COLUMNS = 20
_BOMB = re.compile(  # no way to match a text in two ways: the search itself must be linear
    r"(?:> ?){60}|(?:!\[){60}|(?:\*_?){400}|`{400}|(?:`[^`\n]){400}|\|{400}|<{400}|(?:<[^<>\n]){400}"
)
_BRACKETS = re.compile(r"[\[\]]|\n\n")
_DEEPEST_BRACKETS = 30
_CODE_RUN = re.compile(r"(?:[^\s(){};,=]*+\s++)++")
_DENIED = re.compile(
    r"\\(?:href|url|unicode|require|html\w*|class|cssId|style|def|gdef|edef|let|newcommand|renewcommand|newenvironment|includegraphics|mmlToken|data)(?![A-Za-z])"
)


def to_html(markdown: str) -> str:
    """Return sanitised HTML of a whole Markdown text."""
    return render(harmless(markdown), {})


def render(source: str, env: MutableMapping[str, Any]) -> str:
    """Return sanitised HTML of harmless Markdown; `env` carries link definitions from block to block."""
    if _is_bomb(source):
        return as_text(source)
    try:
        return sanitised(_parser().render(source, env))
    except RecursionError:
        return as_text(source)


def as_text(source: str) -> str:
    """Return the source as it is, in a box."""
    return f"<pre>{escape(source, quote=False)}</pre>\n"


def parse(source: str) -> Sequence[Any]:
    """Return the block tokens of harmless Markdown, the inline text unparsed."""
    parser = _parser()
    tokens: list[Any] = []
    parser.block.parse(source, parser, {}, tokens)
    return tokens


def _is_bomb(source: str) -> bool:
    """Say whether the parser would take too long; takes linear time itself."""
    if len(source) > LARGEST or source.count("\n") > _MOST_LINES or _BOMB.search(source):
        return True
    return _indented_too_deep(source) or _bracketed_too_deep(source) or _too_many_cells(source)


def _indented_too_deep(source: str) -> bool:
    return any(len(line) - len(line.lstrip(" ")) > _DEEPEST * 4 for line in source.split("\n") if line.strip())


def _bracketed_too_deep(source: str) -> bool:
    depth = 0
    for bracket in _BRACKETS.finditer(source):
        step = bracket.group()
        depth = depth + 1 if step == "[" else max(0, depth - 1) if step == "]" else 0
        if depth > _DEEPEST_BRACKETS:
            return True
    return False


def _too_many_cells(source: str) -> bool:
    lines = source.split("\n")
    columns = max(line.count("|") for line in lines)
    return columns > _MOST_COLUMNS and columns * len(lines) > _MOST_CELLS


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - at first use
    from mdit_py_plugins.dollarmath import dollarmath_plugin  # noqa: PLC0415

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST}).enable(["table", "strikethrough"])
    dollarmath_plugin(parser, allow_space=False, allow_digits=False, double_inline=True, allow_labels=False)
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _formula(latex: str, delimiter: str) -> str:
    source = escape(f"{delimiter}{latex}{delimiter}", quote=False)
    return f"<code>{source}</code>" if _DENIED.search(latex) else source


def _inline_math(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return _formula(tokens[index].content, "$")


def _inline_display_math(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return _formula(tokens[index].content, "$$")


def _block_math(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return f"<div>{_formula(tokens[index].content, '$$')}</div>\n"


def _fence(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    words = tokens[index].info.split()
    return code_html(tokens[index].content, words[0] if words else "")


def code_html(source: str, language: str) -> str:
    """Return code as HTML, coloured by class names if the language is known; still to be sanitised."""
    language = "".join(char for char in language if char.isalnum() or char in "+#.-_")[:40]
    named = f' class="language-{language}"' if language else ""
    return f'<div class="highlight"><pre><code{named}>{_coloured(source, language)}</code></pre></div>\n'


def _coloured(source: str, language: str) -> str:
    if not language or _too_long_to_colour(source):
        return escape(source, quote=False)
    from pygments import highlight  # noqa: PLC0415 - at first use
    from pygments.formatters.html import HtmlFormatter  # noqa: PLC0415
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415
    from pygments.util import ClassNotFound  # noqa: PLC0415

    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return escape(source, quote=False)
    return str(highlight(source, lexer, HtmlFormatter(nowrap=True)))


def _too_long_to_colour(source: str) -> bool:
    if len(source) > _LONGEST_CODE or max(map(len, source.split("\n"))) > _LONGEST_CODE_LINE:
        return True
    if source.count("/*") - source.count("*/") > _MOST_OPEN_COMMENTS:
        return True
    return any(len(run.group()) > _LONGEST_CODE_RUN for run in _CODE_RUN.finditer(source))


def _link_open(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("target", "_blank")
    return str(self.renderToken(tokens, index, options, env))


def _link_close(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    opening = _opening(tokens, index)
    url = str(tokens[opening].attrGet("href") or "")
    shown = "".join(token.content for token in tokens[opening + 1 : index])
    host = host_of(url)
    if not host or shown.strip() == url:
        return "</a>"
    return f'</a> <span class="nbgemini-host">({escape(host)})</span>'


def _opening(tokens: Sequence[Any], index: int) -> int:
    depth = tokens[index].level
    return next(at for at in range(index - 1, -1, -1) if tokens[at].type == "link_open" and tokens[at].level == depth)


def host_of(url: str) -> str:
    """Return the host of an http(s) URL in ASCII, or nothing."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return host.encode("idna").decode() if parts.scheme in ("http", "https") else ""
    except (ValueError, UnicodeError):
        return "unreadable host"


def _image(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    source, alt = str(token.attrGet("src") or ""), self.renderInlineAsText(token.children or [], options, env)
    if source.startswith("data:image/"):
        return f'<img src="{escape(source)}" alt="{escape(alt)}">'
    host = host_of(source)
    label = f"image not loaded: {', '.join(word for word in (alt, host) if word)}"
    return f'<a href="{escape(source)}" target="_blank">[{escape(label)}]</a>' if host else f"[{escape(label)}]"


_RULES = {
    "math_inline": _inline_math,
    "math_inline_double": _inline_display_math,
    "math_block": _block_math,
    "fence": _fence,
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
}
