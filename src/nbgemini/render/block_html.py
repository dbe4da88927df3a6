"""The HTML of one block of Markdown: raw HTML is text, formulas stay LaTeX, links show where they lead.

Invariants: the sanitiser comes last; nothing is loaded from anywhere when the result is shown; a block that would swell is
shown as it is, and no other with it.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import cache
from html import escape
from typing import Any

from nbgemini.render.citations import number_references, without_references
from nbgemini.render.code import code_html
from nbgemini.render.escape import is_rtl, legible
from nbgemini.render.markdown_parser import markdown_parser, parse_inline, parse_structure
from nbgemini.render.math import display_formula, formula, untypeset
from nbgemini.render.sanitize import is_inline_image, sanitize
from nbgemini.render.urls import UNREADABLE, host_of, leads_somewhere, mailboxes_of, speaks_for_itself

_MOST_TRIGGERS = 5_000  # elements around a single character
_MOST_REPEATED = 300_000  # characters of addresses and titles that are defined once and used often
_WORST_ENCODING = 9  # times that a character grows in an address: %E6%BC%A2
_REPEATED = "nbgemini repeated"  # where a whole answer's count stands
_RTL = "nbgemini right to left"  # whether this block is, in part
_LINES = "nbgemini lines"  # of this block
_SIDES = {"text-align:left": "left", "text-align:right": "right", "text-align:center": "center"}


def render(source: str, env: MutableMapping[str, Any]) -> str:
    """Return sanitised HTML of one block of harmless Markdown; `env` carries definitions from block to block."""
    env[_RTL], env[_LINES] = is_rtl(source), source.split("\n")
    try:
        html = without_references(_html(source, env), source)
    except (RecursionError, TooMuchRepeatedError):
        return preformatted(source)
    return sanitize(html) if html.count("<span>") <= _MOST_TRIGGERS else preformatted(source)


def preformatted(source: str) -> str:
    """Return the source as it is, in a box."""
    return f"<pre>{escape(without_references(source, source), quote=False)}</pre>\n"


class TooMuchRepeatedError(Exception):
    """Links by reference repeat more text than may be, over all blocks of an answer."""


def _html(source: str, env: MutableMapping[str, Any]) -> str:
    tokens = parse_structure(source, env)
    renderer, options = _renderer(), markdown_parser().options
    allowed = _WORST_ENCODING * len(source)  # characters of addresses and titles
    pieces: list[str] = []
    for index, token in enumerate(tokens):
        if token.type != "inline":
            pieces.append(renderer.rules.get(token.type, renderer.renderToken)(tokens, index, options, env))
            continue
        for children in parse_inline(token.content, env):  # rendered at once, and gone
            allowed -= sum(len(str(value)) for child in children for value in child.attrs.values())
            if allowed < 0:
                env[_REPEATED] = env.get(_REPEATED, 0) - allowed
                allowed = 0
                if env[_REPEATED] > _MOST_REPEATED:
                    raise TooMuchRepeatedError
            pieces.append(renderer.renderInline(children, options, env))
    return legible("".join(pieces), rtl=env[_RTL])  # again: an entity or a percent sign may have become a control character


@cache
def _renderer() -> Any:
    parser = markdown_parser()
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser.renderer


def _words(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return number_references(untypeset(escape(tokens[index].content, quote=False)))


def _formula(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return formula(_code(tokens[index].content), tokens[index].markup)


def _math_block(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return display_formula(_code(tokens[index].content), tokens[index].markup)


def _fence(_self: Any, tokens: Sequence[Any], index: int, _options: Any, env: Any) -> str:
    words = tokens[index].info.split()
    html = code_html(_code(tokens[index].content), words[0] if words else "", coloured=not tokens[index].meta.get("is_open"))
    return html.replace("<div", f"<div{_ltr(env)}", 1)


def _code_block(_self: Any, tokens: Sequence[Any], index: int, _options: Any, env: Any) -> str:
    return f"<pre{_ltr(env)}><code>{escape(_code(tokens[index].content), quote=False)}</code></pre>\n"


def _code_inline(_self: Any, tokens: Sequence[Any], index: int, _options: Any, env: Any) -> str:
    return f"<code{_ltr(env)}>{escape(_code(tokens[index].content), quote=False)}</code>"


def _ltr(env: Any) -> str:
    return ' dir="ltr"' if env[_RTL] else ""


def _code(text: str) -> str:
    """Return code with marks of direction shown: there they are never ordinary."""
    return legible(text, rtl=False)


def _directed(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    """Return an outermost element that takes its direction from what it holds; all in it follow."""
    token = tokens[index]
    if env[_RTL] and token.level == 0 and is_rtl("\n".join(env[_LINES][token.map[0] : token.map[1]])):
        token.attrSet("dir", "auto")
    return str(self.renderToken(tokens, index, options, env))


def _cell_open(_self: Any, tokens: Sequence[Any], index: int, _options: Any, env: Any) -> str:
    """Return a cell; the side is the content's own, as JupyterLab's style has its way with cells."""
    side = _SIDES.get(str(tokens[index].attrGet("style") or ""), "" if env[_RTL] else "left")
    return f'<{tokens[index].tag}><div align="{side}">' if side else f"<{tokens[index].tag}><div>"


def _cell_close(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return f"</div></{tokens[index].tag}>\n"


def _footnote_reference(_self: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    return _note(tokens[index].content)


def _footnote_open(_self: Any, tokens: Sequence[Any], index: int, _options: Any, env: Any) -> str:
    if tokens[index + 1].type == "paragraph_open":
        tokens[index + 1].hidden = tokens[index + 3].hidden = True
    direction = ' dir="auto"' if env[_RTL] and tokens[index].level == 0 else ""
    return f"<div{direction}>{_note(tokens[index].meta['label'])} "


def _note(label: str) -> str:
    return f"<sup>[{untypeset(escape(label, quote=False))}]</sup>"


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
    depth = tokens[index].level
    opening = next(at for at in range(index - 1, -1, -1) if tokens[at].type == "link_open" and tokens[at].level == depth)
    url = str(tokens[opening].attrGet("href") or "")
    target = unsaid_target(url, mailboxes_of(url) or host_of(url), tokens[opening + 1 : index])
    return f'</a> <span class="nbgemini-host">({escape(target)})</span>' if target else "</a>"


def unsaid_target(url: str, target: str, inside: Sequence[Any]) -> str:
    """Return the host or mailbox of a link, unless its text says it; a picture's alternative text is not seen."""
    text = "".join(token.content for token in inside) if all(token.type == "text" for token in inside) else ""
    return "" if speaks_for_itself(url, text) else target


def _image(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    source, alt = str(token.attrGet("src") or ""), self.renderInlineAsText(token.children or [], options, env)
    if is_inline_image(source):
        return f'<img src="{escape(source)}" alt="{escape(alt)}">'
    words, leads = unloaded_image(source, alt)
    label = untypeset(escape(words, quote=False))  # a link in a link would end the outer one
    return f'<a href="{escape(source)}" target="_blank">{label}</a>' if leads and "in_link" not in token.meta else label


def unloaded_image(source: str, alt: str) -> tuple[str, bool]:
    """Return what stands in the place of a picture that is not loaded, and whether it can be a link to it."""
    host = host_of(source)
    return f"[image not loaded: {', '.join(word for word in (alt, host) if word)}]", host not in ("", UNREADABLE)


_RULES = {
    "text": _words,
    "formula": _formula,
    "math_block": _math_block,
    "fence": _fence,
    "code_block": _code_block,
    "code_inline": _code_inline,
    "th_open": _cell_open,
    "td_open": _cell_open,
    "th_close": _cell_close,
    "td_close": _cell_close,
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
    "footnote_reference": _footnote_reference,
    "footnote_open": _footnote_open,
    **dict.fromkeys(
        ("paragraph_open", "heading_open", "bullet_list_open", "ordered_list_open", "blockquote_open", "table_open"), _directed
    ),
}
