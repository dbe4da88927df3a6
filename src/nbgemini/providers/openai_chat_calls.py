"""The tool calls of one Chat Completions stream, told apart however its server numbers them.

By the rules a call's first piece has index, id and name, and those that follow the index alone. Servers also leave the index
out, number all calls 0, repeat id and name with every piece, give each piece a new id, or send the arguments as an object.
"""

from __future__ import annotations

import json
from typing import Any

from nbgemini.events import Event, ToolArgsDelta, ToolArgsText, ToolCallEnd, ToolCallStart
from nbgemini.turns import ORIGIN

NAME = "openai-chat"

_KNOWN = ("index", "id", "type", "function")


class _Call:
    """One call: `id` is its first, `begun` whether its name is known."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.id = ""
        self.begun = False
        self.ended = False
        self.early: list[Event] = []  # arguments that came before the name


class Calls:
    """The calls of one stream, in their order."""

    def __init__(self) -> None:
        """Begin with none."""
        self._calls: list[_Call] = []
        self._slots: dict[str, _Call] = {}  # by index

    def read(self, piece: dict[str, Any]) -> list[Event]:
        """Return what one piece of a call says."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        name, new_id = _text(function.get("name")), _text(piece.get("id"))
        events: list[Event] = []
        call = self._call_of(piece.get("index"), new_id, name, events)
        call.id = call.id or new_id
        arguments = _arguments(call.key, function.get("arguments"))
        if call.begun:
            return events + arguments
        call.early += arguments
        if not name:
            return events
        call.begun = True
        return [*events, ToolCallStart(call.key, name, call.id or None, _kept(piece)), *call.early]

    def end(self) -> list[Event]:
        """Return that all calls are whole: no server says so of each."""
        return [event for call in self._calls for event in _ended(call)]

    def _call_of(self, index: Any, new_id: str, name: str, events: list[Event]) -> _Call:
        """Return the call that a piece is of; one that gives way to another with its index has ended."""
        slot = "" if index is None else str(index)
        before = self._slots.get(slot) if slot else self._unnumbered(new_id, name)
        if before and not (name and new_id and before.id and new_id != before.id):
            return before
        if before and slot:
            events += _ended(before)
        call = _Call(str(len(self._calls)))
        self._calls.append(call)
        self._slots[slot or f"#{call.key}"] = call
        return call

    def _unnumbered(self, new_id: str, name: str) -> _Call | None:
        """Return the call that a piece without an index goes on: the one with its id, or the last unless it names another."""
        known = next((call for call in self._calls if new_id and call.id == new_id), None)
        last = self._calls[-1] if self._calls else None
        return known or (None if name and last and last.begun else last)


def _ended(call: _Call) -> list[Event]:
    if call.ended or not call.begun:
        return []
    call.ended = True
    return [ToolCallEnd(call.key)]


def _arguments(key: str, arguments: Any) -> list[Event]:
    if isinstance(arguments, dict):
        return [ToolArgsText(key, json.dumps(arguments, ensure_ascii=False))]
    return [ToolArgsDelta(key, arguments)] if isinstance(arguments, str) and arguments else []


def _kept(piece: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part that keeps what a server adds to a call and wants back: Google's puts the thought signature there."""
    more = {name: value for name, value in piece.items() if name not in _KNOWN and value is not None}
    return {ORIGIN: {"provider": NAME, "block": more}} if more else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
