"""The tables of the journal, and how exchanges and requests become rows and come back: statements, no transactions.

An exchange is one row, and one row or more for each turn that came of it, which are added as they come. A request is a row
without any text. The key is not among what is known here. Rows that make no sense are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from sqlite3 import Connection
from typing import Any, TypeAlias

import msgspec

from nbgemini.chat.reply import Reply
from nbgemini.errors import ApiError
from nbgemini.messages.transcript import KERNEL_ENDED, Exchange, State
from nbgemini.messages.turns import Part, Role, Turn

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
    code = (error.code or None) if isinstance(error, ApiError) else None if reply.first_seconds is None else 200
    values = (
        *(began, notebook, reply.chat, reply.purpose, reply.provider, reply.model, reply.state),
        *(type(error).__name__ if error else "", code, reply.retries),
        *(_PLAYED.get(reply.so_far.played, int(reply.offline)), usage.input, usage.thought, usage.output, usage.cached),
        *(None if reply.offline else reply.cost, reply.first_seconds, reply.seconds),
    )
    connection.execute(f"INSERT INTO request VALUES ({','.join('?' * len(REQUEST))})", values)  # noqa: S608


CHATS = (
    "SELECT chat, COUNT(*), MAX(at) FROM exchange WHERE notebook=? AND session=(SELECT newest.session FROM exchange AS newest"
    " WHERE newest.notebook=exchange.notebook AND newest.chat=exchange.chat AND newest.session<>?"
    " ORDER BY newest.rowid DESC LIMIT 1) GROUP BY chat ORDER BY MAX(rowid)"
)
_OF_NEWEST = (
    "FROM exchange WHERE notebook=? AND chat=? AND session=(SELECT session FROM exchange"
    " WHERE notebook=? AND chat=? AND session<>? ORDER BY rowid DESC LIMIT 1)"
)
ASKED = f"SELECT id, cell, asked, state, note {_OF_NEWEST} ORDER BY number"
CAME = f"SELECT exchange, turn, role, parts FROM came WHERE exchange IN (SELECT id {_OF_NEWEST}) ORDER BY exchange, turn, rowid"  # noqa: S608
_AskedRow: TypeAlias = tuple[str, str | None, bytes, State, str]
_CameRow: TypeAlias = tuple[str, int, Role, bytes]
_PARTS = msgspec.json.Decoder(list[dict[str, Any]])
_NO_SENSE = (msgspec.MsgspecError, ValueError)


def exchanges_of(asked: Iterable[Any], came: Iterable[Any]) -> list[Exchange]:
    """Return exchanges from the rows of `ASKED` and `CAME`; one that still ran has ended with its kernel."""
    turns: dict[str, dict[int, tuple[Role, list[Part]]]] = defaultdict(dict)
    for row in came:
        with suppress(*_NO_SENSE):
            key, number, role, parts = msgspec.convert(row, _CameRow)
            turns[key].setdefault(number, (role, []))[1].extend(_PARTS.decode(parts))
    exchanges: list[Exchange] = []
    for row in asked:
        with suppress(*_NO_SENSE):
            key, cell, parts, state, note = msgspec.convert(row, _AskedRow)
            exchange = Exchange(Turn("user", tuple(_PARTS.decode(parts))), cell)
            exchange.past = [Turn(role, tuple(told)) for role, told in turns[key].values()]
            if exchange.past and exchange.past[-1].role == "model":
                exchange.parts = list(exchange.past.pop().parts)
            over = state not in ("running", "waiting")
            exchange.state, exchange.note = (state, note) if over else ("interrupted", KERNEL_ENDED)
            exchanges.append(exchange)
    return exchanges
