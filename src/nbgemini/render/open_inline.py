"""The end of a line that is still being written, with its open syntax closed: `**bol` becomes `**bol**`.

It works on what the block parser found to be inline text, so it knows nothing of lists, quotes and tables. Which stars open
emphasis is the parser's own word.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from nbgemini.render.parser import markdown_parser

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
    """Return inline Markdown that has just been written so far with what is open at its end closed, or left out if it is empty."""
    text, literal = _without_open_formula(text)
    text = _with_code_and_links_closed(text.rstrip())
    while not literal and (run := _RUN.search(text) or _PART_OF_TAG.search(text)):
        text = text[: run.start()].rstrip()
    text += "".join(reversed(_open_delimiters(text, env)))
    return text + literal


def _without_open_formula(text: str) -> tuple[str, str]:
    """Return what stands before a formula without end, and that formula as text."""
    at = 0
    while found := _MARK.search(text, at):
        at = found.end()
        if found["code"]:
            at = _end_of_code(text, found) or at
        elif found["formula"]:
            end = text.find(_CLOSINGS[found["formula"]], at)
            if end < 0:
                return text[: found.start()], _literal(text[found.start() :])
            at = end + 2
    dollar = _DOLLAR.search(text)
    return (text[: dollar.start()], _literal(dollar[0])) if dollar else (text, "")


def _literal(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\g<0>", text)


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
            elif at == len(text) or _PART_OF_ADDRESS.match(text, at):
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
    """Return the text of a link that is not whole as text; what of a picture or a footnote's number came is left out."""
    before, inside = text[: opening.start()], text[opening.end() :]
    return (before if opening["open"] == "![" or inside.startswith("^") else before + inside).rstrip()


def _open_delimiters(text: str, env: MutableMapping[str, Any]) -> list[str]:
    """Return what has been opened and not closed, from the outermost on."""
    from markdown_it.rules_inline import StateInline  # noqa: PLC0415 - at first use

    parser = markdown_parser()
    state = StateInline(text, parser, env, [])
    parser.inline.tokenize(state)
    for rule in parser.inline.ruler2.getRules("")[:1]:  # which pairs them
        rule(state)
    return [_sign(delimiter) for delimiter in state.delimiters if delimiter.open and delimiter.end < 0]


def _sign(delimiter: Any) -> str:
    return "~~" if chr(delimiter.marker) == "~" else chr(delimiter.marker)
