"""How a cell that waits is stopped, by an interrupt or by Ctrl-C, and what it says then."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from nbgemini.running import Running

PATIENCE = 2.0  # seconds that an interrupted cell gives what it waits for to show what arrived


class Interrupted(KeyboardInterrupt):
    """The cell was interrupted."""

    def __init__(self, outcome: str = "stopped; what arrived is kept") -> None:
        """Say what became of the stream."""
        super().__init__(f"Interrupted: {outcome}")

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@contextmanager
def ctrl_c_stops(running: Running) -> Iterator[None]:
    """Let Ctrl-C in a terminal stop what runs; a KeyboardInterrupt would tear the loop away from under it."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, running.stop)
    except (NotImplementedError, RuntimeError, ValueError):
        yield  # another thread, or Windows
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
