"""The ids of calls, for services that go by them: calls of a family without ids are given some, and so are their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CallIds:
    """The ids of the calls of one request, told in the order of its turns."""

    def __init__(self) -> None:
        """Begin with no call."""
        self._made = 0
        self._waiting: dict[str, list[str]] = {}  # of calls without an id of their own, by the name of the function

    def of_call(self, call: Mapping[str, Any]) -> str:
        """Return the id of a call."""
        if call.get("id"):
            return str(call["id"])
        self._made += 1
        made = f"call_{self._made}"
        self._waiting.setdefault(str(call.get("name")), []).append(made)
        return made

    def of_result(self, answer: Mapping[str, Any]) -> str:
        """Return the id of the call that this answers."""
        waiting = self._waiting.get(str(answer.get("name")))
        return str(answer.get("id") or (waiting.pop(0) if waiting else ""))
