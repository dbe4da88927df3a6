"""One thread that writes to the journal's file: what it is told, and ten times a second what came of the replies it follows.

Invariants: nobody waits for the disk but who asks to; a locked file costs the record of the newest prompts (counted), never an
answer and never memory without end; a damaged file is moved aside once; other trouble ends the writing, in one line.
"""

from __future__ import annotations

import atexit
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from queue import Empty, SimpleQueue
from typing import TypeAlias

from nbgemini._storage.sqlite import is_damage
from nbgemini.chat.reply import Reply
from nbgemini.journal.recorder import Following
from nbgemini.journal.schema import JournalFile

Write: TypeAlias = Callable[[sqlite3.Connection], object]

_EVERY = 0.1  # seconds between looks at what came
_LEAVING = 2.0  # seconds that an ending interpreter waits for the disk
_MOST = 10_000  # prompts that wait for a locked file
_WAY_OUT = '%config Gemini.journal = "FILE" begins another one'


class _Wish(Enum):
    WIPE = "let deleted text vanish"
    RETIRE = "end once nothing grows any more"
    END = "end now"


class Writer:
    """Who writes to one file."""

    def __init__(self, file: JournalFile, following: Following, tell: Callable[[str], object]) -> None:
        """Begin; `tell` is called in the thread with a line about what goes wrong."""
        self._file = file
        self.following = following
        self._tell = tell
        self._queue: SimpleQueue[Write | threading.Event | _Wish] = SimpleQueue()
        self._todo: list[Write | threading.Event | _Wish] = []
        self._dropped = 0
        self._locked = False
        self._moved = False
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name="nbgemini journal", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def ended(self) -> bool:
        """Whether it takes nothing more."""
        return self._leaving or not self._thread.is_alive()

    def follow(self, reply: Reply) -> None:
        """Write a reply down from now on to its end."""
        began = time.time()
        self._put_or_drop(lambda _: self.following.add(reply, began))

    def put(self, write: Write) -> None:
        """Write this in its turn."""
        self._queue.put(write)

    def wipe(self) -> None:
        """Let deleted text vanish from the disk, once what was put before is written."""
        self._queue.put(_Wish.WIPE)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put is written; return whether it is. A locked file is not waited for twice."""
        if not self._thread.is_alive():
            return True
        written = threading.Event()
        self._queue.put(written)
        return written.wait(0 if self._locked else timeout)

    def retire(self) -> None:
        """End by itself, once all replies it follows are over and written."""
        self._leaving = True
        self._queue.put(_Wish.RETIRE)

    def close(self) -> None:
        """Write what is left and end; harmless twice."""
        self._leaving = True
        self._queue.put(_Wish.END)
        self._thread.join(_LEAVING)

    def _put_or_drop(self, write: Write) -> None:
        if self._queue.qsize() + len(self._todo) < _MOST:
            self._queue.put(write)
            return
        self._dropped += 1
        if self._dropped == 1:
            self._tell(f"the journal {self._file.path} is kept locked by another program; new prompts are not written to it")

    def _run(self) -> None:
        try:
            while self._goes_on():
                pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs the record only, and nobody waits for ever
            self._give_up(error)
        finally:
            self._file.close()
            atexit.unregister(self.close)

    def _goes_on(self) -> bool:
        """Write what there is; return whether there will be more."""
        self._take()
        try:
            done = self._written()
        except Exception as error:
            if self._moved or not is_damage(error):
                raise
            self._move_aside(error)
            return True
        ends = _Wish.END in self._todo
        if done:
            self._settle()
        return not ends and not (self._leaving and done and not len(self.following) and self._queue.empty())

    def _take(self) -> None:
        """Wait for something to do, no longer than until the next look at what came, and take all there is."""
        more = self._todo or len(self.following)
        with suppress(Empty):
            self._todo.append(self._queue.get(timeout=_EVERY if more else None))
            while True:
                self._todo.append(self._queue.get_nowait())

    def _written(self) -> bool:
        """Write it all in one transaction; False if the file is locked."""
        if self._file.stale:
            self._file.close()
            self._file.open()
            self.following.begin_anew()
        connection = self._file.begin()
        self._locked = connection is None
        if connection is None:
            return False
        for write in self._todo:
            if callable(write):
                write(connection)
        self.following.look(connection)
        self._file.commit(connection)
        return True

    def _settle(self) -> None:
        """Tell those who wait for what is written now."""
        self.following.written()
        todo, self._todo = self._todo, []
        if _Wish.WIPE in todo:
            self._file.wipe()
        for event in todo:
            if isinstance(event, threading.Event):
                event.set()
        if self._dropped:
            self._tell(f"{self._dropped} prompts were not written to the journal {self._file.path}, which was locked")
            self._dropped = 0

    def _move_aside(self, error: Exception) -> None:
        """Make room for a new file in the place of a damaged one."""
        aside = self._file.move_aside()
        if aside:
            self._moved = True
            self._tell(f"the journal {self._file.path} is damaged ({error}); it was moved to {aside.name}, a new one begins")

    def _give_up(self, error: Exception) -> None:
        self._tell(f"nothing is written to the journal {self._file.path} from here on: {error} → {_WAY_OUT}")
        while True:
            for wish in self._todo:
                if isinstance(wish, threading.Event):
                    wish.set()
                elif wish in (_Wish.END, _Wish.RETIRE):
                    return
            self._todo = [self._queue.get()]
