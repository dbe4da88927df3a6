"""What runs, as a hash: leave given for good holds for one source of a function and for the values it was made with."""

from __future__ import annotations

import functools
import hashlib
import inspect
import itertools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePath
from types import CodeType
from typing import Any


def fingerprint(function: Any, core: Any) -> str:
    """Return a hash of what runs: the source as written, or its code where there is none, and the values it was made with."""
    try:
        source: Any = inspect.getsource(core)
    except (OSError, TypeError):
        source = _compiled(getattr(core, "__code__", None)) or repr(core)
    digest = hashlib.sha256(repr(source).encode("utf-8", "replace"))
    for value in _made_with(function, core):
        said = _bytes(value)
        digest.update(f"{type(value).__qualname__} {len(said)} ".encode() + said)
    return digest.hexdigest()


def _bytes(value: Any) -> bytes:
    """Return a value that doesn't change by itself; of others, only the type counts."""
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return repr(value).encode() if isinstance(value, int | float | PurePath) else b""


def _made_with(function: Any, core: Any) -> Iterator[Any]:
    """Yield what partials have settled, the defaults, and what the function holds of the function around it."""
    while isinstance(function, functools.partial):
        yield from function.args
        yield from itertools.chain.from_iterable(sorted(function.keywords.items()))
        function = function.func
    yield from getattr(core, "__defaults__", None) or ()
    yield from (getattr(core, "__kwdefaults__", None) or {}).values()
    for cell in getattr(core, "__closure__", None) or ():
        with suppress(ValueError):  # an empty cell
            yield cell.cell_contents


def _compiled(code: CodeType | None) -> tuple[Any, ...]:
    if code is None:
        return ()
    consts = [_compiled(const) if isinstance(const, CodeType) else const for const in code.co_consts]
    return code.co_code, code.co_names, consts
