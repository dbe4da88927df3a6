"""The tool calls of one Chat Completions stream, told apart however its server numbers them.

By the rules a call's first piece has index, id and name, and those that follow the index alone. Servers also leave the index
out, number all calls 0, repeat id and name with every piece, give each piece a new id, leave all ids out, or send the arguments
as an object.
"""

from __future__ import annotations

import json
from typing import Any

from nbgemini.events import Event, ToolArgsDelta, ToolArgsText, ToolCallEnd, ToolCallStart
from nbgemini.turns import ORIGIN

NAME = "openai-chat"

_KNOWN = ("index", "id", "type", "function")


class _Call:
    """One call: `id` is its first, `begun` whether its name is known, `text` what came first of its arguments."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.id = ""
        self.begun = False
        self.text = ""
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
        given = function.get("arguments")
        call = self._call_of(piece.get("index"), new_id, name, given)
        if call is None:
            return []
        call.id = call.id or new_id
        call.text = call.text or (given if isinstance(given, str) else "")
        arguments = _arguments(call.key, given)
        if call.begun:
            return arguments
        call.early += arguments
        if not name:
            return []
        call.begun = True
        return [ToolCallStart(call.key, name, call.id or None, _kept(piece)), *call.early]

    def end(self) -> list[Event]:
        """Return that all calls are whole: no server says so of each."""
        return [ToolCallEnd(call.key) for call in self._calls if call.begun]

    def _call_of(self, index: Any, new_id: str, name: str, given: Any) -> _Call | None:
        """Return the call that a piece is of; None if it repeats one that is whole.

        It is another than the last with its index if it has a name and an id of its own; or if neither has an id, and what came
        first of the last was all of it.
        """
        slot = "" if index is None else str(index)
        before = self._slots.get(slot) if slot else self._unnumbered(new_id, name)
        if before and name and not new_id and not before.id and slot and given and _is_whole(before.text):
            if given == before.text:
                return None
        elif before and not (name and new_id and before.id and new_id != before.id):
            return before
        call = _Call(str(len(self._calls)))
        self._calls.append(call)
        if slot:
            self._slots[slot] = call
        return call

    def _unnumbered(self, new_id: str, name: str) -> _Call | None:
        """Return the call that a piece without an index goes on: the one with its id, or the last unless it names another."""
        known = next((call for call in self._calls if new_id and call.id == new_id), None)
        last = self._calls[-1] if self._calls else None
        return known or (None if name and last and last.begun else last)


def _arguments(key: str, arguments: Any) -> list[Event]:
    if isinstance(arguments, dict):
        return [ToolArgsText(key, json.dumps(arguments, ensure_ascii=False))]
    return [ToolArgsDelta(key, arguments)] if isinstance(arguments, str) and arguments else []


def _is_whole(text: str) -> bool:
    """Whether this is an object, as no piece of a longer one is."""
    try:
        return text.startswith("{") and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _kept(piece: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part that keeps what a server adds to a call and wants back: Google's puts the thought signature there."""
    more = {name: value for name, value in piece.items() if name not in _KNOWN and value is not None}
    return {ORIGIN: {"provider": NAME, "block": more}} if more else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
