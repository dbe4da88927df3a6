"""What a cell shows that ends with a reply: nothing, if it asked for it itself, for the answer stands below it already.

`%time %gemini ask …`, or a line where cells can't await, gives its reply to whoever wants it, and IPython would show it again.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakKeyDictionary

from nbgemini.chat.reply import Reply
from nbgemini.notebook.kernel.environment import execution_id

_DISPLAY_HOOK = "compute_format_data"  # where IPython asks for a cell's last value; display() does not come by there


class Results:
    """The replies of one shell, and the cells that asked for them."""

    def __init__(self, shell: Any) -> None:
        """Know of none."""
        self._shell = shell
        self._cells: WeakKeyDictionary[Reply, tuple[str, int]] = WeakKeyDictionary()
        self._formatter = shell.display_formatter.ipython_display_formatter

    def install(self) -> None:
        """Begin."""
        self._formatter.for_type(Reply, self._show)

    def remove(self) -> None:
        """End."""
        self._formatter.pop(Reply, None)

    def asked(self, reply: Reply) -> None:
        """Note that the cell that runs now asks for this."""
        self._cells[reply] = self._here()

    def _show(self, reply: Reply) -> None:
        """Show nothing as the value of the cell that asked.

        Raises:
            NotImplementedError: it is to be shown as anything is (IPython's convention).
        """
        if self._cells.get(reply) != self._here() or not _is_last_value():
            raise NotImplementedError

    def _here(self) -> tuple[str, int]:
        return execution_id(self._shell), self._shell.execution_count


def _is_last_value() -> bool:
    frame = sys._getframe(1)  # noqa: SLF001 - documented
    while frame is not None and frame.f_code.co_name != _DISPLAY_HOOK:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None
