"""Work in a thread of its own: no pool to fill up, and none that Python waits for at its end."""

from __future__ import annotations

import asyncio
import threading
import typing
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


async def threaded(work: Callable[[], T]) -> T:
    """Run `work` in a daemon thread with the context of here, and return or raise what came of it."""
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
