"""Markdown to sanitised HTML: raw HTML is text, formulas stay LaTeX, code is coloured, links show where they lead.

Invariants: the sanitiser comes last; nothing is loaded from anywhere when the result is shown; text that would take the
parser too long is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping, Sequence
from functools import cache, lru_cache, partial
from html import escape
from typing import Any

from nbgemini.chatter import hush
from nbgemini.render.formulas import bracketed, dollars, formula, on_own_lines, untypeset
from nbgemini.render.links import UNREADABLE, host_of, leads_somewhere, speaks_for_itself
from nbgemini.render.references import shown, without_references
from nbgemini.render.sanitise import is_inline_image, sanitised
from nbgemini.render.text import harmless

hush("markdown_it")  # a line for each rule that it tries at each line

LARGEST = 200_000  # characters that are parsed in one go
_LONGEST_CODE = 20_000  # characters that are coloured; lexers are quadratic in long lines and in long runs of words
_LONGEST_CODE_LINE = 500
_LONGEST_CODE_RUN = 1_000
_MOST_OPEN_COMMENTS = 100
_DEEPEST = 40
_MOST_LINES = 10_000
_MOST_CELLS = 30_000  # of tables with more columns than a person reads
_MOST_COLUMNS = 20
_MOST_TRIGGERS = 5_000  # elements around a single character
_MOST_REPEATED = 300_000  # characters of addresses and titles that are defined once and used often
_WORST_ENCODING = 9  # times that a character grows in an address: %E6%BC%A2
_REPEATED = "nbgemini repeated"  # where a whole answer's count stands
_BOMB = re.compile(  # no way to match a text in two ways: the search itself must be linear
    r"(?:> ?){60}|(?:!\[){60}|(?:\*_?){400}|`{400}|(?:`[^`\n]){400}|\|{400}|<{400}|(?:<[^<>\n]){400}"
)
_BRACKETS = re.compile(r"[\[\]]|\n\n")
_DEEPEST_BRACKETS = 30
_CODE_RUN = re.compile(r"(?:[^\s(){};,=]*+\s++)++")


def to_html(markdown: str) -> str:
    """Return sanitised HTML of a whole Markdown text."""
    return render(harmless(markdown), {})


def render(source: str, env: MutableMapping[str, Any]) -> str:
    """Return sanitised HTML of harmless Markdown; `env` carries link definitions from block to block."""
    if is_bomb(source):
        return as_text(source)
    try:
        tokens = _parser().parse(source, env)
        html = without_references(_html(tokens, env), source) if _is_affordable(tokens, len(source), env) else None
    except RecursionError:
        return as_text(source)
    return sanitised(html) if html is not None and html.count("<span>") <= _MOST_TRIGGERS else as_text(source)


def _html(tokens: Sequence[Any], env: MutableMapping[str, Any]) -> str:
    parser = _parser()
    html = parser.renderer.render(tokens, parser.options, env)
    return harmless(html)  # again: an entity or a percent sign may have become a control character


def _is_affordable(tokens: Sequence[Any], length: int, env: MutableMapping[str, Any]) -> bool:
    """Say whether links by reference repeat no more text than may be, over all blocks of an answer."""
    inline = (child for token in tokens for child in token.children or ())
    carried = sum(len(str(value)) for child in inline for value in child.attrs.values())
    env[_REPEATED] = env.get(_REPEATED, 0) + max(0, carried - _WORST_ENCODING * length)
    return bool(env[_REPEATED] <= _MOST_REPEATED)


def as_text(source: str) -> str:
    """Return the source as it is, in a box."""
    return f"<pre>{escape(without_references(source, source), quote=False)}</pre>\n"


def parse(source: str) -> Sequence[Any]:
    """Return the block tokens of harmless Markdown, the inline text unparsed."""
    parser = _parser()
    tokens: list[Any] = []
    parser.block.parse(source, parser, {}, tokens)
    return tokens


def parse_all(source: str, env: MutableMapping[str, Any]) -> Sequence[Any]:
    """Return all tokens of harmless Markdown that is no bomb; `env` carries link definitions from block to block."""
    tokens: Sequence[Any] = _parser().parse(source, env)
    return tokens


def is_bomb(source: str) -> bool:
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

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST}).enable(["table", "strikethrough"])
    parser.block.ruler.before("fence", "math_block", on_own_lines())
    parser.inline.ruler.before("escape", "dollars", dollars)
    parser.inline.ruler.before("escape", "bracketed", bracketed)
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _words(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return shown(untypeset(escape(tokens[index].content, quote=False)))


def _formula(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return formula(tokens[index].content, tokens[index].markup)


def _block_math(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return f"<div>{formula(tokens[index].content, '$$')}</div>\n"


def _fence(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    words = tokens[index].info.split()
    return code_html(tokens[index].content, words[0] if words else "")


def code_html(source: str, language: str) -> str:
    """Return code as HTML, coloured by class names if the language is known; still to be sanitised."""
    language = "".join(char for char in language if (char.isascii() and char.isalnum()) or char in "+#.-_")[:40]
    named = f' class="language-{language}"' if language else ""
    return f'<div class="highlight"><pre><code{named}>{_coloured(source, language)}</code></pre></div>\n'


def _coloured(source: str, language: str) -> str:
    if not language or too_long_to_colour(source):
        return escape(source, quote=False)
    lexer = _lexer(language)
    return escape(source, quote=False) if lexer is None else str(_highlight()(source, lexer))


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415 - at first use
    from pygments.util import ClassNotFound  # noqa: PLC0415

    try:
        return get_lexer_by_name(language, stripnl=False, filters=[_quiet()])
    except ClassNotFound:
        return None


@cache
def _quiet() -> Any:
    """Return a filter that leaves names and punctuation uncoloured: no theme needs them, and they are half of all HTML."""
    from pygments.filter import simplefilter  # noqa: PLC0415 - at first use
    from pygments.token import Name, Punctuation, Text, Whitespace  # noqa: PLC0415

    def quiet(_self: Any, _lexer: Any, stream: Any, _options: Any) -> Any:
        plain = (Name, Punctuation, Whitespace)
        return ((Text if kind in plain else kind, value) for kind, value in stream)

    return simplefilter(quiet)()


@cache
def _highlight() -> Callable[[str, Any], str]:
    from pygments import highlight  # noqa: PLC0415 - at first use
    from pygments.formatters.html import HtmlFormatter  # noqa: PLC0415

    return partial(highlight, formatter=HtmlFormatter(nowrap=True))


def too_long_to_colour(source: str) -> bool:
    """Say whether a lexer may take too long for this code."""
    if len(source) > _LONGEST_CODE or max(map(len, source.split("\n"))) > _LONGEST_CODE_LINE:
        return True
    if source.count("/*") - source.count("*/") > _MOST_OPEN_COMMENTS:
        return True
    return any(len(run.group()) > _LONGEST_CODE_RUN for run in _CODE_RUN.finditer(source))


def _link_open(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    if leads_somewhere(str(token.attrGet("href") or "")):
        token.attrSet("target", "_blank")
    else:
        token.attrs = {}
    html = str(self.renderToken(tokens, index, options, env))
    while tokens[index + 1].type != "link_close":
        index += 1
        tokens[index].meta["in_link"] = True
    return html


def _link_close(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    opening = _opening(tokens, index)
    url = str(tokens[opening].attrGet("href") or "")
    host = host_of(url)
    shown = "".join(token.content for token in tokens[opening + 1 : index])
    if not host or speaks_for_itself(url, shown):
        return "</a>"
    return f'</a> <span class="nbgemini-host">({escape(host)})</span>'


def _opening(tokens: Sequence[Any], index: int) -> int:
    depth = tokens[index].level
    return next(at for at in range(index - 1, -1, -1) if tokens[at].type == "link_open" and tokens[at].level == depth)


def _image(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    source, alt = str(token.attrGet("src") or ""), self.renderInlineAsText(token.children or [], options, env)
    if is_inline_image(source):
        return f'<img src="{escape(source)}" alt="{escape(alt)}">'
    host = host_of(source)
    label = untypeset(escape(f"[image not loaded: {', '.join(word for word in (alt, host) if word)}]", quote=False))
    leads = host not in ("", UNREADABLE) and "in_link" not in token.meta  # a link in a link would end the outer one
    return f'<a href="{escape(source)}" target="_blank">{label}</a>' if leads else label


_RULES = {
    "text": _words,
    "formula": _formula,
    "math_block": _block_math,
    "fence": _fence,
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
}
