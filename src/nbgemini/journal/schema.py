"""The tables of the journal, and how exchanges and requests become rows: statements, no transactions.

An exchange is one row, and one row or more for each turn that came of it, which are added as they come. A request is a row
without any text. The key is not among what is known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import msgspec

from nbgemini._storage import sqlite
from nbgemini._storage.sqlite import MOUNTS, Database
from nbgemini.chat.reply import Reply
from nbgemini.errors import ApiError
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Turn

VERSION = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS exchange (
  id TEXT PRIMARY KEY, notebook TEXT, session TEXT, chat TEXT, number INTEGER, cell TEXT, at REAL,
  asked BLOB, state TEXT, note TEXT, UNIQUE (notebook, session, chat, number));
CREATE TABLE IF NOT EXISTS came (exchange TEXT, turn INTEGER, role TEXT, parts BLOB);
CREATE INDEX IF NOT EXISTS came_of ON came (exchange, turn);
CREATE TABLE IF NOT EXISTS request (
  at REAL, notebook TEXT, chat TEXT, purpose TEXT, provider TEXT, model TEXT, state TEXT, error TEXT, code INTEGER,
  retries INTEGER, offline INTEGER, input INTEGER, thought INTEGER, output INTEGER, cached INTEGER, cost REAL,
  first REAL, seconds REAL);
"""
_PLAYED = {"replay": 2, "cache": 3}  # in the column `offline`, where the service, offline or not, was not asked
REQUEST = (
    *("at", "notebook", "chat", "purpose", "provider", "model", "state", "error", "code", "retries", "offline"),
    *("input", "thought", "output", "cached", "cost", "first", "seconds"),
)


def insert_exchange(connection: Connection, row: Sequence[Any], exchange: Exchange) -> None:
    """Write what was asked; `row` is id, notebook, session, chat, number, cell and time."""
    asked = msgspec.json.encode(exchange.asked.parts)
    values = (*row, asked, exchange.state, exchange.note)
    connection.execute("INSERT OR REPLACE INTO exchange VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def close_exchange(connection: Connection, key: str, exchange: Exchange) -> None:
    """Write an exchange's end, and all that came of it anew: exactly, whatever was written while it grew."""
    connection.execute("UPDATE exchange SET state=?, note=? WHERE id=?", (exchange.state, exchange.note, key))
    delete_turns(connection, key)
    for number, turn in enumerate([*exchange.past, Turn("model", tuple(exchange.parts))]):
        add_parts(connection, key, number, turn)


def add_parts(connection: Connection, key: str, number: int, turn: Turn) -> None:
    """Add parts to a turn of an exchange."""
    if turn.parts:
        connection.execute("INSERT INTO came VALUES (?, ?, ?, ?)", (key, number, turn.role, msgspec.json.encode(turn.parts)))


def delete_turns(connection: Connection, key: str, first: int = 0) -> None:
    """Delete the turns of an exchange from the `first` on."""
    connection.execute("DELETE FROM came WHERE exchange=? AND turn>=?", (key, first))


def delete_exchanges(connection: Connection, where: str, *values: Any) -> None:
    """Delete the exchanges that fulfil a condition, and what came of them."""
    came = f"DELETE FROM came WHERE exchange IN (SELECT id FROM exchange WHERE {where})"  # noqa: S608 - our own conditions
    connection.execute(came, values)
    connection.execute(f"DELETE FROM exchange WHERE {where}", values)  # noqa: S608


def insert_request(connection: Connection, notebook: str, began: float, reply: Reply) -> None:
    """Write what a reply took and how it ended."""
    usage, error = reply.usage, reply.error
    values = (
        *(began, notebook, reply.chat, reply.purpose, reply.provider, reply.model, reply.state),
        *(
            type(error).__name__ if error else "",
            _code(reply),
            reply.retries,
            _PLAYED.get(reply.so_far.played, int(reply.offline)),
        ),
        *(usage.input, usage.thought, usage.output, usage.cached),
        *(None if reply.offline else reply.cost, reply.first_seconds, reply.seconds),
    )
    connection.execute(f"INSERT INTO request VALUES ({','.join('?' * len(REQUEST))})", values)  # noqa: S608


def _code(reply: Reply) -> int | None:
    """Return the HTTP status that the service answered with; None if nothing came."""
    if isinstance(reply.error, ApiError):
        return reply.error.code or None
    return None if reply.first_seconds is None else 200


class JournalFile(Database):
    """One journal, open in one thread."""

    def __init__(self, path: Path, mounts: Path = MOUNTS) -> None:
        """Open nothing yet; `mounts` tells what lies on the network."""
        super().__init__(path, SCHEMA, VERSION, mounts=mounts)


def read_journal(path: Path, query: str, values: Sequence[Any]) -> list[Any]:
    """Return the rows of a query; none if there is no journal of this version.

    Raises:
        sqlite3.Error: it can't be read.
    """
    return sqlite.read_rows(path, VERSION, query, values)
