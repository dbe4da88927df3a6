"""Terminals: a pseudo-terminal whose bytes are kept and read as a person would, and a plain IPython on one."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import contextmanager
from itertools import pairwise

from nbgemini.messages.events import (
    AnswerDelta,
)
from nbgemini.notebook.terminal.view import TerminalView
from tests.kernel.conftest import PATIENCE
from tests.support.replies import WrittenReply

OURS = re.compile(r"\x1b\[(?:[\d;]*m|\d+A|J|\?7[lh])")  # all that we ever send


def run_ipython(folder, code):
    """Run a script of cells in a plain IPython and return what it printed."""
    script = folder / "script.ipy"
    script.write_text(code)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GEMINI", "GOOGLE"))}
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environ, "IPYTHONDIR": str(folder)},
        check=False,
    )
    return run.stdout + run.stderr


class Terminal:
    """A pseudo-terminal whose bytes are kept, and what a person would see on it."""

    def __init__(self, columns, lines):
        self._main, side = pty.openpty()
        self._columns, self._lines = columns, lines
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.out = os.fdopen(side, "w", encoding="utf-8")
        self._data = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def close(self):
        self.out.close()
        self._reader.join(30)

    def _read(self):
        try:
            while data := os.read(self._main, 65536):
                self._data += data
        except OSError:  # the other side is closed
            pass
        os.close(self._main)

    @property
    def sent(self):
        return self._data.decode()

    @property
    def seen(self):
        """All rows, those that scrolled out too, as a terminal shows them after these bytes."""
        rows, row, column, clips = [""], 0, 0, False
        for token in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|.", self.sent, re.DOTALL):
            top = max(0, len(rows) - self._lines)
            if token == "\r":
                column = 0
            elif token == "\n":
                row += 1
                rows += [""] * (row == len(rows))
            elif token.endswith("A") and len(token) > 1:
                row = max(top, row - int(token[2:-1]))
            elif token == "\x1b[J":
                assert row > top or not top, "a whole screen that is erased may be kept by the terminal"
                rows[row:] = [rows[row][:column]]
            elif token in ("\x1b[?7l", "\x1b[?7h"):
                clips = token.endswith("l")
            elif len(token) == 1:
                if column == self._columns and not clips:
                    row, column = row + 1, 0
                    rows += [""] * (row == len(rows))
                column = min(column, self._columns - 1)
                rows[row] = rows[row][:column].ljust(column) + token + rows[row][column + 1 :]
                column += 1
        assert not clips
        return [line.rstrip() for line in rows]


@contextmanager
def terminal(monkeypatch, columns=80, lines=24):
    """Let stdout and stderr be a terminal."""
    made = Terminal(columns, lines)
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.setattr(sys, "stdout", made.out)
        patch.setattr(sys, "stderr", made.out)
        try:
            yield made
        finally:
            made.close()


def new_reply():
    return WrittenReply()


def show(monkeypatch, steps, *, end=True, **size):
    """What a terminal got of events that came in these steps, each painted at once."""
    with terminal(monkeypatch, **size) as made:
        reply = new_reply()
        view = TerminalView(reply)
        for events in steps:
            view.apply(reply.feed(events))
        changes = reply.end() if end else reply.interrupt()
        view.apply(changes if end else [])
        asyncio.run(view.finish())
    return made


def answer(text, cuts=()):
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    return [[AnswerDelta(text[start:end])] for start, end in pairwise(edges)]


ANSWER = """# Title

A paragraph with **bold**, *emphasis*, `code` and [a link](https://a.example/path).

- one
- two
  1. nested

| a | b |
|---|--:|
| x | 1 |

```python
def f(x):
    return x + 1
```

> quoted

$$
E = mc^2
$$

last $x_1$ line
"""


class IPythonTerminal:
    """A plain IPython on a pseudo-terminal."""

    def __init__(self):
        self.seen = ""
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        command = [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "--no-confirm-exit"]
        self._process = subprocess.Popen(
            command,
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            preexec_fn=_own_terminal,  # noqa: PLW1509 - no threads here
        )
        os.close(side)
        self._main = main
        self._until("In [1]")

    def resize(self, columns, lines):
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, line, *, until, enter=True):
        """Type a line and read until a text comes, or what `until` says of all that has come is true."""
        os.write(self._main, (line + ("\n" if enter else "")).encode())
        self._until(until)

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._main)

    def _until(self, text):
        deadline = time.monotonic() + PATIENCE
        while not (text(self.seen) if callable(text) else text in self.seen):
            assert time.monotonic() < deadline, self.seen
            if select.select([self._main], [], [], 1)[0]:
                self.seen += os.read(self._main, 65536).decode("utf-8", "replace")


def _own_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
