"""How often streams repaint: one stream a few times a second, all together within what a server and a page can bear.

A Jupyter server drops output over 1,000 messages a second; a page that is given 300 kB a second stays smooth.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

_REPAINTS = 100  # a second, over all streams
_CHARACTERS = 300_000  # a second, over all streams


class Refresh:
    """The repaints of one kernel."""

    def __init__(self) -> None:
        """Begin with no streams."""
        self._streams = 0
        self._free_at = 0.0
        self.silent: Any = None  # the last widget that no page has started in good time

    @property
    def no_widgets(self) -> bool:
        """Whether pages turned out to start no widget of ours; one that comes late after all is heard."""
        return self.silent is not None and not self.silent.greeted

    def join(self) -> None:
        """Count one stream more."""
        self._streams += 1

    def leave(self) -> None:
        """Count one stream less."""
        self._streams -= 1

    def sent(self, characters: int) -> None:
        """Take note of what was sent."""
        self._free_at = max(monotonic(), self._free_at) + characters / _CHARACTERS

    def pause(self, shortest: float) -> float:
        """Return the seconds a stream waits before its next repaint, at least `shortest`."""
        return max(shortest, self._streams / _REPAINTS, self._free_at - monotonic())
