"""What a docstring says about a function and its parameters: Google's, NumPy's and reST's ways of writing.

Invariant: nothing that is written is lost: what is said of a parameter stands with it, all else is the description.
"""

from __future__ import annotations

import functools
import itertools
import operator
import re
import textwrap
import types
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct

_PARAMETERS = re.compile(r"(?i)((other |keyword )?(parameters|arguments)|params|args|keyword args)\s*:?\s*$")
_OTHERS = re.compile(
    r"(?i)(attributes|examples?|notes?|raises|references|returns?|see also|todo|warnings?|warns|yields?)\s*:?\s*$"
)
_FIELD = re.compile(r":(?:param|parameter|arg|argument|key|keyword)\s+(?:([^:]*)\s)?\*{0,2}(\w+)\s*:(.*)")
_TYPE = re.compile(r":type\s+\*{0,2}(\w+)\s*:(.*)")
_ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\((.*?)\))?\s*(?::(.*))?$")
_OPTIONAL = re.compile(r",?\s*(optional|default[ =:].*|defaults? to .*)$", re.IGNORECASE)
_OF = re.compile(r"(?:list|sequence|iterable|array|tuple|set)(?:\s+of\s+|\[)(.+?)\]?$", re.IGNORECASE)
_PLAIN: dict[str, Any] = {
    **dict.fromkeys(("int", "integer", "ints", "integers"), int),
    **dict.fromkeys(("float", "floats", "number", "numbers", "double"), float),
    **dict.fromkeys(("str", "string", "strings", "strs"), str),
    **dict.fromkeys(("bool", "boolean", "bools"), bool),
    **dict.fromkeys(("dict", "mapping"), dict[str, Any]),
    **dict.fromkeys(("list", "sequence"), list[Any]),
    "none": None,
}


class Docstring(Struct):
    """What a docstring says: about the function, and about each parameter, its type as written beside it."""

    description: str
    parameters: dict[str, str]
    types: dict[str, str]


def parse_docstring(doc: str) -> Docstring:
    """Return what a docstring says about the function, and about each parameter (Google, NumPy and reST)."""
    lines = doc.splitlines()
    opens = [number for number in range(len(lines)) if _begins_section(lines, number)]
    said = Docstring("", {}, {})
    rest = lines[: opens[0] if opens else len(lines)]
    for start, end in itertools.pairwise([*opens, len(lines)]):
        rest += _section(lines[start:end], said)
    said.description = re.sub(r"\n{3,}", "\n\n", "\n".join(rest)).strip()
    return said


def type_of(written: str) -> Any:
    """Return the type that a docstring's words stand for; `...` where they are no simple one."""
    words = written.strip()
    while (shorter := _OPTIONAL.sub("", words).strip()) != words:
        words = shorter
    if choices := re.fullmatch(r"\{(.+)\}", words):
        values = [choice.strip() for choice in choices[1].split(",")]
        quoted = all(len(value) > 1 and value[0] == value[-1] and value[0] in "'\"`" for value in values)
        return Literal[tuple(value[1:-1] for value in values)] if quoted else ...
    kinds = [_type_of_word(one) for one in re.split(r"\s+or\s+|\s*\|\s*|,\s*(?:or\s+)?", words)]
    if ... in kinds or not kinds:
        return ...
    return functools.reduce(operator.or_, kinds)


def _type_of_word(words: str) -> Any:
    if inner := _OF.fullmatch(words):
        kind = _type_of_word(inner[1].strip())
        return ... if kind is ... or kind is None else types.GenericAlias(list, (kind,))
    return _PLAIN.get(words.lower(), ...)


def _begins_section(lines: list[str], number: int) -> bool:
    """Whether a section, or a field of reST, begins here."""
    line, after = lines[number], next((line for line in lines[number + 1 :] if line.strip()), "")
    if not (_PARAMETERS.match(line) or _OTHERS.match(line)):
        return bool(re.match(r":\w+[^:]*:", line))
    return _underlined(after) or (line.rstrip().endswith(":") and after.startswith((" ", "\t")))


def _underlined(line: str) -> bool:
    return set(line.strip()) == {"-"}


def _section(lines: list[str], said: Docstring) -> Sequence[str]:
    """Take in what a section says of parameters, and return the lines that say something else."""
    if field := _FIELD.match(lines[0]):
        more = list(itertools.takewhile(str.strip, lines[1:]))
        said.parameters[field[2]] = _joined([field[3], *more])
        if field[1]:
            said.types[field[2]] = field[1].strip()
        return lines[1 + len(more) :]
    if kind := _TYPE.match(lines[0]):
        said.types[kind[1]] = kind[2].strip()
        return lines[1:]
    if not _PARAMETERS.match(lines[0]):
        return lines
    numpy = len(lines) > 1 and _underlined(lines[1])
    block = lines[2:] if numpy else list(itertools.takewhile(lambda line: not line.strip() or line[0].isspace(), lines[1:]))
    _entries(textwrap.dedent("\n".join(block)).splitlines(), said, typed=numpy)
    return [] if numpy else lines[1 + len(block) :]


def _entries(lines: list[str], said: Docstring, *, typed: bool) -> None:
    """Take in names and texts; `typed`: a type follows the colon, the text comes on the next line."""
    described: dict[str, list[str]] = {}
    texts: list[str] = []
    for line in lines:
        entry = None if line[:1].isspace() else _ENTRY.match(line)
        if entry:
            texts = [] if typed else [entry[3] or ""]
            names = [name.strip(" *") for name in entry[1].split(",")]
            described.update((name, texts) for name in names)
            kind = (entry[3] if typed else entry[2]) or ""
            said.types.update((name, kind.strip()) for name in names if kind.strip())
        else:
            texts.append(line)
    said.parameters.update((name, text) for name, found in described.items() if (text := _joined(found)))


def _joined(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())
