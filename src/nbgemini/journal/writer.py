"""What writes to a journal's file: former exchanges at once, and replies from now on, ten times a second while they grow.

Invariants: nobody waits for the disk unless they ask to; a locked file costs the record of the newest prompts, which are
counted, never an answer and never memory without end; trouble that does not pass ends the writing, and is told in one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeAlias

from nbgemini._storage.sqlite import LockedError, wipe
from nbgemini._storage.sqlite_worker import SqliteWorker
from nbgemini.chat.reply import Reply
from nbgemini.journal.recorder import ReplyRecorder
from nbgemini.journal.schema import JournalFile

Write: TypeAlias = Callable[[Connection], object]

_EVERY = 0.1  # seconds between two looks at what came
_LEAVING = 2.0  # seconds that closing waits for the disk
_MOST = 10_000  # writes that wait for a locked file
_WAY_OUT = '%config Gemini.journal = "FILE" begins another one'


class JournalWriter:
    """The writer of one file.

    Attributes:
        recorder: what it writes of replies; for writes alone.
        ended: whether it takes nothing more.
    """

    def __init__(self, path: Path, recorder: ReplyRecorder, tell: Callable[[str], object]) -> None:
        """Begin with the first write; `tell` is called in the writing thread with a line about what goes wrong."""
        self.recorder = recorder
        self.ended = False
        self._path = path
        self._tell = tell
        self._failed = False
        self._dropped = 0
        self._look_is_due = False
        self._worker = SqliteWorker(
            partial(JournalFile, path),
            "nbgemini journal",
            on_damage=lambda error, aside: tell(
                f"the journal {path} is damaged ({error}); it was moved to {aside.name}, a new one begins"
            ),
            on_reset=recorder.begin_anew,
            persistent=True,
        )

    def follow(self, reply: Reply) -> None:
        """Write a reply down from now on to its end."""
        began = time.time()
        if self._worker.pending < _MOST:
            self.put(lambda _: self.recorder.add(reply, began))
            return
        self._dropped += 1
        if self._dropped == 1:
            self._tell(f"the journal {self._path} is kept locked by another program; new prompts are not written to it")

    def put(self, write: Write) -> None:
        """Write this in its turn, and what came of replies by then."""
        self._submit(write)
        self._look_soon()

    def wipe(self) -> None:
        """Remove deleted text from the disk, once what was put before is written."""
        self._worker.read(wipe)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put or came is written; return whether it is, or never will be.

        A locked file is not waited for twice.
        """
        if self._failed:
            return True
        written = self._submit(self.recorder.look)
        try:
            written.exception(0 if self._worker.locked else timeout)
        except FutureTimeoutError:
            return False
        return True

    def retire(self) -> None:
        """Take no new replies, and end once those that grow are over and written."""
        self.ended = True
        self._submit(self.recorder.look)

    def close(self) -> None:
        """Write what is left and end; harmless twice."""
        if not self.ended:
            self.retire()
        self._worker.close(_LEAVING)

    def _look_soon(self, after: float = 0.0) -> None:
        """Look at what came, unless that is about to happen."""
        if not self._look_is_due:
            self._look_is_due = True
            self._submit(self._look, after)

    def _look(self, connection: Connection) -> None:
        self._look_is_due = False
        self.recorder.look(connection)

    def _submit(self, write: Write, after: float = 0.0) -> Future[Any]:
        done = self._worker.write(lambda connection: None if self._failed else write(connection), after)
        done.add_done_callback(self._settle)
        return done

    def _settle(self, done: Future[Any]) -> None:
        """Take in, in the writing thread, how a write ended."""
        error = done.exception()
        if error is None and not self._failed:
            self.recorder.let_go()
            self._tell_dropped()
            if len(self.recorder):
                self._look_soon(_EVERY)
        elif error is not None and not self._failed and not isinstance(error, LockedError):
            self._failed = True
            self._tell(f"nothing is written to the journal {self._path} from here on: {error} → {_WAY_OUT}")
        if self.ended and (self._failed or not len(self.recorder)):
            self._worker.close()

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._tell(f"{self._dropped} prompts were not written to the journal {self._path}, which was locked")
            self._dropped = 0
