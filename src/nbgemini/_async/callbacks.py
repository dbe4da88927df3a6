"""Callbacks that may fail, and a cancel that may meet another one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

_log = logging.getLogger("nbgemini")


class SafeCallback:
    """A callback that is left out once it has failed: whatever is wrong with it, the work goes on."""

    def __init__(self, callback: Callable[[Any], object] | None, trouble: str) -> None:
        """Call it for each value, if there is one; `trouble` is logged when it fails."""
        self._callback = callback
        self._trouble = trouble

    def __call__(self, value: Any) -> None:
        """Call it."""
        if self._callback is None:
            return
        try:
            self._callback(value)
        except Exception:  # noqa: BLE001 - anybody's code
            _log.exception(self._trouble)
            self._callback = None


class CancelOnce:
    """A stop as a cancel of a task; a cancel by somebody else must not go unheard."""

    def __init__(self, task: asyncio.Task[Any], over: Callable[[], bool]) -> None:
        """Cancel this task, unless its work is over."""
        self._task = task
        self._over = over
        self._before = task.cancelling()
        self._sent = False

    def cancel(self) -> None:
        """Cancel the task."""
        if not self._over():
            self._sent = True
            self._task.cancel()

    def was_all(self) -> bool:
        """Take the cancel back, once it has come; return whether it was the only one."""
        return self._sent and self._task.uncancel() <= self._before
