"""The end of a line that is still being written, with its open syntax closed: `**bol` becomes `**bol**`.

It works on what the block parser found to be inline text, so it knows nothing of lists, quotes and tables. Which stars open
emphasis is the parser's own word.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from nbgemini.render.syntax.parser import open_delimiters

_MARK = re.compile(r"(?P<formula>\\[(\[]|\$\$)|\\.|(?P<code>`+)|(?P<open>!?\[)|(?P<close>\])", re.DOTALL)
_CLOSINGS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_DOLLAR = re.compile(r"(?<![\w$\\])\$(?=[^\s$\d])(?:[^$\n`]|\\\$)*[\\^_=](?:[^$\n`]|\\\$)*\Z")  # a formula that has begun
_ADDRESS = re.compile(r"\((?:[^()\\\s]|\\.|\([^()\s]*\))*(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")
_PART_OF_ADDRESS = re.compile(r"\(<?[^\s()]*(?:\([^\s()]*)?(?:\s+[\"'][^\"']*[\"']?)?\Z")
_RUN = re.compile(r"(?:[*_]+|~+)\Z")
_PART_OF_TAG = re.compile(r"</?(?:s|su|sub|sup|k|kb|kbd|b|br)?\Z", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_FAR = 300  # characters: what opened farther away is taken as it stands


def closed(text: str, env: MutableMapping[str, Any]) -> str:
    """Return inline Markdown that is still being written with what is open at its end closed, or left out if it is empty."""
    before, formula = _before_open_formula(text.rstrip())
    text = _with_code_and_links_closed(before)
    while not formula and (run := _RUN.search(text) or _PART_OF_TAG.search(text)):
        text = text[: run.start()].rstrip()
    text += _PUNCTUATION.sub(r"\\\g<0>", formula)
    return text + "".join(reversed(open_delimiters(text, env)))


def _before_open_formula(text: str) -> tuple[str, str]:
    """Return what stands before a formula without end, and that formula."""
    at = 0
    while found := _MARK.search(text, at):
        at = found.end()
        if found["code"]:
            if (end := _end_of_code(text, found)) is None:
                return text, ""
            at = end
        elif found["formula"]:
            end = text.find(_CLOSINGS[found["formula"]], at)
            if end < 0:
                return text[: found.start()], text[found.start() :]
            at = end + 2
    dollar = _DOLLAR.search(text)
    return (text[: dollar.start()], dollar[0]) if dollar else (text, "")


def _end_of_code(text: str, opening: re.Match[str]) -> int | None:
    end = re.compile(rf"(?<!`){opening['code']}(?!`)").search(text, opening.end())
    return end.end() if end else None


def _with_code_and_links_closed(text: str) -> str:
    brackets: list[re.Match[str]] = []
    at = 0
    while found := _MARK.search(text, at):
        at = found.end()
        if found["code"]:
            end = _end_of_code(text, found)
            if end is None and len(text) - at <= _FAR:
                return _with_code_closed(text, found)
            at = end or at
        elif found["open"]:
            brackets.append(found)
        elif found["close"] and brackets:
            opening = brackets.pop()
            address = _ADDRESS.match(text, at)
            if address:
                at = address.end()
            elif (at == len(text) and not text.endswith("]", 0, opening.start())) or _PART_OF_ADDRESS.match(text, at):
                return _without_bracket(text[: found.start()], opening)
    if brackets and len(text) - brackets[-1].end() <= _FAR:
        return _without_bracket(text, brackets[-1])
    return text


def _with_code_closed(text: str, opening: re.Match[str]) -> str:
    code = text[opening.end() :]
    if len(opening["code"]) > 1:
        code = code.rstrip("`")
    return f"{text[: opening.end()]}{code}{opening['code']}" if code.strip() else text[: opening.start()].rstrip()


def _without_bracket(text: str, opening: re.Match[str]) -> str:
    """Return the text of a link that is not whole as text; what came of a picture, a label or a footnote is left out."""
    before, inside = text[: opening.start()], text[opening.end() :]
    is_left_out = opening["open"] == "![" or inside.startswith("^") or before.endswith("]")
    return (before if is_left_out else before + inside).rstrip()
