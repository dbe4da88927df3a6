"""Who reads what is not over yet: code that can wait for it, code that has to await it, or a tool that only looks.

The core knows two places: a thread without a running loop can wait, a coroutine awaits. A notebook knows more, and hands down
what tells its cells from the coroutines, callbacks and tools that share their loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias

Reader: TypeAlias = Literal["waits", "awaits", "looks"]
Finder: TypeAlias = Callable[[], Reader]

_finders: list[Finder] = []


def found_by(finder: Finder) -> None:
    """Let `finder` say from now on who reads."""
    _finders.append(finder)


def found_no_longer(finder: Finder) -> None:
    """Undo that; harmless twice."""
    if finder in _finders:
        _finders.remove(finder)


def reader() -> Reader:
    """Return who reads here and now."""
    return _finders[-1]() if _finders else plainly()


def plainly() -> Reader:
    """Return the same as far as it is known without a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "waits"
    return "awaits"
