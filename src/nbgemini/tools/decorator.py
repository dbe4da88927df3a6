"""Python functions offered to the model: declared once, from what their writer has written anyway.

What a call may do without approval is said by `@tool` in the user's own code, never by a name, a hint, a docstring or a model.
pydantic is imported at the first declaration.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar, overload

from msgspec import Struct, structs

from nbgemini.tools.docstrings import parse_docstring
from nbgemini.tools.json_schema import parameters_schema, reader_of, refuse
from nbgemini.tools.source_hash import source_hash
from nbgemini.tools.tool import Tool, satisfies

F = TypeVar("F", bound=Callable[..., Any])

TIMEOUT = 60.0  # seconds
LABELS: Final = ("private", "untrusted", "external")
_MARKS = "_nbgemini_tool"  # the attribute that keeps what @tool says
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")


class ToolOptions(Struct, frozen=True):
    """What `@tool` says of a function."""

    name: str | None = None
    timeout: float | None = TIMEOUT
    safe: bool = False
    labels: frozenset[str] = frozenset()


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(function: Tool, /, **marks: Any) -> Tool: ...
@overload
def tool(
    function: None = None,
    /,
    *,
    name: str | None = ...,
    timeout: float | None = ...,
    safe: bool = ...,
    labels: Iterable[str] = ...,
) -> Callable[[F], F]: ...
def tool(function: Any = None, /, **marks: Any) -> Any:
    """Set how a function is offered to the model as a tool; the function itself does not change.

    Args:
        function: the function, or a tool of an MCP server.
        marks: `name`, the name that the model sees; `timeout` in seconds (60), None for no limit; `safe=True` if calls may run
            without approval; `labels`: `private` (reads private data), `untrusted` (reads what strangers wrote), `external`
            (can send data out).

    Raises:
        PromptError: an unknown mark, or a wrong value.
    """
    if function is None:
        return functools.partial(tool, **marks)
    if isinstance(function, Tool):
        return structs.replace(function, **_checked_options(function.name, marks))
    options = structs.replace(_options_of(function), **_checked_options(_name_of(function), marks))
    with suppress(AttributeError, TypeError):
        setattr(function, _MARKS, options)
        return function
    return declare(function, **marks)  # a bound method or a built-in can carry no mark


def as_tool(offered: Tool | Callable[..., Any]) -> Tool:
    """Return a tool as it is, and a function as one."""
    return offered if isinstance(offered, Tool) else declare(offered)


def declare(function: Callable[..., Any], **marks: Any) -> Tool:
    """Make a tool out of a function, from its signature, type hints and docstring, and from its marks or these.

    Raises:
        PromptError: the model could not call it.
    """
    marked = structs.replace(_options_of(function), **_checked_options(_name_of(function), marks))
    name = _checked_name(function, marked.name)
    core = _written_function(function)
    signature = _signature(function, name)
    doc = parse_docstring(inspect.getdoc(core) or "")
    reader = reader_of(name, signature, getattr(core, "__globals__", {}), doc.types)
    code = getattr(core, "__code__", None)
    return Tool(
        name,
        doc.description or name.replace("_", " "),  # the service asks for one
        parameters_schema(reader, signature, doc),
        marked.timeout,
        source_hash(function, core),
        function,
        signature,
        reader.validate_json,
        marked.safe,
        marked.labels,
        file=code.co_filename if code else "",
        line=code.co_firstlineno if code else 0,
        _anew=functools.partial(source_hash, function, core),
    )


def _partials(function: Any) -> Iterator[Any]:
    """Yield a function and what is inside it, as long as that is a partial."""
    yield function
    while isinstance(function, functools.partial):
        function = function.func
        yield function


def _options_of(function: Any) -> ToolOptions:
    """Return what `@tool` says of a function, also inside partials."""
    marks = (getattr(one, _MARKS, None) for one in _partials(function))
    return next((found for found in marks if isinstance(found, ToolOptions)), ToolOptions())


def _checked_options(name: str, marks: dict[str, Any]) -> dict[str, Any]:
    """Return the marks if they mean something."""
    unknown = next((mark for mark in marks if mark not in ToolOptions.__struct_fields__), None)
    if unknown is not None:
        refuse(name, f"@tool has no argument {unknown!r}; it takes {', '.join(ToolOptions.__struct_fields__)}")
    timeout = marks.get("timeout")
    if timeout is not None and (timeout is True or not isinstance(timeout, int | float) or not 0 < timeout < math.inf):
        refuse(name, f"timeout={timeout} is not valid; give seconds, or None for no limit")
    if marks.get("name") is not None:
        _check_name(marks["name"])
    if not isinstance(marks.get("safe", False), bool):
        refuse(name, f"safe is True or False, not {marks['safe']!r}")
    return {**marks, "labels": checked_labels(name, marks["labels"])} if "labels" in marks else marks


def checked_labels(name: str, labels: str | Iterable[str]) -> frozenset[str]:
    """Return labels if they mean something; raise PromptError if one does not."""
    wanted = list(labels) if isinstance(labels, Iterable) and not isinstance(labels, str) else [labels]
    unknown = next((label for label in wanted if label not in LABELS), None)
    if unknown is not None:
        refuse(name, f"there is no label {unknown!r}; labels are {', '.join(LABELS)}")
    return frozenset(wanted)


def _name_of(function: Any) -> str:
    *_, inner = _partials(function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _checked_name(function: Callable[..., Any], name: str | None) -> str:
    found = name or _name_of(function)
    if not callable(function) or isinstance(function, type):
        refuse(repr(found), "it is no function; pass a function or a method")
    if found == "<lambda>":
        refuse("a lambda", "it has no name; write a function with def")
    _check_name(found)
    if satisfies(inspect.isasyncgenfunction, function):
        refuse(found, "it yields asynchronously; return a list instead")
    return found


def _check_name(name: Any) -> None:
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        refuse(repr(name), "a name has up to 64 of A-Z a-z 0-9 _ . : - and begins with a letter or _; give another by name=…")


def _written_function(function: Any) -> Any:
    """Return the function somebody wrote, inside partials, decorators and callable objects."""
    while True:
        *_, function = _partials(function)
        if (wrapped := getattr(function, "__wrapped__", None)) is None:
            return function if inspect.isroutine(function) else type(function).__call__
        function = wrapped


def _signature(function: Callable[..., Any], name: str) -> inspect.Signature:
    """Return the signature, without what a partial has settled, if it names each parameter."""
    try:
        signature = inspect.signature(function)
    except Exception as error:  # noqa: BLE001 - since Python 3.14 this evaluates the hints
        refuse(name, f"its parameters can't be read ({error}); wrap it in a function of your own")
    way_out = "name each parameter, and let decorators use functools.wraps"
    for parameter in signature.parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            refuse(name, f"its parameter {parameter} takes anything, so the model can't know what; {way_out}")
    first = next(iter(signature.parameters), "")
    if first in {"self", "cls"}:
        refuse(name, f"it asks for {first!r}; pass the method of an object")
    settled = {name for one in _partials(function) if isinstance(one, functools.partial) for name in one.keywords}
    return signature.replace(parameters=[one for one in signature.parameters.values() if one.name not in settled])
