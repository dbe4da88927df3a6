"""A SQLite file that several kernels share: created private, checked, locked for a moment, moved aside when it is damaged.

A file of a newer version is left alone. SQLite's WAL with synchronous=NORMAL survives a killed process, but needs memory that
all writers share, so a network file system gets a rollback journal instead (sqlite.org/wal.html).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any

_PATIENCE = 1.0  # seconds to wait for another kernel's write
_READING = 0.2  # the same for reads on the event loop; with a WAL they don't wait
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH)
MOUNTS = Path("/proc/self/mounts")
_REMOTE = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "fuse.")


def default_path(name: str) -> Path:
    """Return where a file is unless a setting says otherwise: in Jupyter's data directory."""
    from jupyter_core.paths import jupyter_data_dir  # noqa: PLC0415 - at the first prompt

    return Path(jupyter_data_dir()) / "nbgemini" / name


class DamagedError(Exception):
    """The file can't be used: it is damaged, or another program's."""


class NewerError(Exception):
    """A newer version of nbgemini wrote the file."""


class LockedError(TimeoutError):
    """Another program keeps the file locked."""

    def __str__(self) -> str:
        return "another program keeps it locked"


class Database:
    """One SQLite file, used by one thread."""

    def __init__(self, path: Path, schema: str, version: int, *, mounts: Path = MOUNTS, patience: float = _PATIENCE) -> None:
        """Open nothing yet; `schema` creates the tables and may run again, `patience` is for other kernels' writes."""
        self.path = path
        self._schema = schema
        self._version = version
        self._mounts = mounts
        self._patience = patience
        self._connection: Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._has_tables = False

    def open(self) -> None:
        """Open the file and create it if there is none; raises what `transact` raises, and OSError for its place."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.path.is_symlink():  # it may lead to a file that is not the user's, or precious
            raise OSError(f"{self.path.name} is a symbolic link; give it the path of the file itself")
        if self.path.is_dir():
            raise IsADirectoryError("it is a directory")  # perhaps a precious one: it stays where it is
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        self._identity, self._has_tables = _identity(self.path), False
        self._connection = sqlite3.connect(self.path, timeout=self._patience, isolation_level=None)
        with suppress(LockedError), _locked_if_busy():  # then the file stays as another kernel wants it
            self._check_version(self._connection)  # first: one of another version is not touched
            self._connection.execute(f"PRAGMA journal_mode={'TRUNCATE' if on_network(self.path, self._mounts) else 'WAL'}")
        with _locked_if_busy():
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("PRAGMA secure_delete=ON")  # deleted text does not stay in the file

    def close(self) -> None:
        """Close the file; harmless twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def connection(self) -> Connection:
        """The connection of the open file."""
        if self._connection is None:
            raise sqlite3.ProgrammingError("not open")
        return self._connection

    def transact(self, *steps: Callable[[Connection], Any]) -> list[Any]:
        """Run the steps in one transaction and return their results; if one raises, nothing is written.

        Raises:
            DamagedError, NewerError: the file can't be written to as it is.
            LockedError: another program keeps it locked.
        """
        connection = self.begin()
        try:
            with _locked_if_busy():
                results = [step(connection) for step in steps]
            self.commit()
        except BaseException:
            with suppress(Exception):  # a full disk may have ended the transaction already
                connection.rollback()
            raise
        return results

    def begin(self) -> Connection:
        """Begin a transaction; raises what `transact` raises."""
        connection = self.connection
        with _locked_if_busy():
            connection.execute("BEGIN IMMEDIATE")
            if not self._has_tables:
                self._check_version(connection)
                for statement in self._schema.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={self._version}")
        self._has_tables = True
        return connection

    def commit(self) -> None:
        """End the transaction; with a rollback journal this waits for those who read."""
        while self.connection.in_transaction:
            with suppress(LockedError), _locked_if_busy():
                self.connection.execute("COMMIT")

    @property
    def stale(self) -> bool:
        """Whether the file must be opened: it never was, or the path leads to another file by now."""
        return self._connection is None or _identity(self.path) != self._identity

    def move_aside(self) -> Path | None:
        """Move the file and SQLite's own beside it away; return the new path, or None if another kernel did so already."""
        gone = self.stale  # asked while ours is open: its inode can't be another's meanwhile
        self.close()
        aside = self.path.with_name(f"{self.path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
        if gone or aside.exists():
            return None
        for suffix in ("-wal", "-shm", ""):  # the file itself last: without it the others mean nothing
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(f"{aside}{suffix}")
        return aside

    def _check_version(self, connection: Connection) -> None:
        (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()  # second: another kernel may make both right now
        if version > self._version:
            raise NewerError(f"it was made by a newer nbgemini (version {version}; this one writes {self._version})")
        if tables and version != self._version:
            raise DamagedError(f"version {version}, not {self._version}")


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file can't be used any more, rather than that its place makes trouble."""
    return isinstance(error, DamagedError) or _code(error) in _DAMAGE


def wipe(connection: Connection) -> None:
    """Remove deleted text from SQLite's log too, as far as nobody reads there."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def check_integrity(connection: Connection) -> None:
    """Check the whole file; raise DamagedError if it is damaged."""
    ((found, *_), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
    if found != "ok":
        raise DamagedError(" ".join(str(found).split()))


def read_rows(path: Path, version: int, query: str, values: Sequence[Any]) -> list[Any]:
    """Return the rows of a query; none if there is no file of this version."""
    if path.is_symlink() or not path.is_file():
        return []
    with closing(sqlite3.connect(path, timeout=_READING)) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        return connection.execute(query, values).fetchall() if found == version else []


def on_network(path: Path, mounts: Path = MOUNTS) -> bool:
    """Whether a path lies on a file system that other machines may write to as well, where the system tells."""
    place, longest, kind = path.resolve(), "", ""
    with suppress(OSError, ValueError):  # no such file, or not what it is on Linux
        for line in mounts.read_text("utf-8", "replace").splitlines():
            _, mount, system, *_ = [field.replace("\\040", " ") for field in line.split(" ")]
            if place.is_relative_to(mount) and len(mount) >= len(longest):
                longest, kind = mount, system
    return kind.startswith(_REMOTE)


@contextmanager
def _locked_if_busy() -> Iterator[None]:
    """Raise LockedError for SQLite's own errors about files that other programs use."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if _code(error) in _BUSY:
            raise LockedError from error
        raise


def _code(error: Exception) -> int | None:
    """Return SQLite's primary code for an error; None where it is not SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None
