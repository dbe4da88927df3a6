"""Who reads what is not over yet, and whether waiting for it would ever end.

Code can wait, has to await, or only looks, as a tool does. The core knows two places: a thread without a running loop can wait,
a coroutine awaits. A notebook knows more, and hands down what tells its cells from the coroutines, callbacks and tools that
share their loop. And a tool that waited for the reply that waits for it would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal, TypeAlias

from nbgemini._async.deferred import running_loop
from nbgemini._environment import HOST
from nbgemini.errors import ToolError

Reader: TypeAlias = Literal["waits", "awaits", "looks"]
WaitGuard: TypeAlias = Callable[[object], bool]

_held_up: ContextVar[tuple[WaitGuard, ...]] = ContextVar("nbgemini_held_up", default=())


def current_reader() -> Reader:
    """Return who reads here and now."""
    reader: Reader = HOST.reader() if HOST.reader else reader_without_notebook()
    return reader


def reader_without_notebook() -> Reader:
    """Return the same as far as it is known without a notebook."""
    return "waits" if running_loop() is None else "awaits"


def hold_up(holds_up: WaitGuard) -> None:
    """Note that a reply waits for all that this task does from here on, and in threads and tasks that it starts.

    Args:
        holds_up: says of a reply or a chat whether it can't go on before that reply has ended.
    """
    _held_up.set((*_held_up.get(), holds_up))


def refuse_deadlock(wanted: object) -> None:
    """Refuse to wait for a reply, or for an answer of a chat, that would never come.

    Raises:
        ToolError: it waits for the code that asks.
    """
    if any(holds_up(wanted) for holds_up in _held_up.get()):
        raise ToolError(
            "a tool can't wait for its own chat, which continues only when the tool has ended"
            " → ask another chat, or without history (client.generate, %gemini ask --once)"
        )
