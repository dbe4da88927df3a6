"""A reply in a plain terminal: thoughts dim, answers as they come, the status last.

Everything from the model passes `harmless` first: no escape sequence of its own reaches the terminal.
"""

from __future__ import annotations

import sys

from nbgemini.notebook.status import badge_text, status_text
from nbgemini.render.text import harmless
from nbgemini.reply import Reply
from nbgemini.segments import Change, SegmentDelta, SegmentEnd, SegmentStart

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class TerminalView:
    """Prints one reply."""

    def __init__(self, reply: Reply) -> None:
        """Print nothing yet."""
        self._reply = reply
        self._colour = sys.stdout.isatty()

    def open(self) -> None:
        """Print nothing: the cursor waits."""

    def apply(self, changes: list[Change]) -> None:
        """Print what is new."""
        for change in changes:
            match change:
                case SegmentStart(_, "thought"):
                    self._print(f"{_DIM if self._colour else ''}· thinking\n")
                case SegmentStart(_, kind, content) if content is not None:
                    self._print(f"[{kind}] {harmless(str(content))[:500]}")
                case SegmentDelta(_, text):
                    self._print(harmless(text))
                case SegmentEnd():
                    self._print(f"{_PLAIN if self._colour else ''}\n")
        sys.stdout.flush()

    async def finish(self) -> None:
        """Print the status line."""
        line = harmless(" · ".join(filter(None, (badge_text(self._reply), status_text(self._reply)))))
        self._print(f"{_DIM}— {line}{_PLAIN}\n" if self._colour else f"— {line}\n")
        sys.stdout.flush()

    @staticmethod
    def _print(text: str) -> None:
        sys.stdout.write(text)
