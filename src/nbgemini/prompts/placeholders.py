"""Names in braces: which braces of a prompt stand for a value of the notebook, and which are just braces.

Invariants: a prompt that names nothing comes back byte for byte; one pass, so that a value is never searched for names;
nothing is evaluated: a field is a name and attributes, without calls, and what is no field stays as typed.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate
from types import ModuleType
from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError, nearest_name

_NAME = r"[^\W\d]\w*"
_BRACED = re.compile(r"\{(?P<inner>[^{}\n]{1,200})\}")
_COMMAND = re.compile(r"\\[A-Za-z]+\*?(?:\[[^\[\]{}\n]*\])?\{")  # a LaTeX command and the brace of its argument
_MATH = re.compile(r"\$\$.+?\$\$|\$(?=[^\s$])[^$\n]*[^\s$\\]\$(?!\d)", re.DOTALL)
_CODE = re.compile(r"(```|~~~).*?(?:\1|\Z)|`[^`\n]+`", re.DOTALL)
_FORMAT = re.compile(r"(?:.?[<>=^])?[-+ ]?#?0?\d*[,_]?(?:\.\d+)?[bcdeEfFgGnosxX%]?")
_NO_CODE = "no code runs in braces: give it a name, and put that there"
_FEW = 3  # braces that are named in a line
_LONGEST_ARGUMENT = 1_000  # characters
_CASTS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}


class Placeholder(Struct, frozen=True):
    """One field: the text as typed, and the value it stands for."""

    typed: str
    name: str
    value: Any


def parse_placeholders(text: str, names: Mapping[str, Any], labels: Sequence[str] = ()) -> Iterator[str | Placeholder]:
    """Yield the text between the fields, as typed, and the fields; joined as typed, they are `text`.

    Args:
        text: what was typed.
        names: what fields may name.
        labels: those of `names` that are no names in Python, such as `Review Text` or `a.b`.

    Raises:
        PromptError: a property raises when it is read, or a value when it is written out.
    """
    literal, start = _latex(text), 0
    for match in pattern(tuple(labels)).finditer(text):
        field = None if _is_doubled(text, match) or _within(match.start(), literal) else _resolve(match, names)
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
    return (match["inner"] for match in _single_braces(text, _latex(text)))


def _single_braces(text: str, literal: Sequence[tuple[int, int]]) -> Iterator[re.Match[str]]:
    found = _BRACED.finditer(text)
    return (match for match in found if not _is_doubled(text, match) and not _within(match.start(), literal))


def unresolved(pieces: Sequence[str | Placeholder], names: Mapping[str, Any]) -> list[str]:
    """Return the braces that look like placeholders and stand for nothing, in order: they stay as typed.

    They are names with attributes, none of which exists, and expressions of names that do, which are never evaluated. What
    stands in backticks is code, and no placeholder is missed there.
    """
    typed = [piece if isinstance(piece, str) else piece.typed for piece in pieces]
    text, ends = "".join(typed), accumulate(map(len, typed))
    spans = [
        (end - len(said), end) for piece, said, end in zip(pieces, typed, ends, strict=True) if isinstance(piece, Placeholder)
    ]
    found = _single_braces(text, sorted([*spans, *(match.span() for match in _CODE.finditer(text)), *_latex(text)]))
    return list(dict.fromkeys(match[0] for match in found if _is_meant(match["inner"], names)))


def describe_unresolved(found: Sequence[str], names: Mapping[str, Any]) -> str:
    """Return in one line which braces stay as typed, and the way out; empty for none."""
    if not found:
        return ""
    many, plain = len(found) > 1, [brace for brace in found if _is_name(brace[1:-1].strip())]
    more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
    hint = _way_out(plain[0][1:-1], names) if plain else _NO_CODE
    hint = hint or f"run the cell that defines {'them' if many else 'it'} first"
    verbs = ("name", "stay") if many else ("names", "stays")
    return f"{', '.join(found[:_FEW])}{more} {verbs[0]} nothing here and {verbs[1]} as typed → {hint}"


def _way_out(inner: str, names: Mapping[str, Any]) -> str:
    """Return what a name in braces may have meant; empty if nobody knows."""
    path, _, spec = inner.strip().partition(":")
    first, *attributes = path.partition("!")[0].split(".")
    if first not in names:
        near = nearest_name(first, [name for name in names if not name.startswith("_")])
        return f"did you mean {{{near}}}?" if near else ""
    holder, value = first, names[first]
    for attribute in attributes:
        inside: list[str] = []
        held: Any = None
        with suppress(Exception):  # it is anybody's code
            inside = dir(value)
            held = getattr(value, attribute, None)
        if attribute not in inside:
            near = nearest_name(attribute, inside)
            return f"did you mean {{{holder}.{near}}}?" if near else f"{holder} has no {attribute!r}"
        holder, value = f"{holder}.{attribute}", held
    if spec:
        return f"{path} can't be written as {spec!r}"
    return _NO_CODE if path == inner else f"did you mean {{{path}}}?"


def _is_name(inner: str) -> bool:
    match = pattern().fullmatch(f"{{{inner}}}")
    return match is not None and (match["spec"] is None or _FORMAT.fullmatch(match["spec"]) is not None)


def _is_meant(inner: str, names: Mapping[str, Any]) -> bool:
    """Whether a placeholder is meant: a name, one that exists between blanks, or Python of such names."""
    name = inner.strip()
    return ((name == inner or name.partition(".")[0] in names) and _is_name(name)) or _is_expression(name, names)


def _is_expression(inner: str, names: Mapping[str, Any]) -> bool:
    """Whether this is Python that would say something of the notebook: a call, an item, a sum, and maybe how to write it."""
    code, colon, spec = inner.rpartition(":")
    is_format = colon and not spec.startswith(" ") and _FORMAT.fullmatch(spec)
    try:
        tree = ast.parse(code if is_format else inner, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    own = used & names.keys()
    match tree:
        case ast.Call(func=ast.Name(name)):
            return bool(own) or hasattr(builtins, name)
        case ast.Call() | ast.Subscript() | ast.BinOp() | ast.BoolOp() | ast.IfExp():
            return bool(own) and all(name in own or hasattr(builtins, name) for name in used)
    return False


def _resolve(match: re.Match[str], names: Mapping[str, Any]) -> Placeholder | None:
    path, cast, spec = match["path"], match["cast"], match["spec"]
    first, *attributes = [path] if path in names else path.split(".")
    if first not in names:
        return None
    value = names[first]
    for attribute in attributes:
        try:
            value = read_attribute(value, attribute, match[0])
        except AttributeError:
            return None
    if attributes and _is_method(value):  # whoever writes `{df.describe}` means what it returns, not how it is written
        return None
    try:
        value = _CASTS[cast](value) if cast else value
        return Placeholder(match[0], path, value if spec is None else format(value, spec))
    except (ValueError, TypeError):
        return None  # no such format: `{name:string}` is TypeScript
    except Exception as error:  # noqa: BLE001 - so may a format
        raise PromptError(f"{match[0]} can't be written out, {_error_text(error)}; nothing was sent") from None


def _is_method(value: Any) -> bool:
    holder = getattr(value, "__self__", None) if inspect.isroutine(value) else None
    return holder is not None and not isinstance(holder, ModuleType)


def read_attribute(value: Any, name: str, typed: str) -> Any:
    """Return an attribute; `typed` is what was typed to name it.

    Raises:
        AttributeError: there is none.
        PromptError: it is a property that raises.
    """
    try:
        return getattr(value, name)
    except AttributeError:
        raise
    except Exception as error:  # noqa: BLE001 - a property may raise anything
        raise PromptError(f"{typed} can't be read, {_error_text(error)}; nothing was sent") from None


def _error_text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def _is_doubled(text: str, match: re.Match[str]) -> bool:
    """Whether the braces are doubled, as templates have them."""
    return text[match.start() - 1 : match.start()] == "{" and text[match.end() : match.end() + 1] == "}"


def _within(position: int, spans: Sequence[tuple[int, int]]) -> bool:
    at = bisect_right(spans, position, key=lambda span: span[0])
    return at > 0 and position < spans[at - 1][1]


def _latex(text: str) -> Sequence[tuple[int, int]]:
    r"""Return where braces are LaTeX's own: arguments of commands, one after the other, and `_{…}` and `^{…}` in formulas."""
    if "\\" not in text and "$" not in text:
        return ()
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
