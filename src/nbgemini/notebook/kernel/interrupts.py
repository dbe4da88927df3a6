"""An interrupt while no cell runs stops the background streams.

The kernel puts its own handler of SIGINT in place for the time of each request and puts the former one back afterwards; with
no cell running, an interrupt is ignored. The former one is where ours goes: a running cell keeps its interrupts to itself.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from nbgemini._async.handle import StreamHandle
from nbgemini.notebook.kernel.environment import kernel_of

_FORMER = "saved_sigint_handler"  # what ipykernel 6 and 7 put back after each request


class IdleInterrupt:
    """Listens for interrupts between cells and calls `heard`, which must be thread-safe, for each of them."""

    def __init__(self, kernel: Any, heard: Callable[[], object]) -> None:
        self._kernel = kernel
        self._heard = heard
        self._former: Any = None

    def install(self) -> None:
        """Begin, while a request is being handled; harmless twice."""
        former = getattr(self._kernel, _FORMER, None)
        if former is not None and former != self._on_signal:
            self._former = former
            setattr(self._kernel, _FORMER, self._on_signal)

    def remove(self) -> None:
        """End, while a request is being handled; harmless when not installed."""
        if getattr(self._kernel, _FORMER, None) == self._on_signal:
            setattr(self._kernel, _FORMER, self._former)

    def _on_signal(self, number: int, frame: Any) -> None:
        self._heard()
        if callable(self._former):
            self._former(number, frame)


_PATIENCE = 2.0  # seconds that an interrupted cell gives what it waits for to show what arrived


class Interrupted(KeyboardInterrupt):
    """The cell was interrupted."""

    def __init__(self, outcome: str = "stopped; what arrived is kept") -> None:
        super().__init__(f"Interrupted: {outcome}")

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@contextmanager
def interrupts_say(outcome: str) -> Iterator[None]:
    """Let an interrupt of the cell say what came of it."""
    try:
        yield
    except asyncio.CancelledError:
        raise Interrupted(outcome) from None


async def wait_for_end(shell: Any, task: asyncio.Task[None], running: StreamHandle, outcome: str) -> None:
    """Wait for what a task runs; an interrupt of the cell stops it, and says the `outcome`.

    Raises:
        Interrupted: it was interrupted.
    """
    try:
        with ctrl_c_stops(running) if kernel_of(shell) is None else nullcontext():
            await asyncio.wait([task])  # does not cancel the task when the cell is cancelled
    except asyncio.CancelledError:
        running.stop()
        await asyncio.wait([task], timeout=_PATIENCE)
        raise Interrupted(outcome) from None


@contextmanager
def ctrl_c_stops(running: StreamHandle) -> Iterator[None]:
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
