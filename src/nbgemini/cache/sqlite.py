"""A cache in a file that all kernels share.

Invariants: the loop never waits for the disk; what was used least recently goes first, in steps so short that no read waits
long behind them; a damaged file is moved aside, and a new one begins; a clock that goes back makes no entry live longer than
its time from now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from nbgemini._storage.sqlite import Database, LockedError, wipe
from nbgemini._storage.sqlite_worker import SqliteWorker
from nbgemini.cache.store import Limits, Size, Store

T = TypeVar("T")

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, used INTEGER, until REAL, size INTEGER, value BLOB);
CREATE INDEX IF NOT EXISTS entry_used ON entry (used, size);
CREATE INDEX IF NOT EXISTS entry_until ON entry (until, size);
CREATE TABLE IF NOT EXISTS total (entries INTEGER, bytes INTEGER);
INSERT INTO total SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM total)
"""
_PATIENCE = 0.15  # seconds to wait for another kernel's write
_STEP = 100  # entries deleted at once

_GET = "SELECT value, until FROM entry WHERE key=?"
_FIND = "SELECT key, size FROM entry WHERE key=?"
_TOUCH = "UPDATE entry SET used=(SELECT MAX(used) FROM entry)+1, until=MIN(until, ?) WHERE key=?"
_INSERT = "INSERT INTO entry VALUES (?, (SELECT COALESCE(MAX(used), 0) FROM entry)+1, ?, ?, ?)"
_OLDEST = "SELECT key, size FROM entry ORDER BY used LIMIT ?"
_EXPIRED = "SELECT key, size FROM entry WHERE until<=? LIMIT ?"
_TOTAL = "SELECT entries, bytes FROM total"
_COUNT = "UPDATE total SET entries=entries+?, bytes=bytes+?"


class SqliteStore(Store):
    """One file, as one process uses it."""

    def __init__(
        self, path: Path, limits: Limits, tell: Callable[[str], object], clock: Callable[[], float] = time.time
    ) -> None:
        """Open nothing yet; `tell` is called with one line when a damaged file is moved aside."""
        self.where = str(path)
        self.bound = f"the {limits.entries:,} used last, {limits.bytes >> 20:,} MB at most"
        self._limits = limits
        self._clock = clock
        self._worker = SqliteWorker(partial(Database, path, _SCHEMA, _VERSION, patience=_PATIENCE), "cache", tell)

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key."""
        found = await self._read(lambda connection: connection.execute(_GET, (key,)).fetchone())
        if found is None:
            return None
        value, until = found
        now = self._clock()
        if not isinstance(value, bytes) or not isinstance(until, float) or until <= now:
            await self.drop(key)
            return None
        self._worker.write(lambda connection: connection.execute(_TOUCH, (now + self._limits.seconds, key)))
        return value

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value."""
        until = self._clock() + self._limits.seconds

        def put(connection: Connection) -> None:
            _delete(connection, connection.execute(_FIND, (key,)).fetchall())
            connection.execute(_INSERT, (key, until, len(value), value))
            connection.execute(_COUNT, (1, len(value)))

        await self._write(put)
        while await self._write(self._trim):  # who wants to read comes in between
            pass

    async def drop(self, key: str) -> None:
        """Keep nothing under a key."""
        await self._write(lambda connection: _delete(connection, connection.execute(_FIND, (key,)).fetchall()))

    async def clear(self) -> int:
        """Delete everything, on the disk too."""

        def clear(connection: Connection) -> int:
            (count, _) = connection.execute(_TOTAL).fetchone()
            connection.execute("DELETE FROM entry")
            connection.execute("UPDATE total SET entries=0, bytes=0")
            return int(count)

        count = await self._write(clear)
        await self._read(wipe)
        return count or 0

    async def size(self) -> Size:
        """Return how much is kept, after deleting what has expired."""
        now = self._clock()

        def expire(connection: Connection) -> int:
            return _delete(connection, connection.execute(_EXPIRED, (now, _STEP)).fetchall())

        while await self._write(expire) == _STEP:
            pass
        return Size(*await self._read(lambda connection: connection.execute(_TOTAL).fetchone()))

    async def aclose(self) -> None:
        """Close the file; it is opened again when it is used again."""
        await asyncio.to_thread(self._worker.close, None)

    def _trim(self, connection: Connection) -> bool:
        """Delete a few entries of those used least recently, until the rest fits; return whether there are more to delete."""
        entries, size = connection.execute(_TOTAL).fetchone()
        doomed = []
        for key, bytes_ in connection.execute(_OLDEST, (_STEP,)).fetchall():
            if entries <= self._limits.entries and size <= self._limits.bytes:
                break
            doomed.append((key, bytes_))
            entries, size = entries - 1, size - bytes_
        return _delete(connection, doomed) == _STEP

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._worker.read(work))

    async def _write(self, work: Callable[[Connection], T]) -> T | None:
        """Do this as a transaction; while another program keeps the file locked nothing is done, and None returned."""
        try:
            return await asyncio.wrap_future(self._worker.write(work))
        except LockedError:
            return None


def _delete(connection: Connection, doomed: list[tuple[str, int]]) -> int:
    """Delete these entries and return their number."""
    connection.executemany("DELETE FROM entry WHERE key=?", [(key,) for key, _ in doomed])
    if doomed:
        connection.execute(_COUNT, (-len(doomed), -sum(size for _, size in doomed)))
    return len(doomed)
