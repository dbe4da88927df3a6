"""A terminal's screen: text that scrolls up for good, and below it the only rows that are ever written again.

Rule: whoever prints while rows stand there comes by the screen, which puts it above them.
Invariants: the rows begin at the start of a line, and the cursor rests at the start of the line below them; a row that is wider
than was reckoned is clipped, so that the count of rows stays true; the rows never fill the terminal, since some keep a whole
screen that is erased; the streams are given back as they were found.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from itertools import takewhile
from threading import RLock
from typing import Any

_CLIP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_ERASE_BELOW = "\r\x1b[J"
_KEPT_FREE = 3  # lines: the cursor's, a gap, and one on top


class Screen:
    """What one reply shows on a terminal."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._rows: list[str] = []  # as they are on the screen
        self._wanted: list[str] = []
        self._mid_line = False  # whether a line of ours is begun
        self._stray = False  # whether a line of another's is
        self._lock = RLock()
        self._others: list[tuple[str, Any]] = []

    def size(self) -> tuple[int, int]:
        """Return how many columns may be filled and how many rows there may be."""
        try:
            columns, lines = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError):
            columns, lines = 0, 0
        return max(1, (columns or 80) - 1), max(0, (lines or 24) - _KEPT_FREE)

    def mid_line_after(self, text: str) -> bool:
        """Say whether a line will be begun and not ended once this is put."""
        return not text.endswith("\n") if text else self._mid_line

    def put(self, text: str, rows: list[str]) -> None:
        """Print text for good where the rows stood, and show new rows below it."""
        with self._lock:
            text += "\n" if rows and self.mid_line_after(text) else ""
            if text or rows != self._rows:
                kept = 0 if text else _common(self._rows, rows)
                ended = "\n" if self._stray else ""
                changed = "".join(f"{row}\n" for row in rows[kept:])
                self._send(self._back_to(kept) + ended + text + (f"{_CLIP}{changed}{_WRAP}" if changed else ""))
                self._mid_line, self._stray = self.mid_line_after(text), False
            self._rows = self._wanted = rows

    def print_above(self, text: str, out: Any) -> None:
        """Print what another wrote, above the rows."""
        with self._lock:
            self._send(self._back_to(0) + ("\n" if self._mid_line else ""))
            self._rows, self._mid_line = [], False
            write_text(out, text)
            out.flush()
            self._stray = not text.endswith("\n")
            if not self._stray:
                self.put("", self._wanted)

    def take_over(self) -> None:
        """Let all that is printed come by here."""
        for name in ("stdout", "stderr"):
            out = getattr(sys, name)
            if _is_terminal(out):
                self._others.append((name, out))
                setattr(sys, name, Above(self, out))

    def give_back(self) -> None:
        """Let the others print for themselves again."""
        for name, out in self._others:
            if isinstance(getattr(sys, name), Above):
                setattr(sys, name, out)
        self._others.clear()

    def _back_to(self, kept: int) -> str:
        up = len(self._rows) - kept
        return (f"\x1b[{up}A" if up else "") + (_ERASE_BELOW if self._rows else "")

    def _send(self, text: str) -> None:
        write_text(self._out, text)
        self._out.flush()


class Above:
    """Stands in for a stream, `out`, while rows may change below what it prints."""

    def __init__(self, screen: Screen, out: Any) -> None:
        self._screen = screen
        self._out = out

    def write(self, text: str) -> int:
        """Print above the rows."""
        if text:
            self._screen.print_above(text, self._out)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Print above the rows."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        """Be the stream in all else."""
        return getattr(self._out, name)


def takes_rows() -> bool:
    """Say whether rows can be written again here; where one reply does that, another's is printed above it."""
    known = os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    return known and _is_terminal(sys.stdout) and not isinstance(sys.stdout, Above)


def write_text(out: Any, text: str) -> None:
    """Write text; what the terminal's encoding lacks becomes a question mark."""
    try:
        out.write(text)
    except UnicodeEncodeError:
        out.write(text.encode(out.encoding, "replace").decode(out.encoding))


def _is_terminal(out: Any) -> bool:
    return bool(out is not None and out.isatty())


def _common(some: Sequence[str], others: Sequence[str]) -> int:
    """Return how many rows they both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))
