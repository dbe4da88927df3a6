"""A reply in a plain terminal: thoughts dim, answers as rendered Markdown, the status last.

Rule: where rows can be written again, the reply is printed as rendered blocks; anywhere else, text exactly as it arrives and
without any escape code.
Invariant: nothing of the model's is printed but through `harmless`.
"""

from __future__ import annotations

import sys

from nbgemini.chat.reply import Reply
from nbgemini.chat.status_text import badge_text, doing_text, misfit_text, status_text
from nbgemini.messages.segments import Change, SegmentDelta, SegmentEnd, SegmentStart, SegmentUpdate
from nbgemini.notebook.terminal.live_region import Screen, takes_rows, write_text
from nbgemini.notebook.terminal.printer import Printing
from nbgemini.notebook.terminal.segment_text import Lines, call_text
from nbgemini.render.escape import harmless


class TerminalView:
    """Shows one reply."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._way: Printing | Plain = Printing(Screen(sys.stdout), self._doing, reply.options) if takes_rows() else Plain()

    def open(self) -> None:
        """Show a first sign of life, where it can be taken back."""
        self._way.open()

    def apply(self, changes: list[Change]) -> None:
        """Take in what is new."""
        for change in changes:
            self._way.take(change)
        self._way.paint()

    def _doing(self) -> str:
        return "" if self._reply.done else doing_text(self._reply)

    async def finish(self) -> None:
        """Show all that is left and the status line."""
        line = " · ".join(filter(None, (badge_text(self._reply), status_text(self._reply))))
        misfit = misfit_text(self._reply)
        await self._way.finish(f"— {harmless(line)}\n" + (f"⚠ {harmless(misfit)}\n" if misfit else ""))


class Plain:
    """Text exactly as it arrives."""

    def __init__(self) -> None:
        self._open = False
        self._lines = Lines()

    def open(self) -> None:
        """Print nothing: the cursor waits."""

    def take(self, change: Change) -> None:
        """Print what is new."""
        self._open = isinstance(change, SegmentDelta)
        match change:
            case SegmentStart(_, "thought"):
                write_text(sys.stdout, "· thinking\n")
            case SegmentStart(_, "tool_call", content) | SegmentUpdate(_, content):
                if text := call_text(content):
                    write_text(sys.stdout, f"{text}\n")
            case SegmentStart(_, _, content) if content is not None:
                write_text(sys.stdout, self._lines.of(content))
            case SegmentDelta(_, text):
                write_text(sys.stdout, harmless(text))
            case SegmentEnd():
                write_text(sys.stdout, "\n")

    def paint(self) -> None:
        """Let it be seen."""
        sys.stdout.flush()

    async def finish(self, line: str) -> None:
        """Print the last line."""
        write_text(sys.stdout, f"\n{line}" if self._open else line)  # a segment that was stopped has no end
        sys.stdout.flush()
