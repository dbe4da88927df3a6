"""Python functions offered to the model: declared once, from what their writer has written anyway.

pydantic is imported at the first declaration.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable
from typing import Any

from nbgemini.tool_docs import documented
from nbgemini.tool_fingerprint import fingerprint
from nbgemini.tool_result import ToolResult, answer
from nbgemini.tool_run import Tool, canonical, is_really, run
from nbgemini.tool_schema import reader_of, refuse, schema_of

__all__ = ["Tool", "ToolResult", "answer", "canonical", "declare", "run"]

TIMEOUT = 60.0  # seconds
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")


def declare(function: Callable[..., Any], *, name: str | None = None, timeout: float | None = TIMEOUT) -> Tool:
    """Make a tool out of a function, from its signature, type hints and docstring.

    Raises:
        PromptError: the model could not call it.
    """
    name = _named(function, name)
    if timeout is not None and not (isinstance(timeout, int | float) and 0 < timeout < math.inf):
        refuse(name, f"a timeout of {timeout} is none; give seconds, or None to wait as long as it takes")
    core = _core(function)
    signature = _signature(function, name)
    reader = reader_of(name, signature, getattr(core, "__globals__", {}))
    description, described = documented(inspect.getdoc(core) or "")
    schema = schema_of(reader, signature, described)
    description = description or name.replace("_", " ")  # the service asks for one
    return Tool(name, description, schema, timeout, fingerprint(function, core), function, signature, reader.validate_json)


def _named(function: Callable[..., Any], name: str | None) -> str:
    core = function
    while isinstance(core, functools.partial):
        core = core.func
    found = name or str(getattr(core, "__name__", type(core).__name__))
    if not callable(function) or isinstance(function, type):
        refuse(repr(found), "it is no function; pass a function or a method")
    if found == "<lambda>":
        refuse("a lambda", "it has no name; write a function with def")
    if not _NAME.fullmatch(found):
        refuse(repr(found), "a name has up to 64 of A-Z a-z 0-9 _ . : - and begins with a letter or _; give another by name=…")
    if is_really(inspect.isasyncgenfunction, function):
        refuse(found, "it yields asynchronously; return a list instead")
    return found


def _core(function: Any) -> Any:
    """Return the function somebody wrote, inside partials, decorators and callable objects."""
    while (inner := _inner(function)) is not None:
        function = inner
    return function if inspect.isroutine(function) else type(function).__call__


def _inner(function: Any) -> Any:
    return function.func if isinstance(function, functools.partial) else getattr(function, "__wrapped__", None)


def _signature(function: Callable[..., Any], name: str) -> inspect.Signature:
    """Return the signature, without what a partial has settled.

    Raises:
        PromptError: it can't be read, or doesn't name each parameter.
    """
    try:
        signature = inspect.signature(function)
    except Exception as error:  # noqa: BLE001 - since Python 3.14 this evaluates the hints
        refuse(name, f"its parameters can't be read ({error}); wrap it in a function of your own")
    for parameter in signature.parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            refuse(name, f"its parameter {parameter} takes anything, so the model can't know what; name each parameter")
    first = next(iter(signature.parameters), "")
    if first in {"self", "cls"}:
        refuse(name, f"it asks for {first!r}; pass the method of an object")
    return signature.replace(parameters=[p for p in signature.parameters.values() if p.name not in _settled(function)])


def _settled(function: Any) -> set[str]:
    settled: set[str] = set()
    while isinstance(function, functools.partial):
        settled |= set(function.keywords)
        function = function.func
    return settled
