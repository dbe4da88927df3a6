"""Whether what stands between two delimiters is mathematics, or prose, prices, variables of a shell, tickers.

Models write formulas without asking whether the signs around them mean anything else in the text.
"""

from __future__ import annotations

import re

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
