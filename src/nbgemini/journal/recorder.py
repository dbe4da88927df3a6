"""The replies that are being written down, and how much of each is written; used by the writing thread alone.

Invariants: what is written last, when a reply is over, is exact; nothing counts as written before its transaction is committed;
a forgotten or replaced exchange takes no more text.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from sqlite3 import Connection
from uuid import uuid4

from nbgemini.chat.reply import Reply
from nbgemini.journal import schema
from nbgemini.messages.transcript import Exchange
from nbgemini.messages.turns import Turn


class _Written:
    """How much of one reply is written."""

    def __init__(self, began: float, *, kept: bool) -> None:
        """Nothing is; `kept`: its text is written too."""
        self.began = began
        self.kept = kept
        self.key = uuid4().hex
        self.begin_anew()

    def begin_anew(self) -> None:
        """Count nothing as written."""
        self.over = False
        self.asked = False
        self.turns = 0
        self.parts = 0


class ReplyRecorder:
    """The replies that still grow."""

    def __init__(self, notebook: str, session: str) -> None:
        """Start with none, for one kernel of a notebook."""
        self.notebook = notebook
        self.session = session
        self._growing: dict[Reply, _Written] = {}

    def __len__(self) -> int:
        """Return their number."""
        return len(self._growing)

    def add(self, reply: Reply, began: float) -> None:
        """Write this reply down from the next look on; it takes the place of an earlier one of the same number."""
        self._let_go(reply.chat, reply.turn)
        self._growing[reply] = _Written(began, kept=reply.chat is not None)

    def forget(self, connection: Connection, chat: str) -> None:
        """Delete all that this notebook's kernels wrote of a chat; what still runs there takes no more text."""
        self._let_go(chat)
        schema.delete_exchanges(connection, "notebook=? AND chat=?", self.notebook, chat)

    def take_over(self, connection: Connection, chat: str) -> None:
        """Delete what former kernels of the notebook wrote of a chat."""
        schema.delete_exchanges(connection, "notebook=? AND session<>? AND chat=?", self.notebook, self.session, chat)

    def replace(self, connection: Connection, chat: str, exchanges: Sequence[Exchange]) -> None:
        """Write these down as all that this kernel has of a chat; those of them that still grow are followed on."""
        going = {reply.exchange: growth for reply, growth in self._growing.items() if growth.kept and reply.chat == chat}
        self._let_go(chat)
        schema.delete_exchanges(connection, "notebook=? AND session=? AND chat=?", self.notebook, self.session, chat)
        for number, exchange in enumerate(exchanges):
            if exchange in going:
                going[exchange].kept = True
                going[exchange].begin_anew()
                continue
            row = (uuid4().hex, self.notebook, self.session, chat, number, exchange.cell, time.time())
            schema.insert_exchange(connection, row, exchange)
            schema.close_exchange(connection, row[0], exchange)

    def look(self, connection: Connection) -> None:
        """Write what came since the last look."""
        for reply, growth in self._growing.items():
            if growth.over:
                continue  # its end is written, in this transaction
            growth.over = reply.done  # asked first: what comes after that is for the next look
            if growth.kept:
                self._write(connection, reply, growth)
            if growth.over:
                schema.insert_request(connection, self.notebook, growth.began, reply)

    def let_go(self) -> None:
        """Let go of those that are over, once the transaction that holds their end is committed."""
        self._growing = {reply: growth for reply, growth in self._growing.items() if not growth.over}

    def begin_anew(self) -> None:
        """Write everything of those that still grow once more: what was written may be lost."""
        for growth in self._growing.values():
            growth.begin_anew()

    def _write(self, connection: Connection, reply: Reply, growth: _Written) -> None:
        if not growth.asked:
            place = (self.notebook, self.session, reply.chat, reply.turn)
            schema.delete_exchanges(connection, "notebook=? AND session=? AND chat=? AND number=?", *place)
            row = (growth.key, *place, reply.exchange.cell, growth.began)
            schema.insert_exchange(connection, row, reply.exchange)
            growth.asked = True
        if growth.over:
            schema.close_exchange(connection, growth.key, reply.exchange)
        else:
            _write_news(connection, reply.exchange, growth)

    def _let_go(self, chat: str | None, number: int | None = None) -> None:
        for reply, growth in self._growing.items():
            if reply.chat == chat and number in (None, reply.turn):
                growth.kept = False


def _write_news(connection: Connection, exchange: Exchange, growth: _Written) -> None:
    past = exchange.past[growth.turns :]
    if past:
        schema.delete_turns(connection, growth.key, growth.turns)
        for turn in past:
            schema.add_parts(connection, growth.key, growth.turns, turn)
            growth.turns, growth.parts = growth.turns + 1, 0
    parts = exchange.parts[growth.parts :]
    if parts:
        schema.add_parts(connection, growth.key, growth.turns, Turn("model", tuple(parts)))
        growth.parts += len(parts)
