"""What ran, when, with what usage and outcome, and what was asked and came: one SQLite file, written by one thread.

Invariants: the loop never waits for the disk; what arrived is on disk 0.1 s later, so that a killed kernel loses next to
nothing; a file that can't be used costs the record, never an answer, and is told once. The key is not among what is known here.
Source: SQLite's WAL with synchronous=NORMAL survives a killed process; several kernels write in turn (busy_timeout).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import msgspec

from nbgemini.reply import Reply
from nbgemini.transcript import Exchange
from nbgemini.turns import Turn

_EVERY = 0.1  # seconds between writes of what came
_PATIENCE = 5.0  # seconds for another kernel's write
_VERSION = 1  # of the tables
_SCHEMA = """
CREATE TABLE IF NOT EXISTS exchange (
  id TEXT PRIMARY KEY, notebook TEXT, session TEXT, chat TEXT, number INTEGER, cell TEXT, at REAL,
  asked BLOB, state TEXT, note TEXT, UNIQUE (notebook, session, chat, number));
CREATE TABLE IF NOT EXISTS came (exchange TEXT, turn INTEGER, role TEXT, parts BLOB);
CREATE INDEX IF NOT EXISTS came_of ON came (exchange, turn);
CREATE TABLE IF NOT EXISTS request (
  at REAL, notebook TEXT, chat TEXT, provider TEXT, model TEXT, state TEXT, error TEXT, offline INTEGER,
  input INTEGER, thought INTEGER, output INTEGER, cached INTEGER, cost REAL, first REAL, seconds REAL);
"""
_REQUEST = (
    *("at", "notebook", "chat", "provider", "model", "state", "error", "offline"),
    *("input", "thought", "output", "cached", "cost", "first", "seconds"),
)
_log = logging.getLogger("nbgemini")


class _Grown:
    """How much of a growing exchange is written."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.turns = 0
        self.parts = 0


_Write = Callable[[sqlite3.Connection], object]


class Journal:
    """The record of one kernel in a file that all kernels share."""

    def __init__(self, path: Path, notebook: str) -> None:
        """Write to `path`, for this notebook; nothing is opened before the first prompt."""
        self.path = path
        self.notebook = notebook
        self.trouble = ""
        self._session = uuid4().hex
        self._todo: SimpleQueue[_Write | threading.Event | None] = SimpleQueue()
        self._open: dict[Reply, _Grown] = {}  # what still grows
        self._thread: threading.Thread | None = None

    def follow(self, reply: Reply) -> None:
        """Write down a reply from now on to its end."""
        self._start()
        began = time.time()
        if reply.chat is not None:
            self._todo.put(lambda connection: self._asked(connection, reply, began))
        reply.when_done(lambda: self._todo.put(lambda connection: self._over(connection, reply, began)))

    def flush(self, timeout: float = _PATIENCE) -> bool:
        """Wait until all is written; return whether it is."""
        if self._thread is None or not self._thread.is_alive():
            return not self.trouble
        written = threading.Event()
        self._todo.put(written)
        return written.wait(timeout)

    async def saved(self) -> None:
        """Return when what came so far is written; the loop goes on meanwhile."""
        await asyncio.to_thread(self.flush, 1.0)

    def close(self) -> None:
        """Write what is left and end; harmless twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._todo.put(None)
            thread.join(_PATIENCE)

    def forget(self, chat: str) -> None:
        """Remove this kernel's exchanges of a chat."""
        if self._thread is not None:
            self._todo.put(lambda connection: _remove(connection, "notebook=? AND session=? AND chat=?", self._place(chat)))

    def chats(self) -> list[tuple[str, int, float]]:
        """Return name, number of exchanges and time of the last one for every chat of this notebook's former kernels."""
        return self._read(
            "SELECT chat, COUNT(*), MAX(at) FROM exchange WHERE notebook=? AND session=(SELECT session FROM exchange AS newest"
            " WHERE newest.notebook=exchange.notebook AND newest.chat=exchange.chat AND session<>? ORDER BY at DESC LIMIT 1)"
            " GROUP BY chat ORDER BY MAX(at)",
            (self.notebook, self._session),
        )

    def exchanges(self, chat: str) -> list[Exchange]:
        """Return what the newest former kernel asked in a chat and what came."""
        rows = self._read(
            "SELECT id, cell, asked, state, note FROM exchange WHERE notebook=? AND chat=? AND session=(SELECT session FROM"
            " exchange WHERE notebook=? AND chat=? AND session<>? ORDER BY at DESC LIMIT 1) ORDER BY number",
            (self.notebook, chat, self.notebook, chat, self._session),
        )
        return [self._restored(*row) for row in rows]

    def adopt(self, chat: str, exchanges: Sequence[Exchange]) -> None:
        """Write restored exchanges down as this kernel's own."""
        self._start()
        for number, exchange in enumerate(exchanges):
            row = (uuid4().hex, *self._place(chat), number, exchange.cell, time.time())
            self._todo.put(partial(_insert, row=row, exchange=exchange))

    def requests(self, count: int) -> list[dict[str, Any]]:
        """Return the last requests of all notebooks, newest first."""
        rows = self._read(f"SELECT {', '.join(_REQUEST)} FROM request ORDER BY at DESC LIMIT ?", (count,))  # noqa: S608 - fixed names
        return [dict(zip(_REQUEST, row, strict=True)) for row in rows]

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, name="nbgemini journal", daemon=True)
            self._thread.start()

    def _place(self, chat: str | None) -> tuple[str, str, str | None]:
        return self.notebook, self._session, chat

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        self.flush()
        if not self.path.exists():
            return []
        with suppress(sqlite3.Error), closing(_connect(self.path)) as connection:
            return connection.execute(query, values).fetchall()
        return []

    def _restored(self, key: str, cell: str | None, asked: bytes, state: Any, note: str) -> Exchange:
        exchange = Exchange(Turn("user", tuple(msgspec.json.decode(asked))), cell)
        turns: dict[int, Turn] = {}
        for number, role, parts in self._read(
            "SELECT turn, role, parts FROM came WHERE exchange=? ORDER BY turn, rowid", (key,)
        ):
            earlier = turns[number].parts if number in turns else ()
            turns[number] = Turn(role, (*earlier, *msgspec.json.decode(parts)))
        exchange.past = list(turns.values())
        if exchange.past and exchange.past[-1].role == "model":
            exchange.parts = list(exchange.past.pop().parts)
        alive = state in ("running", "waiting")
        exchange.state, exchange.note = ("interrupted", "the kernel ended") if alive else (state, note)
        return exchange

    def _write_all(self) -> None:
        """Write until told to end; in the thread."""
        try:
            with closing(self._opened()) as connection:
                while self._write_some(connection):
                    pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs the record only, and nobody waits for ever
            self._give_up(error)

    def _opened(self) -> sqlite3.Connection:
        """Open the file; one that is no database any more is moved aside."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        try:
            return _with_tables(_connect(self.path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = self.path.with_name(f"{self.path.name}.broken-{time.time():.0f}")
            self.path.rename(aside)
            self._tell(f"the journal {self.path} can't be read ({error}); it was moved to {aside.name}")
            return _with_tables(_connect(self.path))

    def _write_some(self, connection: sqlite3.Connection) -> bool:
        """Write what is to do and what came; return whether to go on."""
        todo = self._next()
        with connection:
            for write in todo:
                if callable(write):
                    write(connection)
            for reply in list(self._open):
                self._came(connection, reply)
        for event in todo:
            if isinstance(event, threading.Event):
                event.set()
        return None not in todo

    def _next(self) -> list[Any]:
        """Wait for something to do, no longer than until the next look at what came, and return all there is."""
        todo: list[Any] = []
        with suppress(Empty):
            todo.append(self._todo.get(timeout=_EVERY if self._open else None))
            while True:
                todo.append(self._todo.get_nowait())
        return todo

    def _asked(self, connection: sqlite3.Connection, reply: Reply, began: float) -> None:
        key = uuid4().hex
        _remove(connection, "notebook=? AND session=? AND chat=? AND number=?", (*self._place(reply.chat), reply.turn))
        _insert(connection, (key, *self._place(reply.chat), reply.turn, reply.exchange.cell, began), reply.exchange, came=False)
        self._open[reply] = _Grown(key)

    def _came(self, connection: sqlite3.Connection, reply: Reply) -> None:
        """Write what came since the last look; what is written last, when it is over, is exact."""
        grown, exchange = self._open[reply], reply.exchange
        past = exchange.past[grown.turns :]
        if past:
            connection.execute("DELETE FROM came WHERE exchange=? AND turn>=?", (grown.key, grown.turns))
            for turn in past:
                _add(connection, grown.key, grown.turns, turn)
                grown.turns, grown.parts = grown.turns + 1, 0
        parts = exchange.parts[grown.parts :]
        if parts:
            _add(connection, grown.key, grown.turns, Turn("model", tuple(parts)))
            grown.parts += len(parts)

    def _over(self, connection: sqlite3.Connection, reply: Reply, began: float) -> None:
        grown = self._open.pop(reply, None)
        if grown:
            connection.execute("UPDATE exchange SET state=?, note=? WHERE id=?", (reply.state, reply.exchange.note, grown.key))
            _put_all(connection, grown.key, reply.exchange)
        connection.execute(f"INSERT INTO request VALUES ({','.join('?' * len(_REQUEST))})", self._row(reply, began))  # noqa: S608

    def _row(self, reply: Reply, began: float) -> tuple[Any, ...]:
        usage, error = reply.usage, type(reply.error).__name__ if reply.error else ""
        return (
            *(began, self.notebook, reply.chat, reply.provider, reply.model, reply.state, error, reply.offline),
            *(usage.input, usage.thought, usage.output, usage.cached),
            *(None if reply.offline else reply.cost, reply.first_seconds, reply.seconds),
        )

    def _give_up(self, error: Exception) -> None:
        self._tell(f"nothing is written to the journal {self.path} any more: {error}")
        while True:  # nobody may wait for a write that never comes
            match self._todo.get():
                case None:
                    return
                case threading.Event() as written:
                    written.set()

    def _tell(self, trouble: str) -> None:
        self.trouble = trouble
        _log.warning(trouble)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_PATIENCE)


def _with_tables(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("BEGIN IMMEDIATE")  # several kernels may begin at once
        with connection:
            _make_tables(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if tables and version != _VERSION:
        raise sqlite3.DatabaseError(f"version {version}, not {_VERSION}")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={_VERSION}")


def _insert(connection: sqlite3.Connection, row: Sequence[Any], exchange: Exchange, *, came: bool = True) -> None:
    asked = msgspec.json.encode(exchange.asked.parts)
    connection.execute(
        "INSERT INTO exchange VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, asked, exchange.state, exchange.note)
    )
    if came:
        _put_all(connection, row[0], exchange)


def _put_all(connection: sqlite3.Connection, key: str, exchange: Exchange) -> None:
    connection.execute("DELETE FROM came WHERE exchange=?", (key,))
    for number, turn in enumerate([*exchange.past, Turn("model", tuple(exchange.parts))]):
        _add(connection, key, number, turn)


def _add(connection: sqlite3.Connection, key: str, number: int, turn: Turn) -> None:
    if turn.parts:
        connection.execute("INSERT INTO came VALUES (?, ?, ?, ?)", (key, number, turn.role, msgspec.json.encode(turn.parts)))


def _remove(connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> None:
    connection.execute(f"DELETE FROM came WHERE exchange IN (SELECT id FROM exchange WHERE {where})", values)  # noqa: S608
    connection.execute(f"DELETE FROM exchange WHERE {where}", values)  # noqa: S608 - fixed names
