"""Which replies wait for the code that runs now: a tool that waited for one of them in turn would wait for ever."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeAlias

from nbgemini.errors import ToolError

HoldsUp: TypeAlias = Callable[[object], bool]

_held_up: ContextVar[tuple[HoldsUp, ...]] = ContextVar("nbgemini_held_up", default=())


def enter(holds_up: HoldsUp) -> None:
    """Note that a reply waits for all that this task does from here on, and in threads and tasks that it starts.

    Args:
        holds_up: says of a reply or a chat whether it can't go on before that reply has ended.
    """
    _held_up.set((*_held_up.get(), holds_up))


def check(wanted: object) -> None:
    """Refuse to wait for a reply, or for an answer of a chat, that would never come.

    Raises:
        ToolError: it waits for the code that asks.
    """
    if any(holds_up(wanted) for holds_up in _held_up.get()):
        raise ToolError(
            "a tool can't wait for its own chat, which goes on only when the tool has ended"
            " → ask another chat, or a one-shot (client.generate, %gemini ask --once)"
        )
