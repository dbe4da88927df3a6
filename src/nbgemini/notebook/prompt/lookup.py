"""What -t names: looked up in the notebook as it is written, by name or by name and attribute; nothing is called."""

from __future__ import annotations

import ast
import builtins
import functools
import operator
import typing
from collections.abc import Mapping
from typing import Any

from nbgemini.chat.structured_output import is_type
from nbgemini.errors import PromptError
from nbgemini.notebook.options import nearest
from nbgemini.tools.mcp.server import McpServer
from nbgemini.tools.resolve import Chosen, flat


def named_tool(names: Mapping[str, Any], name: str) -> Any:
    """Return the function, tool, MCP server or list of them that is called `name`; `server.tool` is one of a server's.

    Raises:
        PromptError: there is none.
    """
    first, _, rest = name.partition(".")
    found = names.get(first)
    if rest and isinstance(found, McpServer):
        return Chosen(found, rest)
    for part in filter(None, rest.split(".")):
        found = getattr(found, part, None)
    if found is None or not _offers(found):
        known = [known for known, value in names.items() if not known.startswith("_") and _offers(value)]
        raise PromptError(f"-t: no function {name!r} in this notebook{_instead(found)}{nearest(name, known)}")
    return found


def _offers(value: Any) -> bool:
    """Whether something can be a tool; what is wrong with a function is told when it is declared."""
    try:
        return bool(list(flat(value)))
    except PromptError:
        return False


def _instead(found: Any) -> str:
    return "" if found is None else f"; it is of type {type(found).__name__}, no function, tool, MCP server or list of them"


_WORDS = {
    name: getattr(typing, name) for name in ("Annotated", "Any", "Dict", "List", "Literal", "Optional", "Set", "Tuple", "Union")
}


def named_type(names: Mapping[str, Any], text: str) -> Any:
    """Return the type that is written as `text`.

    Raises:
        PromptError: there is none.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise PromptError(
            f"--schema: {text!r} is not written as a type is: Planet, list[Planet], dict[str, int], Literal['a', 'b']"
        ) from None
    found = _Reading(names).type_of(tree)
    if not is_type(found):
        raise PromptError(f"--schema: {text} is of type {type(found).__name__}, no type itself{nearest(text, _types(names))}")
    return found


class _Reading:
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
        raise PromptError(f"--schema: {ast.unparse(node)!r} is more than a type hint may hold; give the type a name in a cell")

    def _named(self, name: str) -> Any:
        for known in (self._names, vars(builtins), _WORDS):
            if name in known:
                return known[name]
        raise PromptError(f"--schema: no type {name!r} in this notebook{nearest(name, _types(self._names))}")

    def _attribute(self, holder: ast.expr, name: str) -> Any:
        try:
            return getattr(self.type_of(holder), name)
        except AttributeError as error:
            raise PromptError(f"--schema: {error}") from None

    def _made(self, generic: ast.expr, inside: ast.expr) -> Any:
        of = self.type_of(generic)
        if of is typing.Literal:
            try:
                return of[ast.literal_eval(inside)]
            except ValueError:
                raise PromptError(
                    f"--schema: what stands in Literal[…] is written as in Python: {ast.unparse(inside)!r} is not"
                ) from None
        return self._combined(generic, operator.getitem, of, self.type_of(inside))

    @staticmethod
    def _combined(node: ast.expr, deed: Any, *sides: Any) -> Any:
        try:
            return functools.reduce(deed, sides)
        except TypeError as error:
            raise PromptError(f"--schema: {ast.unparse(node)!r} makes no type: {error}") from None


def _types(names: Mapping[str, Any]) -> list[str]:
    return [name for name, value in names.items() if not name.startswith("_") and is_type(value)]
