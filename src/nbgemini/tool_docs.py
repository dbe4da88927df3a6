"""What a docstring says about a function and its parameters: Google's, NumPy's and reST's ways of writing."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable

_PARAMETERS = re.compile(r"(?i)((other |keyword )?(parameters|arguments)|params|args|keyword args)\s*:?\s*$")
_OTHERS = re.compile(
    r"(?i)(attributes|examples?|notes?|raises|references|returns?|see also|todo|warnings?|warns|yields?)\s*:?\s*$"
)
_FIELD = re.compile(r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:(.*)")
_ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\(.*?\))?\s*(?::(.*))?$")


def documented(doc: str) -> tuple[str, dict[str, str]]:
    """Return what a docstring says about the function, and about each parameter (Google, NumPy and reST)."""
    lines = doc.splitlines()
    opens = [number for number in range(len(lines)) if _opens(lines, number)]
    described: dict[str, str] = {}
    for start, end in itertools.pairwise([*opens, len(lines)]):
        described.update(_section(lines[start:end]))
    return "\n".join(lines[: opens[0] if opens else len(lines)]).strip(), described


def _opens(lines: list[str], number: int) -> bool:
    """Whether a section, or a field of reST, begins here."""
    line, after = lines[number], next((line for line in lines[number + 1 :] if line.strip()), "")
    if not (_PARAMETERS.match(line) or _OTHERS.match(line)):
        return bool(re.match(r":\w+[^:]*:", line))
    return _underlined(after) or (line.rstrip().endswith(":") and after.startswith((" ", "\t")))


def _underlined(line: str) -> bool:
    return set(line.strip()) == {"-"}


def _section(lines: list[str]) -> dict[str, str]:
    if field := _FIELD.match(lines[0]):
        return {field[1]: _joined([field[2], *itertools.takewhile(str.strip, lines[1:])])}
    if not _PARAMETERS.match(lines[0]):
        return {}
    numpy = len(lines) > 1 and _underlined(lines[1])
    block = lines[2:] if numpy else itertools.takewhile(lambda line: not line.strip() or line[0].isspace(), lines[1:])
    return _entries(textwrap.dedent("\n".join(block)).splitlines(), typed=numpy)


def _entries(lines: list[str], *, typed: bool) -> dict[str, str]:
    """Return names and texts; `typed`: a type follows the colon, the text comes on the next line."""
    described: dict[str, list[str]] = {}
    texts: list[str] = []
    for line in lines:
        entry = None if line[:1].isspace() else _ENTRY.match(line)
        if entry:
            texts = [] if typed else [entry[2] or ""]
            described.update((name.strip(" *"), texts) for name in entry[1].split(","))
        else:
            texts.append(line)
    return {name: text for name, found in described.items() if (text := _joined(found))}


def _joined(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())
