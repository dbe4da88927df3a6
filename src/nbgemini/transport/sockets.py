"""What asyncio does not offer for a connection's socket; each is given as its transport has it."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import Any


def shut_down(connection: Any) -> None:
    """Shut a socket down: a forked child's copy would hold the stream open."""
    number = connection.fileno()
    if number >= 0:  # else it is closed
        with suppress(OSError), socket.socket(fileno=number) as same:
            try:
                same.shutdown(socket.SHUT_RDWR)
            finally:
                same.detach()


def is_readable(connection: Any) -> bool:
    """Whether something has come, be it the end, that the loop has not read yet; a closed socket is at its end."""
    number = connection.fileno()
    if number < 0:
        return True
    if not hasattr(select, "poll"):  # on Windows, where `select` takes any number
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
