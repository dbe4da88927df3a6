"""The event loop of a GUI (`%gui qt`, `tk` …) beside ours: it holds the kernel's loop until the next cell comes.

Nothing can stream behind it and nothing can be waited for, so it is put aside while there is something to do, and comes back
afterwards; its windows stand still meanwhile. That is told, once, with the way out.
Invariant: what `%gui` sets meanwhile is left as it is.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_HARMLESS = "loop_asyncio"  # what `%gui asyncio` sets: it returns at once
_SETTLED = 0.05  # seconds after which the kernel has surely noticed that the GUI's loop is gone


class Gui:
    """The GUI's loop of one kernel, if there is a kernel and it has one."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._holders = 0
        self._aside: Any = None
        self._name = ""
        self._told: Any = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep it aside for as long as this lasts."""
        self.put_aside()
        try:
            yield
        finally:
            self.let_back()

    def make_way(self) -> None:
        """Put it aside until the cell has begun that is about to await: it would take the loop before the cell's first step."""
        with self.aside():
            pass  # it comes back a moment later, if nothing else keeps it aside by then

    def put_aside(self) -> None:
        """Begin; each beginning has its end."""
        self._holders += 1
        if self._holders == 1 and self._kernel is not None:
            self._kernel.observe(self._came, "eventloop")
            self._take(self._kernel.eventloop)

    def let_back(self) -> None:
        """End: when nothing more keeps it aside, it comes back, a moment later."""
        self._holders -= 1
        if self._holders or self._kernel is None:
            return
        self._kernel.unobserve(self._came, "eventloop")
        try:
            asyncio.get_running_loop().call_later(_SETTLED, self._come_back)
        except RuntimeError:
            self._come_back()

    def _take(self, loop: Any) -> None:
        if loop is None or getattr(loop, "__name__", "") == _HARMLESS:
            return
        self._aside = loop
        self._learn_name()
        self._kernel.eventloop = None
        if self._told is not loop:
            self._told = loop
            sys.stdout.write(
                f"%gui {self._name}".rstrip() + " holds the kernel's loop, behind which nothing can stream: it is put aside"
                " while an answer streams, and its windows freeze → %gui alone turns it off\n"
            )
            sys.stdout.flush()

    def _came(self, change: Any) -> None:
        """Put aside what `%gui` has just set; its name is known only when the magic has ended."""
        self._take(change["new"])
        if change["new"] is not None:
            asyncio.get_running_loop().call_soon(self._learn_name)

    def _learn_name(self) -> None:
        self._name = self._name_now()

    def _come_back(self) -> None:
        loop = self._aside
        if self._holders or loop is None:
            return
        self._aside = None
        if self._kernel.eventloop is None and self._name_now() == self._name:  # else `%gui` has set something else, or nothing
            self._kernel.eventloop = loop

    def _name_now(self) -> str:
        return str(getattr(self._kernel.shell, "active_eventloop", None) or "")
