"""The answers of maps on disk, so that no row that is finished is ever paid twice, even if the process is killed.

Invariants: an answer counts as kept only when it would survive a kill; all that wait are written in one transaction; the loop
never waits for the disk. Prompts are not kept: a row is known by the hash of its request, and equal rows of one map by their
number among themselves.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from nbgemini._storage.sqlite import Database, NewerError, is_damage
from nbgemini.errors import ConfigurationError
from nbgemini.messages.turns import Usage

Name: TypeAlias = tuple[str, int]  # of a row: the hash of its request, and its number among equal ones
T = TypeVar("T")

KEPT_FOR = 30 * 24 * 3600.0  # seconds
MOST_BYTES = 256 * 1024 * 1024  # of answers
_PATIENCE = 30.0  # seconds for another process's write
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answer (key TEXT, n INTEGER, at REAL, size INTEGER, came BLOB, PRIMARY KEY (key, n));
CREATE INDEX IF NOT EXISTS answer_at ON answer (at)
"""
_OLD = "DELETE FROM answer WHERE at<?"
_TOO_MUCH = (
    "DELETE FROM answer WHERE rowid IN"
    " (SELECT rowid FROM (SELECT rowid, SUM(size) OVER (ORDER BY at DESC, rowid DESC) AS sum FROM answer) WHERE sum>?)"
)
_log = logging.getLogger("nbgemini")


class Kept(Struct, frozen=True):
    """What is kept of one answer; `cost` is in USD."""

    text: str
    state: str
    note: str
    usage: Usage
    cost: float | None
    seconds: float
    badge: str = ""


class RowStore:
    """One file of answers, open in a thread of its own."""

    def __init__(self, path: Path, *, kept_for: float = KEPT_FOR, most_bytes: int = MOST_BYTES) -> None:
        """Open nothing yet; older answers, and the oldest beyond so many bytes, are dropped when it opens."""
        self.path = path
        self._kept_for = kept_for
        self._most_bytes = most_bytes
        self._database = Database(path, _SCHEMA, _VERSION, patience=_PATIENCE)
        self._thread = ThreadPoolExecutor(1, "nbgemini map")
        self._todo: list[tuple[Name, Kept]] = []
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Open the file; it is made if there is none.

        Raises:
            ConfigurationError: it can't be used.
        """
        await self._in_thread(self._open)

    async def find(self, names: Sequence[Name]) -> dict[Name, Kept]:
        """Return the answers that are kept of these rows.

        Raises:
            ConfigurationError: the file can't be read.
        """
        return await self._in_thread(lambda: dict(self._found(names))) if names else {}

    async def keep(self, name: Name, kept: Kept) -> None:
        """Return when the answer is on disk; whoever comes first writes for all that wait.

        Raises:
            ConfigurationError: it can't be written.
        """
        entry = (name, kept)
        self._todo.append(entry)
        async with self._writing:
            if entry in self._todo:
                todo = list(self._todo)
                await self._in_thread(lambda: self._write(todo))
                del self._todo[: len(todo)]

    async def aclose(self) -> None:
        """Close the file."""
        await self._in_thread(self._database.close)
        self._thread.shutdown(wait=False)

    def _open(self) -> None:
        try:
            self._opened()
        except Exception as error:
            if not is_damage(error):
                raise
            aside = self._database.move_aside()
            _log.warning("%s is damaged (%s); it was moved to %s, a new one begins", self.path, error, aside and aside.name)
            self._opened()

    def _opened(self) -> None:
        self._database.open()
        connection = self._begun()
        connection.execute(_OLD, (time.time() - self._kept_for,))
        connection.execute(_TOO_MUCH, (self._most_bytes,))
        self._database.commit(connection)

    def _found(self, names: Iterable[Name]) -> Iterable[tuple[Name, Kept]]:
        for name in names:
            row = self._database.connection.execute("SELECT came FROM answer WHERE key=? AND n=?", name).fetchone()
            if row is not None:
                yield name, msgspec.json.decode(row[0], type=Kept)

    def _write(self, todo: Sequence[tuple[Name, Kept]]) -> None:
        connection, now = self._begun(), time.time()
        encoded = [(*name, now, msgspec.json.encode(kept)) for name, kept in todo]
        rows = [(key, n, at, len(came), came) for key, n, at, came in encoded]
        connection.executemany("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)", rows)
        self._database.commit(connection)

    def _begun(self) -> sqlite3.Connection:
        connection = self._database.begin()
        if connection is None:
            raise TimeoutError("another program keeps it locked")
        return connection

    async def _in_thread(self, deed: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, deed)
        except (OSError, sqlite3.Error, NewerError, msgspec.MsgspecError) as error:
            raise ConfigurationError(f"{self.path} can't keep the rows of a map: {error} → store=FILE takes another") from None
