"""Formulas for the page's own typesetter, and text in which it finds none.

A typesetter such as MathJax looks for delimiters in whatever text stands in a page and knows nothing of what the Markdown
parser took for a formula; but it never looks across an element's border. So outside formulas each dollar sign and each
backslash stands in an element of its own, or `$5 and $10` would become a formula, and a command that is refused here would
run all the same.
Invariants: what is typeset is what the parser took for a formula; no command in it reaches out of the formula.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

_TRIGGER = re.compile(r"[$\\]")
_DENIED = re.compile(
    r"\\(?:href|url|unicode|U|char(?:def)?|require|html\w*|class|cssId|style|data|bbox|includegraphics|mmlToken|action|toggle"
    r"|mathtip|texttip|Tip|[gex]?def|let|global|csname|catcode|newcommand|renewcommand|providecommand|newenvironment"
    r"|renewenvironment|Newextarrow|Declare[A-Za-z]+|newtheorem|special|input|(?:eq)?ref)(?![A-Za-z])"
)
_SIGN = re.compile(r"\\.?|[{}]|\$\$?", re.DOTALL)
_WORDS_IN_FORMULA = (  # \text{if $x > 0$}
    r"\\(?:text\w*|mbox|hbox)\{(?:[^${}\\]|\\.|\$(?:[^${}\\]|\\.|\{[^${}]*+\})++\$)*+\}"
)
_DOLLARS = re.compile(
    rf"\$(?![\s$])(?P<inline>(?:[^$\\]|{_WORDS_IN_FORMULA}|\\.)++)(?<!\s)\$(?!\d)"
    rf"|\$\$(?!\s*\$\$)(?P<display>(?:[^$\\]|{_WORDS_IN_FORMULA}|\\.|\$(?!\$))++)\$\$",
    re.DOTALL,
)
_BRACKETED = re.compile(r"\\(?:\((?P<inline>(?:[^\\]|\\[^()\[\]])++)\\\)|\[(?P<display>(?:[^\\]|\\[^()\[\]])++)\\\])")
_CLOSING = {r"\(": r"\)", r"\[": r"\]"}
_WORD = re.compile(r"[A-Za-z]{2}")
LONGEST = 100  # lines of a formula on lines of its own; each `$$` that stays open is searched so far for its end
_LONGEST = 10_000  # characters
_DEEPEST = 40  # braces in each other


def formula(latex: str, opening: str) -> str:
    """Return a formula with its delimiters as HTML; one that a page must not typeset is code."""
    closing = _CLOSING.get(opening, opening)
    source = escape(f"{opening}{latex}{closing}", quote=False)
    return source if _is_fit(latex, closing) else f"<code>{source}</code>"


def untypeset(html: str) -> str:
    """Return escaped text so that a typesetter leaves it alone."""
    return _TRIGGER.sub(r"<span>\g<0></span>", html)


def dollars(state: Any, silent: bool) -> bool:
    """Parse `$…$` and `$$…$$` in a line of text; no formula begins at a blank or ends before a digit, as sums of money do."""
    if state.pos and state.src[state.pos - 1].isdigit():
        return False
    found = _DOLLARS.match(state.src, state.pos, state.posMax)
    if found:
        _push(state, found, "$" if found["inline"] else "$$", silent=silent)
    return bool(found)


def bracketed(state: Any, silent: bool) -> bool:
    r"""Parse `\(…\)` and `\[…\]` in a line of text, where Markdown alone would see escaped brackets."""
    found = _BRACKETED.match(state.src, state.pos, state.posMax)
    if not found or not _looks_like_mathematics(found["inline"] or found["display"]):
        return False
    _push(state, found, found.group()[:2], silent=silent)
    return True


def on_own_lines() -> Callable[[Any, int, int, bool], bool]:
    """Return the rule that parses `$$`, lines, `$$`; no line is blank, so that a stray `$$` holds up its own paragraph only."""
    from mdit_py_plugins.dollarmath.index import math_block_dollar  # noqa: PLC0415 - at first use

    parse = math_block_dollar(allow_labels=False, allow_blank_lines=False)
    return lambda state, start, end, silent: parse(state, start, min(end, start + LONGEST), silent)


def _push(state: Any, found: re.Match[str], opening: str, *, silent: bool) -> None:
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = found["inline"] or found["display"], opening
    state.pos = found.end()


def _is_fit(latex: str, closing: str) -> bool:
    return len(latex) <= _LONGEST and not _DENIED.search(latex) and _is_one_formula(latex, closing)


def _is_one_formula(latex: str, closing: str) -> bool:
    """Say whether a typesetter, which skips braces and escaped signs, will see the end where the parser saw it."""
    depth = 0
    for sign in map(re.Match.group, _SIGN.finditer(latex)):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if not 0 <= depth <= _DEEPEST or sign == "\\" or (depth == 0 and sign == closing):
            return False
    return depth == 0


def _looks_like_mathematics(latex: str) -> bool:
    r"""Tell a formula from text in escaped brackets, such as `\[sic\]`."""
    return any(sign in latex for sign in "\\^_{}=<>") or (not _WORD.search(latex) and any(map(str.isalpha, latex)))
