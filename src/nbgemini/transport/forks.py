"""Connections and forks: a child has a copy of every open socket, and would hold a stopped stream open for as long as it lives.

So a child lets go of them at its beginning. The numbers stay taken, by nothing: whoever closes such a socket in the child once
more must not close what has got its number since.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakKeyDictionary


class Socket(Protocol):
    """What asyncio shows of a socket."""

    def fileno(self) -> int:
        """Return its number; a negative one if it is closed."""
        ...


_open: WeakKeyDictionary[object, Socket] = WeakKeyDictionary()


def keep_from_children(connection: object, socket: Socket) -> None:
    """Let no child that is forked from now on hold the socket of this connection open."""
    _open[connection] = socket


def closed(connection: object) -> None:
    """Forget a connection; harmless twice."""
    _open.pop(connection, None)


def _let_go() -> None:
    numbers = [number for socket in _open.values() if (number := socket.fileno()) >= 0]
    _open.clear()
    if not numbers:
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(nothing, number, inheritable=False)
    os.close(nothing)


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_let_go)
