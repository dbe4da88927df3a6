"""Work beside the loop: in the thread that imports, or in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import typing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

_import_thread = ThreadPoolExecutor(1, thread_name_prefix="nbgemini-loading")


async def run_in_import_thread(function: Callable[[], T]) -> T:
    """Run `function`, which imports something heavy, in the one thread that does, and return its result.

    An import holds the interpreter for 5 ms at a time. With one thread importing, the loop loses that once a turn; with two at
    once it waits for both, and a 10 ms heartbeat was seen to skip 65 ms.
    """
    return await asyncio.get_running_loop().run_in_executor(_import_thread, function)


async def run_in_daemon_thread(work: Callable[[], T]) -> T:
    """Run `work` in a daemon thread with the context of here, and return or raise what came of it.

    There is no pool that could be full, and Python does not wait for the thread at its end.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()

    def report(outcome: tuple[T | None, BaseException | None]) -> None:
        if not ended.done():  # nobody waits any more
            ended.set_result(outcome)

    def body() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = work(), None
        except BaseException as error:  # noqa: BLE001 - a future refuses StopIteration, a thread shows SystemExit to nobody
            outcome = None, error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(report, outcome)

    threading.Thread(target=copy_context().run, args=(body,), name="nbgemini-tool", daemon=True).start()
    value, error = await ended
    if error is None:
        return typing.cast("T", value)
    try:
        raise error
    finally:
        del error  # its traceback holds this frame
