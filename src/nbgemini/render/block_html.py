"""The HTML of one block of Markdown: raw HTML is text, formulas stay LaTeX, links show where they lead.

Invariants: the sanitiser comes last; nothing is loaded from anywhere when the result is shown; a block that would swell is
shown as it is, and no other with it.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
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
        html = without_references(_Block(env).html(source), source)
    except (RecursionError, TooMuchRepeatedError):
        return preformatted(source)
    return sanitize(html) if html.count("<span>") <= _MOST_TRIGGERS else preformatted(source)


def preformatted(source: str) -> str:
    """Return the source as it is, in a box."""
    return f"<pre>{escape(without_references(source, source), quote=False)}</pre>\n"


class TooMuchRepeatedError(Exception):
    """Links by reference repeat more text than may be, over all blocks of an answer."""


def unsaid_target(url: str, target: str, inside: Sequence[Any]) -> str:
    """Return the host or mailbox of a link, unless its text says it; a picture's alternative text is not seen."""
    text = "".join(token.content for token in inside) if all(token.type == "text" for token in inside) else ""
    return "" if speaks_for_itself(url, text) else target


def unloaded_image(source: str, alt: str) -> tuple[str, bool]:
    """Return what stands in the place of a picture that is not loaded, and whether it can be a link to it."""
    host = host_of(source)
    return f"[image not loaded: {', '.join(word for word in (alt, host) if word)}]", host not in ("", UNREADABLE)


class _Block:
    """The HTML of one block, token by token: what has no method here is as the parser's own renderer has it."""

    def __init__(self, env: MutableMapping[str, Any]) -> None:
        self._env = env
        self._is_rtl: bool = env[_RTL]
        self._ltr = ' dir="ltr"' if self._is_rtl else ""  # of code, which goes from left to right everywhere
        parser = markdown_parser()
        self._renderer, self._options = parser.renderer, parser.options

    def html(self, source: str) -> str:
        """Return all of it."""
        tokens = parse_structure(source, self._env)
        allowed = _WORST_ENCODING * len(source)  # characters of addresses and titles
        pieces: list[str] = []
        for index, token in enumerate(tokens):
            if token.type != "inline":
                pieces.append(self._one(tokens, index))
                continue
            for children in parse_inline(token.content, self._env):  # rendered at once, and gone
                allowed -= sum(len(str(value)) for child in children for value in child.attrs.values())
                if allowed < 0:
                    self._env[_REPEATED] = self._env.get(_REPEATED, 0) - allowed
                    allowed = 0
                    if self._env[_REPEATED] > _MOST_REPEATED:
                        raise TooMuchRepeatedError
                pieces += (self._one(children, at) for at in range(len(children)))
        return legible("".join(pieces), rtl=self._is_rtl)  # again: an entity or a percent sign may be a control character

    def _one(self, tokens: Sequence[Any], index: int) -> str:
        write = getattr(self, f"_{tokens[index].type}", None)
        return str(write(tokens, index)) if write else self._plain(tokens, index)

    def _plain(self, tokens: Sequence[Any], index: int) -> str:
        write = self._renderer.rules.get(tokens[index].type, self._renderer.renderToken)
        return str(write(tokens, index, self._options, self._env))

    def _text(self, tokens: Sequence[Any], index: int) -> str:
        return number_references(untypeset(escape(tokens[index].content, quote=False)))

    def _formula(self, tokens: Sequence[Any], index: int) -> str:
        return formula(_code(tokens[index]), tokens[index].markup)

    def _math_block(self, tokens: Sequence[Any], index: int) -> str:
        return display_formula(_code(tokens[index]), tokens[index].markup)

    def _fence(self, tokens: Sequence[Any], index: int) -> str:
        language = (tokens[index].info.split() or [""])[0]
        html = code_html(_code(tokens[index]), language, coloured=not tokens[index].meta.get("is_open"))
        return html.replace("<div", f"<div{self._ltr}", 1)

    def _code_block(self, tokens: Sequence[Any], index: int) -> str:
        return f"<pre{self._ltr}><code>{escape(_code(tokens[index]), quote=False)}</code></pre>\n"

    def _code_inline(self, tokens: Sequence[Any], index: int) -> str:
        return f"<code{self._ltr}>{escape(_code(tokens[index]), quote=False)}</code>"

    def _paragraph_open(self, tokens: Sequence[Any], index: int) -> str:
        """Return an outermost element that takes its direction from what it holds; all in it follow."""
        token = tokens[index]
        if self._is_rtl and token.level == 0 and is_rtl("\n".join(self._env[_LINES][token.map[0] : token.map[1]])):
            token.attrSet("dir", "auto")
        return self._plain(tokens, index)

    _heading_open = _bullet_list_open = _ordered_list_open = _blockquote_open = _table_open = _paragraph_open

    def _th_open(self, tokens: Sequence[Any], index: int) -> str:
        """Return a cell; the side is the content's own, as JupyterLab's style has its way with cells."""
        side = _SIDES.get(str(tokens[index].attrGet("style") or ""), "" if self._is_rtl else "left")
        return f'<{tokens[index].tag}><div align="{side}">' if side else f"<{tokens[index].tag}><div>"

    def _th_close(self, tokens: Sequence[Any], index: int) -> str:
        return f"</div></{tokens[index].tag}>\n"

    _td_open, _td_close = _th_open, _th_close

    def _footnote_reference(self, tokens: Sequence[Any], index: int) -> str:
        return _note(tokens[index].content)

    def _footnote_open(self, tokens: Sequence[Any], index: int) -> str:
        if tokens[index + 1].type == "paragraph_open":
            tokens[index + 1].hidden = tokens[index + 3].hidden = True
        direction = ' dir="auto"' if self._is_rtl and tokens[index].level == 0 else ""
        return f"<div{direction}>{_note(tokens[index].meta['label'])} "

    def _link_open(self, tokens: Sequence[Any], index: int) -> str:
        token = tokens[index]
        if leads_somewhere(str(token.attrGet("href") or "")):
            token.attrSet("target", "_blank")
        else:
            token.attrs = {}
        html = self._plain(tokens, index)
        while tokens[index + 1].type != "link_close":
            index += 1
            tokens[index].meta["in_link"] = True
        return html

    def _link_close(self, tokens: Sequence[Any], index: int) -> str:
        depth = tokens[index].level
        opening = next(at for at in range(index - 1, -1, -1) if tokens[at].type == "link_open" and tokens[at].level == depth)
        url = str(tokens[opening].attrGet("href") or "")
        target = unsaid_target(url, mailboxes_of(url) or host_of(url), tokens[opening + 1 : index])
        return f'</a> <span class="nbgemini-host">({escape(target)})</span>' if target else "</a>"

    def _image(self, tokens: Sequence[Any], index: int) -> str:
        token = tokens[index]
        source = str(token.attrGet("src") or "")
        alt = self._renderer.renderInlineAsText(token.children or [], self._options, self._env)
        if is_inline_image(source):
            return f'<img src="{escape(source)}" alt="{escape(alt)}">'
        words, leads = unloaded_image(source, alt)
        label = untypeset(escape(words, quote=False))  # a link in a link would end the outer one
        return f'<a href="{escape(source)}" target="_blank">{label}</a>' if leads and "in_link" not in token.meta else label


def _code(token: Any) -> str:
    """Return code with marks of direction shown: there they are never ordinary."""
    return legible(token.content, rtl=False)


def _note(label: str) -> str:
    return f"<sup>[{untypeset(escape(label, quote=False))}]</sup>"
