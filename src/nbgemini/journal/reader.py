"""What was written, read again: a former kernel's chats and exchanges; rows that make no sense are left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from nbgemini.messages.transcript import KERNEL_ENDED, Exchange, State
from nbgemini.messages.turns import Part, Role, Turn

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


class _Asked(msgspec.Struct, array_like=True):
    """A row of `exchange`."""

    id: str
    cell: str | None
    asked: bytes
    state: State
    note: str


class _Came(msgspec.Struct, array_like=True):
    """A row of `came`."""

    exchange: str
    turn: int
    role: Role
    parts: bytes


_PARTS = msgspec.json.Decoder(list[dict[str, Any]])
_Row = TypeVar("_Row", _Asked, _Came)


def restored(asked: Iterable[Any], came: Iterable[Any]) -> list[Exchange]:
    """Return exchanges from their rows in both tables; one that still ran has ended with its kernel."""
    answers: dict[str, dict[int, Turn]] = {}
    for row, parts in _sound(came, _Came):
        turns = answers.setdefault(row.exchange, {})
        earlier = turns[row.turn].parts if row.turn in turns else ()
        turns[row.turn] = Turn(row.role, (*earlier, *parts))
    return [_exchange(row, parts, answers.get(row.id, {})) for row, parts in _sound(asked, _Asked)]


def _exchange(row: _Asked, asked: tuple[Part, ...], turns: dict[int, Turn]) -> Exchange:
    exchange = Exchange(Turn("user", asked), row.cell)
    exchange.past = list(turns.values())
    if exchange.past and exchange.past[-1].role == "model":
        exchange.parts = list(exchange.past.pop().parts)
    alive = row.state in ("running", "waiting")
    exchange.state, exchange.note = ("interrupted", KERNEL_ENDED) if alive else (row.state, row.note)
    return exchange


def _sound(rows: Iterable[Any], kind: type[_Row]) -> Iterator[tuple[_Row, tuple[Part, ...]]]:
    """Yield the rows that are what they should be, with their parts."""
    for values in rows:
        with suppress(msgspec.MsgspecError, ValueError):
            row = msgspec.convert(values, kind)
            yield row, tuple(_PARTS.decode(row.asked if isinstance(row, _Asked) else row.parts))
