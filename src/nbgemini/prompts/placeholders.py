"""Names in braces: which braces of a prompt stand for a value of the notebook, and which are just braces.

Invariants: a prompt that names nothing comes back byte for byte; one pass, so that a value is never searched for names;
nothing is evaluated: a field is a name and attributes, without calls, and what is no field stays as typed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError

_NAME = r"[^\W\d]\w*"
_BRACED = re.compile(r"\{(?P<inner>[^{}\n]{1,200})\}")
_COMMAND = re.compile(r"\\[A-Za-z]+\*?(?:\[[^\[\]{}\n]*\])?\{")  # a LaTeX command and the brace of its argument
_MATH = re.compile(r"\$\$.+?\$\$|\$(?=[^\s$])[^$\n]*[^\s$\\]\$(?!\d)", re.DOTALL)
_LONGEST_ARGUMENT = 1_000  # characters
_CASTS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}


class Field(Struct, frozen=True):
    """One field: the text as typed, and the value it stands for."""

    typed: str
    name: str
    value: Any


def fields_of(text: str, names: Mapping[str, Any], labels: Sequence[str] = ()) -> Iterator[str | Field]:
    """Yield the text between the fields, as typed, and the fields; joined as typed, they are `text`.

    Args:
        text: what was typed.
        names: what fields may name.
        labels: those of `names` that are no names in Python, such as `Review Text` or `a.b`.

    Raises:
        PromptError: a property raises when it is read, or a value when it is written out.
    """
    literal = _latex(text) if "\\" in text or "$" in text else ()
    start = 0
    for match in pattern(tuple(labels)).finditer(text):
        field = None if _doubled(text, match) or _within(match.start(), literal) else _field(match, names)
        if field is not None:
            yield text[start : match.start()]
            yield field
            start = match.end()
    yield text[start:]


@lru_cache(maxsize=64)
def pattern(labels: tuple[str, ...] = ()) -> re.Pattern[str]:
    """Return what finds a field: a label or a name with attributes, how it is cast, and how it is written."""
    known = "".join(f"{re.escape(label)}|" for label in sorted(labels, key=len, reverse=True) if label)
    path = rf"\{{(?P<path>{known}{_NAME}(?:\.(?!_){_NAME})*)"
    return re.compile(rf"{path}(?:!(?P<cast>[rsa]))?(?::(?P<spec>[^\s{{}}][^{{}}\n]*))?\}}")


def braced(text: str) -> Iterator[str]:
    """Yield what stands in single braces on one line, those of LaTeX and doubled ones aside."""
    literal = _latex(text) if "\\" in text or "$" in text else ()
    found = (match for match in _BRACED.finditer(text) if not _doubled(text, match) and not _within(match.start(), literal))
    return (match["inner"] for match in found)


def _field(match: re.Match[str], names: Mapping[str, Any]) -> Field | None:
    path, cast, spec = match["path"], match["cast"], match["spec"]
    first, *attributes = [path] if path in names else path.split(".")
    if first not in names:
        return None
    value = names[first]
    for attribute in attributes:
        try:
            value = getattr(value, attribute)
        except AttributeError:
            return None
        except Exception as error:  # noqa: BLE001 - a property may raise anything
            raise PromptError(f"{match[0]} can't be read, {_said(error)}; nothing was sent") from None
    try:
        value = _CASTS[cast](value) if cast else value
        return Field(match[0], path, value if spec is None else format(value, spec))
    except (ValueError, TypeError):
        return None  # no such format: `{name:string}` is TypeScript
    except Exception as error:  # noqa: BLE001 - so may a format
        raise PromptError(f"{match[0]} can't be written out, {_said(error)}; nothing was sent") from None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def _doubled(text: str, match: re.Match[str]) -> bool:
    """Whether the braces are doubled, as templates have them."""
    return text[match.start() - 1 : match.start()] == "{" and text[match.end() : match.end() + 1] == "}"


def _within(position: int, spans: Sequence[tuple[int, int]]) -> bool:
    at = bisect_right(spans, position, key=lambda span: span[0])
    return at > 0 and position < spans[at - 1][1]


def _latex(text: str) -> Sequence[tuple[int, int]]:
    r"""Return where braces are LaTeX's own: arguments of commands, one after the other, and `_{…}` and `^{…}` in formulas."""
    spans = [_arguments(text, match.end() - 1) for match in _COMMAND.finditer(text)]
    for formula in _MATH.finditer(text):
        spans += [
            (formula.start() + match.end() - 1, formula.start() + match.end()) for match in re.finditer(r"[_^]\{", formula[0])
        ]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if not joined or start >= joined[-1][1]:  # inside of an argument there is nothing more to know
            joined.append((start, end))
    return joined


def _arguments(text: str, start: int) -> tuple[int, int]:
    """Return from where to where the arguments that begin at `start` go; braces that don't close are none."""
    depth, end = 0, start
    for position in range(start, min(len(text), start + _LONGEST_ARGUMENT)):
        if text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            end = position + 1 if depth == 0 else end
        elif depth == 0 or text.startswith("\n\n", position):
            break
    return start, end
