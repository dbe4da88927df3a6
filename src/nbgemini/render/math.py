"""Formulas for the page's own typesetter, and text in which it finds none.

A typesetter such as MathJax looks for delimiters in whatever text stands in a page and knows nothing of what the Markdown
parser took for a formula; but it never looks across an element's border. So outside formulas each dollar sign and each
backslash stands in an element of its own, or `$5 and $10` would become a formula, and a command that is refused here would
run all the same. Each formula stands in a box that cuts off whatever is drawn outside.
Invariants: what is typeset is what the parser took for a formula; nothing in it reaches out of the formula.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from nbgemini.render.tex import is_tame

INLINE_BOX = "display:inline-block;width:max-content;overflow:clip"
DISPLAY_BOX = "overflow-x:auto;overflow-y:hidden"
_TRIGGER = re.compile(r"[$\\]")
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
_LONGEST = 10_000  # characters
_DEEPEST = 40  # braces in each other
_WORDS = re.compile(r"\\(?:text\w*|mbox|hbox|mathrm|operatorname\*?|label|tag\*?|ce|pu)\s*\{[^{}]*+\}")
_COMMAND = re.compile(r"\\(?:[A-Za-z]+|.)", re.DOTALL)
_PROSE = re.compile(r"(?:(?<![\w^{])[^\W\d_]{2,}[,;:]?\s+){2}[^\W\d_]{2,}")  # three words in a row
_WORD_BETWEEN = re.compile(r"\s[A-Za-z]{2,}\s")
_WORD = re.compile(r"[A-Za-z]{2}")
_ARITHMETIC = re.compile(r"[\d\s.,]*\d\s*[+*/×·÷^=<>≤≥±−–%-][\d\s.,+*/×·÷^=<>()±−–%-]*")  # noqa: RUF001 - as models write it
_NUMBER = re.compile(r"[-+]?[\d.,\s]*\d%?\s*")
_SIGNS = "\\^_{}=<>"
_FOREIGN = ('"', "`", "](", "**", "||", "&&", "://")  # of shells, programs and Markdown
_NAME = re.compile(r"[A-Za-z_]\w+\Z", re.ASCII)


def formula(latex: str, opening: str) -> str:
    """Return a formula with its delimiters as HTML; one that a page must not typeset is code."""
    closing = _CLOSING.get(opening, opening)
    source = escape(f"{opening}{latex}{closing}", quote=False)
    if not _is_fit(latex, closing):
        return f"<code>{source}</code>"
    return f'<span style="{INLINE_BOX}">{source}</span>'


def display_formula(latex: str, opening: str) -> str:
    """Return a formula on lines of its own as HTML."""
    closing = _CLOSING.get(opening, opening)
    source = escape(f"{opening}{latex}{closing}", quote=False)
    if not _is_fit(latex, closing):
        return f"<div><code>{source}</code></div>\n"
    return f'<div style="{DISPLAY_BOX}">{source}</div>\n'


def untypeset(html: str) -> str:
    """Return escaped text so that a typesetter leaves it alone."""
    return _TRIGGER.sub(r"<span>\g<0></span>", html)


def dollars(state: Any, silent: bool) -> bool:
    """Parse `$…$` and `$$…$$` in a line of text, unless they are sums of money, variables or tickers."""
    if state.src[state.pos] != "$" or (state.pos and _is_word(state.src[state.pos - 1])) or state.pending.endswith("$"):
        return False
    found = _DOLLARS.match(state.src, state.pos, state.posMax)
    if not found or not is_written_as_formula(found["inline"] or found["display"], state.src[found.end() : found.end() + 1]):
        return False
    _push(state, found, "$" if found["inline"] else "$$", silent=silent)
    return True


def bracketed(state: Any, silent: bool) -> bool:
    r"""Parse `\(…\)` and `\[…\]` in a line of text, where Markdown alone would see escaped brackets."""
    if state.src[state.pos] != "\\":
        return False
    found = _BRACKETED.match(state.src, state.pos, state.posMax)
    if not found or not is_mathematics(found["inline"] or found["display"], in_parentheses=bool(found["inline"])):
        return False
    _push(state, found, found.group()[:2], silent=silent)
    return True


def _push(state: Any, found: re.Match[str], opening: str, *, silent: bool) -> None:
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = found["inline"] or found["display"], opening
    state.pos = found.end()


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _is_fit(latex: str, closing: str) -> bool:
    return len(latex) <= _LONGEST and is_tame(latex) and _is_one_formula(latex, closing)


def _is_one_formula(latex: str, closing: str) -> bool:
    """Say whether a typesetter, which skips braces and escaped signs, will see the end where the parser saw it."""
    depth = 0
    for sign in map(re.Match.group, _SIGN.finditer(latex)):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if not 0 <= depth <= _DEEPEST or sign == "\\" or (depth == 0 and sign == closing):
            return False
    return depth == 0


def is_mathematics(latex: str, *, in_parentheses: bool = False) -> bool:
    r"""Tell a formula from text in escaped brackets, such as `\[sic\]`."""
    if is_prose(latex) or not any(map(str.isalnum, latex)):
        return False
    if any(sign in latex for sign in _SIGNS) or (not _WORD.search(latex) and any(map(str.isalpha, latex))):
        return True
    return _ARITHMETIC.fullmatch(latex.strip()) is not None or (in_parentheses and _NUMBER.fullmatch(latex) is not None)


def is_written_as_formula(latex: str, behind: str) -> bool:
    """Tell a formula between dollar signs from what else has them; `behind` is the next character."""
    if is_prose(latex) or not _is_balanced(latex):
        return False
    has_commands = "\\" in latex
    if not has_commands and (any(sign in latex for sign in _FOREIGN) or (latex[0].isdigit() and _WORD_BETWEEN.search(latex))):
        return False
    if behind.isascii() and (behind.isalpha() or behind in ("_", "{", "(")):  # $HOME/bin:$PATH, but the $i$th
        return _is_clear(latex) if behind != "{" else has_commands
    return True


def is_prose(latex: str) -> bool:
    """Say whether three words follow each other, outside of TeX's own texts."""
    return _PROSE.search(_COMMAND.sub(r"\\", _WORDS.sub(r"\\", latex))) is not None


def _is_clear(latex: str) -> bool:
    return "\\" in latex or len(latex) == 1 or (any(sign in latex for sign in "^{_") and _NAME.match(latex) is None)


def _is_balanced(latex: str) -> bool:
    """Say whether no parenthesis ends that has not begun, as in `$AAPL) vs ($TSLA`."""
    depth = 0
    for char in latex if "\\" not in latex else "":
        depth += {"(": 1, "[": 1, ")": -1}.get(char, 0)  # [0, 1) and ]0, 1[ are intervals
        if depth < 0:
            return False
    return True
