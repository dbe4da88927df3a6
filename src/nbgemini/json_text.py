"""Where the JSON of an answer stands: some models put words before it, a code fence around it, or both.

The work is linear in the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_FENCE = "```"
_OPENED = re.compile(r"^[ \t]*```(?:json)?[ \t]*\n", re.IGNORECASE | re.MULTILINE)
_BRACKET = re.compile(r"[{\[]")
_BARE = re.compile(r"\s*[{\[\"\-0-9tfn]")
_THOUGHT = "</think>"  # of a model whose server did not see where its thought began
_CLOSED_BY = {"{": "}", "[": "]"}


def json_texts(answer: str) -> Iterator[str]:
    """Yield where the JSON of an answer may be, the likeliest first: all of it, its fences from the last on, its brackets."""
    yield answer
    text = answer.rpartition(_THOUGHT)[2]
    if len(text) < len(answer):
        yield text
    yield from reversed(_fences(text))
    if first := _BRACKET.search(text):
        last = text.rfind(_CLOSED_BY[first[0]])
        if last > first.start():
            yield text[first.start() : last + 1]


def json_text(answer: str) -> str:
    """Return the JSON of an answer; the answer itself if there is none."""
    return next((text for text in json_texts(answer) if _is_json(text)), answer)


def json_begun(answer: str) -> str:
    """Return what there is of the JSON of an answer that still comes."""
    text = answer.rpartition(_THOUGHT)[2]
    if opened := _OPENED.search(text):
        return text[opened.end() :]
    if _BARE.match(text):
        return text
    first = _BRACKET.search(text)
    return text[first.start() :] if first else text


def _fences(text: str) -> list[str]:
    """Return what the code fences of a text hold."""
    found: list[str] = []
    lines: list[str] | None = None  # of the open fence
    for line in text.split("\n"):
        bare = line.strip()
        if lines is None:
            lines = [] if bare.startswith(_FENCE) else None
        elif bare == _FENCE:
            found.append("\n".join(lines))
            lines = None
        else:
            lines.append(line)
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
