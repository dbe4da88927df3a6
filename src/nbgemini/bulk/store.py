"""The answers of maps on disk, so that no finished row is ever paid for twice, even if the process is killed.

Invariants: an answer counts as stored only when it would survive a kill; answers that wait are written in one transaction; the
loop never waits for the disk. Prompts are not stored: a row is known by the hash of its request, and equal rows of one map by
their number among themselves.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from nbgemini._storage.sqlite import Database, LockedError, NewerError
from nbgemini._storage.sqlite_worker import SqliteWorker
from nbgemini.errors import ConfigurationError
from nbgemini.messages.turns import Usage

RowKey: TypeAlias = tuple[str, int]  # the hash of a row's request, and its number among equal rows
T = TypeVar("T")

KEPT_FOR = 30 * 24 * 3600.0  # seconds
MOST_BYTES = 256 * 1024 * 1024  # of answers
_PATIENCE = 30.0  # seconds to wait for another process's write
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answer (key TEXT, n INTEGER, at REAL, size INTEGER, came BLOB, PRIMARY KEY (key, n));
CREATE INDEX IF NOT EXISTS answer_at ON answer (at)
"""
_FIND = "SELECT came FROM answer WHERE key=? AND n=?"
_INSERT = "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)"
_OLD = "DELETE FROM answer WHERE at<?"
_TOO_MUCH = (
    "DELETE FROM answer WHERE rowid IN"
    " (SELECT rowid FROM (SELECT rowid, SUM(size) OVER (ORDER BY at DESC, rowid DESC) AS sum FROM answer) WHERE sum>?)"
)


class StoredAnswer(Struct, frozen=True):
    """One answer as it is stored; `cost` is in USD."""

    text: str
    state: str
    note: str
    usage: Usage
    cost: float | None
    seconds: float
    badge: str = ""


class RowStore:
    """One file of answers; what it can't do is a ConfigurationError that names the file."""

    def __init__(self, path: Path, *, kept_for: float = KEPT_FOR, most_bytes: int = MOST_BYTES) -> None:
        """Open nothing yet; opening deletes answers older than `kept_for` seconds, and the oldest beyond `most_bytes`."""
        self.path = path
        self._kept_for = kept_for
        self._most_bytes = most_bytes
        database = partial(Database, path, _SCHEMA, _VERSION, patience=_PATIENCE)
        self._worker = SqliteWorker(database, "store of maps", logging.getLogger("nbgemini").warning)

    async def open(self) -> None:
        """Open the file and create it if there is none."""

        def tidy(connection: Connection) -> None:
            connection.execute(_OLD, (time.time() - self._kept_for,))
            connection.execute(_TOO_MUCH, (self._most_bytes,))

        await self._done(self._worker.write(tidy))

    async def find(self, keys: Sequence[RowKey]) -> dict[RowKey, StoredAnswer]:
        """Return the stored answers of these rows."""

        def find(connection: Connection) -> dict[RowKey, StoredAnswer]:
            found = ((key, connection.execute(_FIND, key).fetchone()) for key in keys)
            return {key: msgspec.json.decode(row[0], type=StoredAnswer) for key, row in found if row is not None}

        return await self._done(self._worker.read(find)) if keys else {}

    async def keep(self, key: RowKey, answer: StoredAnswer) -> None:
        """Return when the answer is on disk."""
        encoded = msgspec.json.encode(answer)
        row = (*key, time.time(), len(encoded), encoded)
        await self._done(self._worker.write(lambda connection: connection.execute(_INSERT, row)))

    async def aclose(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self._worker.close, None)

    async def _done(self, future: Future[T]) -> T:
        try:
            return await asyncio.wrap_future(future)
        except (OSError, sqlite3.Error, NewerError, LockedError, msgspec.MsgspecError) as error:
            raise ConfigurationError(f"{self.path} can't store the rows of a map: {error} → store=FILE names another") from None
