"""What a tool prints while it runs.

Each call has a `PrintedText`, found through a context variable by the call's own task, the tasks that it starts and its thread.
Whoever owns `sys.stdout` (a notebook) offers it each text. Invariant: a call that is over takes nothing, whatever still carries
its context: tasks, threads and processes that it left behind print as if there had been no call.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar

from nbgemini._environment import HOST

LONGEST_PRINT = 10_000  # characters that are kept: the last ones
_PAUSE = 0.3  # seconds between two reports
_ESCAPES = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class PrintedText:
    """Collects what one call prints, from any thread."""

    def __init__(self, report: Callable[[str], object]) -> None:
        """Call `report` on the running loop with the text so far, now and then while it grows."""
        if HOST.before_call:
            HOST.before_call()
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._pieces: list[str] = []
        self._size = 0
        self._over = False
        self._report_due = False

    @property
    def text(self) -> str:
        """What a terminal would show of it: its end, if it is long."""
        with self._lock:
            return self._shortened()

    def write(self, text: str) -> bool:
        """Take in what was printed, unless the call is over; return whether it was taken."""
        if os.getpid() != self._process:
            return False  # a forked child's texts would stay there
        with self._lock:
            if self._over:
                return False
            self._pieces.append(text)
            self._size += len(text)
            if self._size > 2 * LONGEST_PRINT:
                self._pieces = [self._shortened()]
                self._size = len(self._pieces[0])
            due, self._report_due = self._report_due, True
        if not due:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._loop.call_later, _PAUSE, self._report_now)
        return True

    def close(self) -> None:
        """Take nothing more, and report nothing more."""
        with self._lock:
            self._over = True

    def _shortened(self) -> str:
        text = _overwritten("".join(self._pieces))
        return text if len(text) <= LONGEST_PRINT else f"…{text[-LONGEST_PRINT:]}"

    def _report_now(self) -> None:
        with self._lock:
            self._report_due = False
            over = self._over
        if not over:
            self._report(self.text)


PRINTED: ContextVar[PrintedText | None] = ContextVar("nbgemini_printed", default=None)
"""Of the call that runs here; None outside of calls."""


def _overwritten(text: str) -> str:
    """Return a text without colours, and of each line what its carriage returns leave: of a progress bar, its last state."""
    lines = _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    *whole, last = (line[line.rstrip("\r").rfind("\r") + 1 :] for line in lines)
    return "\n".join([*(line.rstrip("\r") for line in whole), last])
