"""A question mark at the end of a line that asks: IPython takes it for a call for help, unless the line is a call already.

So the line becomes the call that IPython would have made of it, wherever a line magic may stand: in a loop, behind `x =`,
behind another magic (`%time %gemini ask …?`), over several lines. What is inside a string stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from IPython.core.inputtransformer2 import make_tokens_by_line

_ASKS = r"gemini\s+(?:ask|fix|explain|map)\s[^?]*[^?\s].*\?\s*$"
_LINE = re.compile(
    r"""^(?P<before>\s*(?:[^%\#\n]*?[^%\#\n=!<>]=\s*)?)  # indented, or assigned
    %(?P<name>\w+)\b\s*(?P<rest>.*)$""",
    re.VERBOSE | re.DOTALL,
)
_ASKING = re.compile(rf"(?:^|\s)%{_ASKS}", re.DOTALL)
_BARE = re.compile(r"^(?P<before>\s*)(?P<name>gemini)\s+(?P<rest>.*)$", re.DOTALL)
_BARE_ASKING = re.compile(rf"^\s*{_ASKS}", re.DOTALL)


def called(lines: list[str], *, automagic: bool) -> list[str]:
    """Return the lines of a cell with those that ask as calls; `automagic`: the magic is known without its `%` too."""
    questions = any(line.rstrip().endswith("?") for line in lines) and any("gemini" in line for line in lines)
    if not questions or lines[0].startswith("%%"):
        return lines
    hidden = _inside_strings(lines)
    made: list[str] = []
    number = 0
    while number < len(lines):
        last = _last(lines, number)
        call = None if number in hidden else _call(_joined(lines[number : last + 1]), automagic=automagic)
        made += lines[number : last + 1] if call is None else [call + "\n", *["\n"] * (last - number)]
        number = last + 1
    return made


def _call(line: str, *, automagic: bool) -> str | None:
    """Return the call that a line is short for; None if it asks nothing."""
    found = _LINE.match(line) if _ASKING.search(line) else None
    if found is None and automagic and _BARE_ASKING.match(line):
        found = _BARE.match(line)
    return found and f"{found['before']}get_ipython().run_line_magic({found['name']!r}, {found['rest'].strip()!r})"


def _last(lines: Sequence[str], number: int) -> int:
    """Return the number of the line that a line goes on to."""
    while number + 1 < len(lines) and lines[number].rstrip("\r\n").endswith("\\"):
        number += 1
    return number


def _joined(lines: Sequence[str]) -> str:
    *before, last = [line.rstrip("\r\n") for line in lines]
    return "".join(f"{line[:-1].rstrip()} " for line in before) + (last.lstrip() if before else last)


def _inside_strings(lines: list[str]) -> set[int]:
    """Return the numbers of the lines that begin inside a string."""
    tokens: list[Any] = [token for line in make_tokens_by_line(lines) for token in line]
    return {number for token in tokens if token.string.strip() for number in range(token.start[0], token.end[0])}
