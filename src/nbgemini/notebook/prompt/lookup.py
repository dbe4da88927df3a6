"""What a line names in the notebook: attachments (-a), tools (-t), types (--schema) and the rows of a map; nothing is called.

An attachment is a value of the notebook, the last plot, a file, or all files that match a pattern. A name comes before a file
of that name; the text that a name stands for is text, and opens nothing. Nothing is sent when one of them can't be; of several
files that one pattern means, those that can't be sent are left out, and the user is told.
"""

from __future__ import annotations

import ast
import builtins
import functools
import glob
import operator
import os
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeGuard

from msgspec import Struct

from nbgemini._storage import user_path
from nbgemini.chat.structured_output import WAY_OUT, is_type, reason_text
from nbgemini.errors import PromptError, nearest, nearest_name
from nbgemini.notebook.options import MAP_USAGE
from nbgemini.prompts.placeholders import read_attribute
from nbgemini.prompts.tables import may_be_table
from nbgemini.tools.mcp.server import McpServer
from nbgemini.tools.resolve import McpToolRef, flatten_tools

MOST_FILES = 20  # of one pattern
_CODE = re.compile(r"([^\W\d]\w*)[\w.]*[\[(]")
_TYPING = {
    name: getattr(typing, name) for name in ("Annotated", "Any", "Dict", "List", "Literal", "Optional", "Set", "Tuple", "Union")
}


class NamedAttachment(Struct, frozen=True):
    """One thing to attach: what it is called, and the value; a file is a Path.

    Attributes:
        among: the pattern, or the list, that meant several files, of which this is one; empty if it was meant alone.
    """

    name: str
    value: Any
    among: str = ""


def named_attachments(word: str, names: Mapping[str, Any], plot: bytes | None = None) -> Iterator[NamedAttachment]:
    """Yield what `word` names; `plot` is the last picture that was shown."""
    found, value = _named_value(word, names)
    if found:
        yield from _opened(word, value)
    elif word == "plot":
        if plot is None:
            raise PromptError("-a plot: no cell has shown a figure yet; nothing was sent")
        yield NamedAttachment("plot", plot)
    else:
        among = word if glob.has_magic(word) and not os.path.isfile(user_path(word)) else ""  # noqa: PTH113
        yield from (NamedAttachment(path.name, path, among) for path in _files(word, names))


def _named_value(word: str, names: Mapping[str, Any]) -> tuple[bool, Any]:
    try:
        return True, _led_to(names, word, f"-a: {word}")
    except AttributeError:  # a file may be called `df.csv`
        return False, None


def _led_to(names: Mapping[str, Any], path: str, typed: str) -> Any:
    """Return what a name with attributes leads to; AttributeError: it leads nowhere."""
    first, *attributes = path.split(".")
    if first not in names:
        raise AttributeError(first)
    return functools.reduce(lambda value, name: read_attribute(value, name, typed), attributes, names[first])


def _opened(word: str, value: Any) -> Iterator[NamedAttachment]:
    """Yield the value; a path is its file, and a list of them is all of these. Text is text, whatever it names."""
    if isinstance(value, list | tuple) and value and all(isinstance(item, Path) for item in value):
        _check_count(word, len(value))
        yield from (NamedAttachment(path.name, user_path(path), word) for path in value)
    elif isinstance(value, Path):
        yield from (NamedAttachment(path.name, path) for path in _files(str(value), {}))
    else:
        yield NamedAttachment(word, value)


def _files(word: str, names: Mapping[str, Any]) -> list[Path]:
    path = user_path(word)
    if os.path.isfile(path):  # noqa: PTH113 - which says no, and raises nothing, for a name that is too long
        return [path]
    if os.path.isdir(path):  # noqa: PTH112 - same
        raise PromptError(f"-a: {word} is a folder; -a '{word.rstrip('/')}/*' takes its files")
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))] if glob.has_magic(word) else []  # noqa: PTH207
    files = [match for match in matches if match.is_file()]
    if not files:
        raise PromptError(f"-a: {_why_nothing(word, path, names)}; nothing was sent")
    _check_count(word, len(files))
    return files


def _why_nothing(word: str, path: Path, names: Mapping[str, Any]) -> str:
    """Return why a word names nothing that can be attached, and the way out."""
    first, *others = word.split(",")
    if "://" in word:
        return f"{word} is an address → name it in the prompt with --urls, or download it"
    if os.path.exists(path):  # noqa: PTH110 - same
        return f"{word} is no regular file"
    if others and (_named_value(first, names)[0] or os.path.isfile(user_path(first))):  # noqa: PTH113 - same
        return f"one name or file at a time → {' '.join(f'-a {one.strip()}' for one in (first, *others))}"
    if code := _code_text(word, names):
        return code
    what = "no file matches" if glob.has_magic(word) else "no name and no file"
    return f"{what} {word!r}{_near(word, path, names)}"


def _code_text(word: str, names: Mapping[str, Any]) -> str:
    """Return why a word that is code is not meant here, and the way out; empty for other words."""
    code = _CODE.match(word)
    return f"{word!r} is code, and none runs here → give what it returns a name" if code and code[1] in names else ""


def _check_count(word: str, count: int) -> None:
    if count > MOST_FILES:
        raise PromptError(f"-a: {word} matches {count} files, more than {MOST_FILES}; nothing was sent")


def _near(word: str, path: Path, names: Mapping[str, Any]) -> str:
    known = [name for name in names if not name.startswith("_") and os.sep not in word]
    near = [nearest_name(word.partition(".")[0], known), nearest_name(path.name, _siblings(path.parent))]
    return f" (did you mean {' or '.join(filter(None, near))}?)" if any(near) else ""


def _siblings(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry, _ in zip(entries, range(1000), strict=False)]
    except OSError:
        return []


def named_tool(names: Mapping[str, Any], name: str) -> Any:
    """Return the function, tool, MCP server or list of them that is called `name`; `server.tool` is one of a server's."""
    first, _, rest = name.partition(".")
    if rest and isinstance(names.get(first), McpServer):
        return McpToolRef(names[first], rest)
    found = None
    with suppress(AttributeError):
        found = _led_to(names, name.rstrip("."), f"-t: {name}")
    if found is None or not _offers(found):
        known = [known for known, value in names.items() if not known.startswith("_") and _offers(value)]
        if found is not None:
            kind = type(found).__name__
            raise PromptError(f"-t: {name} is of type {kind}, not a function, tool, MCP server or a list of them")
        raise PromptError(f"-t: no function {name!r} in this notebook{nearest(name, known)}")
    return found


def _offers(value: Any) -> bool:
    """Whether something can be a tool; what is wrong with a function is told when it is declared."""
    try:
        return bool(list(flatten_tools(value)))
    except PromptError:
        return False


def named_type(names: Mapping[str, Any], text: str) -> Any:
    """Return the type that is written as `text`."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise PromptError(
            f"--schema: {text!r} is not a type; write Planet, list[Planet], dict[str, int], Literal['a', 'b']"
        ) from None
    found = _HintReader(names).type_of(tree)
    if not is_type(found):
        near = nearest(text, _types(names)) or f"; {WAY_OUT}"
        raise PromptError(f"--schema: {text} is a value of type {type(found).__name__}, not a type{near}")
    return found


class _HintReader:
    """Reads one hint with a notebook's names."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def type_of(self, node: ast.expr) -> Any:
        """Return what a hint stands for."""
        match node:
            case ast.Name(id=name):
                return self._named(name)
            case ast.Attribute(value=holder, attr=name):
                return self._attribute(holder, name)
            case ast.Subscript(value=generic, slice=inside):
                return self._made(generic, inside)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._combined(node, operator.or_, self.type_of(left), self.type_of(right))
            case ast.Constant(value=value):
                return value
            case ast.Tuple(elts=items):
                return tuple(map(self.type_of, items))
        raise PromptError(f"--schema: {ast.unparse(node)!r} is too complex; give the type a name in a cell")

    def _named(self, name: str) -> Any:
        for known in (self._names, vars(builtins), _TYPING):
            if name in known:
                return known[name]
        raise PromptError(f"--schema: no type {name!r} in this notebook{nearest(name, _types(self._names))}")

    def _attribute(self, holder: ast.expr, name: str) -> Any:
        try:
            return read_attribute(self.type_of(holder), name, f"--schema: {name}")
        except AttributeError as error:
            raise PromptError(f"--schema: {error}") from None

    def _made(self, generic: ast.expr, inside: ast.expr) -> Any:
        of = self.type_of(generic)
        if of is typing.Literal:
            try:
                return of[ast.literal_eval(inside)]
            except ValueError:
                raise PromptError(f"--schema: {ast.unparse(inside)!r} in Literal[…] is not a Python literal") from None
        return self._combined(generic, operator.getitem, of, self.type_of(inside))

    @staticmethod
    def _combined(node: ast.expr, deed: Any, *sides: Any) -> Any:
        try:
            return functools.reduce(deed, sides)
        except Exception as error:  # noqa: BLE001 - pydantic makes a type of its own of `Box[int]`
            raise PromptError(f"--schema: {ast.unparse(node)!r} is not a type: {reason_text(error)}") from None


def _types(names: Mapping[str, Any]) -> list[str]:
    return [name for name, value in names.items() if not name.startswith("_") and is_type(value)]


def rows_named(names: Mapping[str, Any], word: str) -> Any:
    """Return the rows of a map: a name of the notebook, or an attribute of one, as `df.text`."""
    if code := _code_text(word, names):
        raise PromptError(f"{code} (a column: df.text); usage: {MAP_USAGE}")
    first, *attributes = word.split(".")
    if first not in names:
        known = [name for name, value in names.items() if not name.startswith("_") and is_rows(value)]
        raise PromptError(f"no name {first!r} in this notebook{nearest(first, known)}; usage: {MAP_USAGE}")
    value = names[first]
    for attribute in attributes:
        columns = column_names(value)
        try:
            value = read_attribute(value, attribute, word)
        except AttributeError:
            if attribute not in columns:
                inside = columns or [name for name in dir(value) if not name.startswith("_")]
                raise PromptError(f"{word}: there is no {attribute!r}{nearest(attribute, inside)}") from None
            value = value[attribute]
    return value


def is_rows(value: Any) -> bool:
    """Whether a map can go through a value."""
    return may_be_table(value) or isinstance(value, list | tuple | set)


def column_names(value: Any) -> list[str]:
    """Return the names of a table's columns; none if it is no table, or they are known only when it is computed."""
    if not may_be_table(value):
        return []
    ways = (getattr(value, ability, None) for ability in ("column_names", "columns", "data_vars"))
    return next(([str(name) for name in names] for names in ways if _are_names(names)), [])


def _are_names(found: Any) -> TypeGuard[Iterable[Any]]:
    """Whether something is a collection of names, and not the columns themselves."""
    return isinstance(found, Iterable) and not callable(found) and all(isinstance(name, str | int | tuple) for name in found)
