"""The record of one kernel: what follows its replies, and what a later kernel of the same notebook finds.

Invariants: the loop never waits for the disk; what arrived is on disk 0.1 s later, so that a killed kernel loses next to
nothing; a file that can't be used costs the record, never an answer, and is told once. What a process does after a fork is a
record of its own. Newer means written later: clocks go back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from nbgemini._storage.sqlite import check_integrity, is_damage, read_rows
from nbgemini.chat.reply import Reply
from nbgemini.journal.schema import ASKED, CAME, CHATS, REQUEST, VERSION, exchanges_of
from nbgemini.journal.writer import JournalWriter, ReplyRecorder
from nbgemini.messages.transcript import Exchange

_PATIENCE = 5.0  # seconds for who asks until all is written
_GLANCE = 0.2  # the same for who reads on the loop
_log = logging.getLogger("nbgemini")


class Journal:
    """The record of one kernel in a file that all kernels share."""

    def __init__(self, path: Path, notebook: str) -> None:
        """Write to `path`, for this notebook; nothing is opened before the first prompt."""
        self.path = path
        self.notebook = notebook  # what the chats are found by
        self.trouble = ""  # the last line told about what went wrong
        self._process = os.getpid()
        self._session = uuid4().hex
        self._writer: JournalWriter | None = None

    def follow(self, reply: Reply) -> None:
        """Write down a reply from now on to its end."""
        self._writing().follow(reply)

    def flush(self, timeout: float = _PATIENCE) -> bool:
        """Wait until all is written; return whether it is, or whether nothing ever will be."""
        return self._writer is None or self._writer.flush(timeout)

    async def saved(self) -> None:
        """Return when what came so far is written; the loop goes on meanwhile."""
        await asyncio.to_thread(self.flush, 1.0)

    def retire(self) -> None:
        """Write the followed replies to their ends, and end then; nobody waits."""
        if self._writer is not None:
            self._writer.retire()

    def close(self) -> None:
        """Write what is left and end; harmless twice."""
        if self._writer is not None:
            self._writer.close()

    def forget(self, chat: str) -> None:
        """Delete all that this and former kernels of the notebook wrote of a chat, from the disk too."""
        if self._writer is None and not self.path.exists():
            return
        writer = self._writing()
        writer.put(lambda connection: writer.recorder.forget(connection, chat))
        writer.wipe()

    def replace(self, chat: str, exchanges: Sequence[Exchange]) -> None:
        """Write these down as all that this kernel has of a chat."""
        writer, mine = self._writing(), list(exchanges)
        writer.put(lambda connection: writer.recorder.replace(connection, chat, mine))

    def adopt(self, chat: str, exchanges: Sequence[Exchange], former: str = "") -> None:
        """Write down as this kernel's `chat` what former kernels had, who have it no more; they called it `former`."""
        writer, mine = self._writing(), list(exchanges)

        def take_over(connection: sqlite3.Connection) -> None:
            writer.recorder.take_over(connection, former or chat)
            writer.recorder.replace(connection, chat, mine)

        writer.put(take_over)

    def chats(self) -> list[tuple[str, int, float]]:
        """Return name, number of exchanges and time of the last one for every chat of this notebook's former kernels."""
        return self._read(CHATS, (self.notebook, self._session))

    def exchanges(self, chat: str) -> list[Exchange]:
        """Return what the newest former kernel asked in a chat and what came."""
        place = (self.notebook, chat, self.notebook, chat, self._session)
        return exchanges_of(self._read(ASKED, place), self._read(CAME, place))

    def requests(self, count: int) -> list[dict[str, Any]]:
        """Return the last requests of all notebooks, newest first."""
        return self._requests("ORDER BY rowid DESC LIMIT ?", count)

    def requests_since(self, at: float) -> list[dict[str, Any]]:
        """Return the requests of all notebooks that began at this time or later, oldest first."""
        return self._requests("WHERE at>=? ORDER BY rowid", at)

    def _requests(self, which: str, value: float) -> list[dict[str, Any]]:
        rows = self._read(f"SELECT {', '.join(REQUEST)} FROM request {which}", (value,))  # noqa: S608 - our own words
        return [dict(zip(REQUEST, row, strict=True)) for row in rows]

    def _writing(self) -> JournalWriter:
        if self._process != os.getpid():  # forked: the thread and its connection are the parent's
            self._process, self._session, self._writer = os.getpid(), uuid4().hex, None
        if self._writer is None or self._writer.ended:
            self._writer = JournalWriter(self.path, ReplyRecorder(self.notebook, self._session), self._tell)
        return self._writer

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        self.flush(_GLANCE)
        try:
            return read_rows(self.path, VERSION, query, values)
        except sqlite3.Error as error:
            if is_damage(error):
                self._writing().put(check_integrity)  # moves it aside
            return []

    def _tell(self, trouble: str) -> None:
        self.trouble = trouble
        _log.warning(trouble)
