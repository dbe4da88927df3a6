"""Driving a stream of steps in a task: a display that may fail, a time that may be over, a stop that may meet a cancel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

from nbgemini.listening import Step
from nbgemini.reply import Reply
from nbgemini.segments import Change

_log = logging.getLogger("nbgemini")


class Shown:
    """Whoever is shown the changes, until that fails."""

    def __init__(self, apply: Callable[[list[Change]], None]) -> None:
        """Show them by `apply`."""
        self._apply = apply

    def __call__(self, changes: list[Change]) -> None:
        """Show what changed."""
        try:
            self._apply(changes)
        except Exception:  # noqa: BLE001 - whatever the display has, the answer must not have it
            _log.exception("the display of an answer failed; the answer goes on without it (%gemini show has it)")
            self._apply = lambda _: None


def in_time(reply: Reply, steps: AsyncGenerator[Step, None]) -> AsyncGenerator[Step, None]:
    """Return the steps as long as the reply's time lasts; the reader's own work between them is never cut."""
    limit = reply.options.timeout
    return _limited(reply, steps, limit) if limit else steps  # a timeout for each step costs as much as half of the step


async def _limited(reply: Reply, steps: AsyncGenerator[Step, None], limit: float) -> AsyncGenerator[Step, None]:
    over = asyncio.get_running_loop().time() + limit
    async with aclosing(steps):
        with suppress(StopAsyncIteration):
            while True:
                try:
                    async with asyncio.timeout_at(over):
                        step = await anext(steps)
                except TimeoutError:
                    reply.time_out(limit)
                    return
                yield step


def here() -> tuple[asyncio.Task[Any], asyncio.AbstractEventLoop]:
    """Return the running task and its loop."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a reply is driven inside a task")
    return task, asyncio.get_running_loop()


class Stop:
    """A stop as a cancel of the driving task; whoever cancels that task as well must not be overheard."""

    def __init__(self, reply: Reply, task: asyncio.Task[Any]) -> None:
        """Know which task drives `reply`."""
        self._reply = reply
        self._task = task
        self._before = task.cancelling()
        self._sent = False

    def cancel(self) -> None:
        """Cancel the task, unless the reply has ended by itself."""
        if not self._reply.done:
            self._sent = True
            self._task.cancel()

    def was_all(self) -> bool:
        """Take the cancel back, once it has come; say whether it was the only one."""
        return self._sent and self._task.uncancel() <= self._before
