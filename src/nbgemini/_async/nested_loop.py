"""Running the loop from within: code that can't await waits, and everything else on the loop goes on.

It patches asyncio, so it happens only for whoever needs it, and as little as possible: `asyncio.run` stays what it was.
An interrupt ends the waiting alone: raised wherever the loop is just then, it would hit a stream.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from nbgemini.errors import ConfigurationError

T = TypeVar("T")


def run_within(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` to its end on the running `loop`; an interrupt cancels it.

    Raises:
        ConfigurationError: the loop is of a kind that can't be entered again (uvloop); nothing was patched.
        KeyboardInterrupt: it was interrupted.
    """
    if not isinstance(loop, asyncio.BaseEventLoop):
        coroutine.close()
        raise ConfigurationError(f"a loop of {type(loop).__module__} can't wait in code that is not async; use await instead")
    import nest_asyncio2  # noqa: PLC0415 - patches asyncio

    run = asyncio.run
    nest_asyncio2.apply(loop)
    asyncio.run = run  # the patched one breaks what others run in their threads
    task = loop.create_task(coroutine)
    with _heard(lambda: loop.call_soon_threadsafe(task.cancel)) as interrupts:
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if interrupts:
                raise KeyboardInterrupt from None
            raise


@contextmanager
def _heard(then: Callable[[], object]) -> Iterator[list[int]]:
    """Hear interrupts instead of being torn away by them; yield what came of them."""
    heard: list[int] = []

    def hear(number: int, _frame: object) -> None:
        heard.append(number)
        then()

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield heard
        return
    former = signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, former)
