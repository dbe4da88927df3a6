"""A store in a file that all kernels share.

Invariants: the loop never waits for the disk: one thread has the file open; what was used least recently goes first, in steps
so short that nobody waits long behind them; a damaged file is moved aside, and a new one begins; a clock that goes back makes
nothing live longer than its time from now.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from nbgemini._storage.sqlite import Database, is_damage
from nbgemini.cache.base import Limits, Size

T = TypeVar("T")

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, used INTEGER, until REAL, size INTEGER, value BLOB);
CREATE INDEX IF NOT EXISTS entry_used ON entry (used, size);
CREATE INDEX IF NOT EXISTS entry_until ON entry (until, size);
CREATE TABLE IF NOT EXISTS total (entries INTEGER, bytes INTEGER);
INSERT INTO total SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM total)
"""
_PATIENCE = 0.15  # seconds for another kernel's write
_STEP = 100  # entries that are deleted at once

_READ = "SELECT value, until FROM entry WHERE key=?"
_TOUCH = "UPDATE entry SET used=(SELECT MAX(used) FROM entry)+1, until=MIN(until, ?) WHERE key=?"
_INSERT = "INSERT INTO entry VALUES (?, (SELECT COALESCE(MAX(used), 0) FROM entry)+1, ?, ?, ?)"
_OLDEST = "SELECT key, size FROM entry ORDER BY used LIMIT ?"
_EXPIRED = "SELECT key, size FROM entry WHERE until<=? LIMIT ?"
_TOTAL = "SELECT entries, bytes FROM total"
_COUNT = "UPDATE total SET entries=entries+?, bytes=bytes+?"


class SqliteStore:
    """One file, as one process uses it."""

    patience = 1.0  # a disk that is busy is worth more than the service

    def __init__(
        self, path: Path, limits: Limits, tell: Callable[[str], object], clock: Callable[[], float] = time.time
    ) -> None:
        """Open nothing yet; `tell` hears of a file that was moved aside."""
        self.where = str(path)
        self.bound = f"the {limits.entries:,} used last, {limits.bytes >> 20:,} MB at most"
        self._path = path
        self._limits = limits
        self._tell = tell
        self._clock = clock
        self._process = os.getpid()
        self._file = self._new_file()
        self._thread: ThreadPoolExecutor | None = None

    async def prepare(self) -> None:
        """Nothing is loaded."""

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a name."""
        found = await self._done(lambda connection: connection.execute(_READ, (key,)).fetchone())
        if found is None:
            return None
        value, until = found
        now = self._clock()
        if not isinstance(value, bytes) or not isinstance(until, float) or until <= now:
            await self.drop(key)
            return None
        self._submit(self._writing(lambda connection: connection.execute(_TOUCH, (now + self._limits.seconds, key))))
        return value

    async def put(self, key: str, value: bytes) -> None:
        """Keep this."""
        until = self._clock() + self._limits.seconds

        def put(connection: Connection) -> None:
            _delete(connection, connection.execute("SELECT key, size FROM entry WHERE key=?", (key,)).fetchall())
            connection.execute(_INSERT, (key, until, len(value), value))
            connection.execute(_COUNT, (1, len(value)))

        await self._done(self._writing(put))
        await self._trim()

    async def drop(self, key: str) -> None:
        """Keep nothing under this name."""
        found = "SELECT key, size FROM entry WHERE key=?"
        await self._done(self._writing(lambda connection: _delete(connection, connection.execute(found, (key,)).fetchall())))

    async def clear(self) -> int:
        """Keep nothing, on the disk too."""

        def clear(connection: Connection) -> int:
            (count, _) = connection.execute(_TOTAL).fetchone()
            connection.execute("DELETE FROM entry")
            connection.execute("UPDATE total SET entries=0, bytes=0")
            return int(count)

        count = await self._done(self._writing(clear))
        await self._done(lambda _: self._file.wipe())
        return count or 0

    async def size(self) -> Size:
        """Return how much is kept, now that what was kept for too long is gone."""
        now = self._clock()

        def expire(connection: Connection) -> int:
            return _delete(connection, connection.execute(_EXPIRED, (now, _STEP)).fetchall())

        while await self._done(self._writing(expire)) == _STEP:
            pass
        return Size(*await self._done(lambda connection: connection.execute(_TOTAL).fetchone()))

    async def aclose(self) -> None:
        """Close the file; it is opened again when somebody asks."""
        thread, self._thread = self._thread, None
        if thread is not None and self._process == os.getpid():
            thread.submit(self._file.close)
            await asyncio.to_thread(thread.shutdown)

    async def _trim(self) -> None:
        """Delete what was used least recently, until the rest fits; whoever wants to read comes in between."""
        while await self._done(self._writing(self._step)):
            pass

    def _step(self, connection: Connection) -> bool:
        """Delete a few; return whether there is more to do."""
        entries, size = connection.execute(_TOTAL).fetchone()
        doomed = []
        for key, bytes_ in connection.execute(_OLDEST, (_STEP,)).fetchall():
            if entries <= self._limits.entries and size <= self._limits.bytes:
                break
            doomed.append((key, bytes_))
            entries, size = entries - 1, size - bytes_
        return _delete(connection, doomed) == _STEP

    async def _done(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._submit(work))

    def _submit(self, work: Callable[[Connection], T]) -> Future[T]:
        if self._process != os.getpid():  # forked: thread and connection are the parent's
            self._process, self._file, self._thread = os.getpid(), self._new_file(), None
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="nbgemini-cache")
        return self._thread.submit(self._sound, work)

    def _sound(self, work: Callable[[Connection], T]) -> T:
        """Do this in the thread, in a new file if this one is damaged."""
        try:
            return self._open_for(work)
        except Exception as error:
            if not is_damage(error):
                raise
            aside = self._file.move_aside()
            if aside:
                self._tell(f"the cache {self._path} is damaged ({error}); it was moved to {aside.name}, a new one begins")
        return self._open_for(work)

    def _open_for(self, work: Callable[[Connection], T]) -> T:
        if self._file.stale:
            self._open()
        return work(self._file.connection)

    def _open(self) -> None:
        self._file.close()
        try:
            self._file.open()
            self._make_tables()
        except Exception as error:
            if not is_damage(error):
                self._file.close()  # it may be as it should be the next time
            raise

    def _make_tables(self) -> None:
        connection = self._file.begin()
        if connection is None:
            raise TimeoutError("another program keeps the file locked")
        self._file.commit(connection)

    def _writing(self, work: Callable[[Connection], T]) -> Callable[[Connection], T | None]:
        """Return this as a transaction; None comes of it while another program keeps the file locked: it is only a cache."""

        def write(connection: Connection) -> T | None:
            if self._file.begin() is None:
                return None
            try:
                done = work(connection)
                self._file.commit(connection)
            except BaseException:
                with suppress(Exception):  # a full disk may have ended it already
                    connection.rollback()
                raise
            return done

        return write

    def _new_file(self) -> Database:
        return Database(self._path, _SCHEMA, _VERSION, patience=_PATIENCE)


def _delete(connection: Connection, doomed: list[tuple[str, int]]) -> int:
    """Delete these entries and return how many they are."""
    connection.executemany("DELETE FROM entry WHERE key=?", [(key,) for key, _ in doomed])
    if doomed:
        connection.execute(_COUNT, (-len(doomed), -sum(size for _, size in doomed)))
    return len(doomed)
