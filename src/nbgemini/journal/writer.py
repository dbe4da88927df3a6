"""What writes to a journal's file: former exchanges at once, and replies from now on, ten times a second while they grow.

Invariants: nobody waits for the disk unless they ask to; a locked file costs the record of the newest prompts, which are
counted, never an answer and never memory without end; trouble that does not pass ends the writing, and is told in one line.
What is written last, when a reply is over, is exact; nothing counts as written before its transaction is committed; a forgotten
or replaced exchange takes no more text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, TimeoutError as FutureTimeoutError
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeAlias
from uuid import uuid4

from msgspec import Struct, field

from nbgemini._storage.sqlite import Database, LockedError, wipe
from nbgemini._storage.sqlite_worker import SqliteWorker
from nbgemini.chat.reply import Reply
from nbgemini.journal import schema
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Turn

Write: TypeAlias = Callable[[Connection], object]

_EVERY = 0.1  # seconds between two looks at what came
_LEAVING = 2.0  # seconds that closing waits for the disk
_MOST = 10_000  # writes that wait for a locked file
_WAY_OUT = '%config Gemini.journal = "FILE" begins another one'


class JournalWriter:
    """The writer of one file."""

    def __init__(self, path: Path, recorder: ReplyRecorder, tell: Callable[[str], object]) -> None:
        """Begin with the first write; `tell` is called in the writing thread with a line about what goes wrong."""
        self.recorder = recorder  # what it writes of replies; for writes alone
        self.ended = False  # whether it takes nothing more
        self._path = path
        self._tell = tell
        self._failed = False
        self._dropped = 0
        self._look_is_due = False
        self._worker = SqliteWorker(
            partial(Database, path, schema.SCHEMA, schema.VERSION),
            "journal",
            tell,
            on_reset=recorder.begin_anew,
            persistent=True,
        )
        self._worker.before_exit = lambda: self._submit(recorder.look)

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

        def look(connection: Connection) -> None:
            self._look_is_due = False
            self.recorder.look(connection)

        if not self._look_is_due:
            self._look_is_due = True
            self._submit(look, after)

    def _submit(self, write: Write, after: float = 0.0) -> Future[Any]:
        done = self._worker.write(lambda connection: None if self._failed else write(connection), after)
        done.add_done_callback(self._settle)
        return done

    def _settle(self, done: Future[Any]) -> None:
        """Take in, in the writing thread, how a write ended."""
        error = done.exception()
        if error is None and not self._failed:
            self.recorder.let_go()
            if self._dropped:
                self._tell(f"{self._dropped} prompts were not written to the journal {self._path}, which was locked")
                self._dropped = 0
            if len(self.recorder) and not self._worker.closed:
                self._look_soon(_EVERY)
        elif error is not None and not self._failed and not isinstance(error, LockedError):
            self._failed = True
            self._tell(f"nothing is written to the journal {self._path} from here on: {error} → {_WAY_OUT}")
        if self.ended and (self._failed or not len(self.recorder)):
            self._worker.close()


class _Written(Struct, eq=False):
    """How much of one reply is written: its request alone, or what was asked, whole turns, and parts of the next."""

    began: float
    with_text: bool
    key: str = field(default_factory=lambda: uuid4().hex)
    over: bool = False
    asked: bool = False
    turns: int = 0
    parts: int = 0

    def begin_anew(self) -> None:
        """Count nothing as written."""
        self.over = self.asked = False
        self.turns = self.parts = 0


class ReplyRecorder:
    """The replies that still grow."""

    def __init__(self, notebook: str, session: str) -> None:
        self.notebook = notebook
        self.session = session
        self._growing: dict[Reply, _Written] = {}

    def __len__(self) -> int:
        return len(self._growing)

    def add(self, reply: Reply, began: float) -> None:
        """Write this reply down from the next look on; it takes the place of an earlier one of the same number."""
        self._let_go(reply.chat, reply.turn)
        self._growing[reply] = _Written(began, reply.chat is not None)

    def forget(self, connection: Connection, chat: str) -> None:
        """Delete all that this notebook's kernels wrote of a chat; what still runs there takes no more text."""
        self._let_go(chat)
        schema.delete_exchanges(connection, "notebook=? AND chat=?", self.notebook, chat)

    def take_over(self, connection: Connection, chat: str) -> None:
        """Delete what former kernels of the notebook wrote of a chat."""
        schema.delete_exchanges(connection, "notebook=? AND session<>? AND chat=?", self.notebook, self.session, chat)

    def replace(self, connection: Connection, chat: str, exchanges: Sequence[Exchange]) -> None:
        """Write these down as all that this kernel has of a chat; those of them that still grow are followed on."""
        going = {reply.exchange: growth for reply, growth in self._growing.items() if growth.with_text and reply.chat == chat}
        self._let_go(chat)
        schema.delete_exchanges(connection, "notebook=? AND session=? AND chat=?", self.notebook, self.session, chat)
        for number, exchange in enumerate(exchanges):
            if exchange in going:
                going[exchange].with_text = True
                going[exchange].begin_anew()
                continue
            row = (uuid4().hex, self.notebook, self.session, chat, number, exchange.cell, time.time())
            schema.insert_exchange(connection, row, exchange)
            schema.close_exchange(connection, row[0], exchange)

    def look(self, connection: Connection) -> None:
        """Write what came since the last look."""
        for reply, growth in self._growing.items():
            if growth.over:
                continue  # its end is written, in this transaction
            growth.over = reply.done  # asked first: what comes after that is for the next look
            if growth.with_text:
                self._write(connection, reply, growth)
            if growth.over:
                schema.insert_request(connection, self.notebook, growth.began, reply)

    def let_go(self) -> None:
        """Let go of those that are over, once the transaction that holds their end is committed."""
        self._growing = {reply: growth for reply, growth in self._growing.items() if not growth.over}

    def begin_anew(self) -> None:
        """Write everything of those that still grow once more: what was written may be lost."""
        for growth in self._growing.values():
            growth.begin_anew()

    def _write(self, connection: Connection, reply: Reply, growth: _Written) -> None:
        if not growth.asked:
            place = (self.notebook, self.session, reply.chat, reply.turn)
            schema.delete_exchanges(connection, "notebook=? AND session=? AND chat=? AND number=?", *place)
            row = (growth.key, *place, reply.exchange.cell, growth.began)
            schema.insert_exchange(connection, row, reply.exchange)
            growth.asked = True
        if growth.over:
            schema.close_exchange(connection, growth.key, reply.exchange)
        else:
            _write_news(connection, reply.exchange, growth)

    def _let_go(self, chat: str | None, number: int | None = None) -> None:
        for reply, growth in self._growing.items():
            if reply.chat == chat and number in (None, reply.turn):
                growth.with_text = False


def _write_news(connection: Connection, exchange: Exchange, growth: _Written) -> None:
    past = exchange.past[growth.turns :]
    if past:
        schema.delete_turns(connection, growth.key, growth.turns)
        for turn in past:
            schema.add_parts(connection, growth.key, growth.turns, turn)
            growth.turns, growth.parts = growth.turns + 1, 0
    parts = exchange.parts[growth.parts :]
    if parts:
        schema.add_parts(connection, growth.key, growth.turns, Turn("model", tuple(parts)))
        growth.parts += len(parts)
