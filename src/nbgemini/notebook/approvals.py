"""Approval of tool calls: asked for on the call's card, without holding anything else up.

A decision counts for one call. "Always allow" holds in this kernel for the function's name, the object it is bound to and all
code that it runs; it ends when one of these changes or can't be determined, or when the user revokes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Literal, TypeAlias, get_args

from nbgemini.messages.events import ToolCall
from nbgemini.tools.tool import Tool

Decision: TypeAlias = Literal["once", "always", "refuse"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)


class AlwaysAllowed:
    """The functions that run without asking until the kernel ends, each as it was when "Always allow" was clicked.

    Attributes:
        last_decision: when the last decision about any call fell, by the monotonic clock.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, set[str]] = {}
        self.last_decision = 0.0

    def __contains__(self, tool: Tool) -> bool:
        """Whether a tool may run without asking, as it is now."""
        known = self._hashes.get(tool.name, set())
        return bool(known) and not tool.guarded and tool.current_hash() in known

    def add(self, tool: Tool) -> None:
        """Let a tool run without asking from now on, unless it is guarded or has changed since it was offered."""
        if not tool.guarded and tool.current_hash() == tool.source_hash:
            self._hashes.setdefault(tool.name, set()).add(tool.source_hash)

    def names(self) -> list[str]:
        """Return the names of the tools."""
        return sorted(self._hashes)

    def revoke(self, name: str) -> bool:
        """Let the tools with this name ask again; return whether there were any."""
        return self._hashes.pop(name, None) is not None

    def clear(self) -> int:
        """Let all tools ask again; return how many there were."""
        count = len(self._hashes)
        self._hashes.clear()
        return count


class Approvals:
    """The pending approvals of one reply; called with a call, it asks about it.

    Attributes:
        always: the tools that run without asking.
    """

    def __init__(self, always: AlwaysAllowed, title_of: Callable[[str], str] = str) -> None:
        """Ask unless `always` has the tool; `title_of` returns what the user calls a file, such as "cell 2"."""
        self.always = always
        self._title_of = title_of
        self._pending: dict[int, tuple[asyncio.Future[Decision], Tool]] = {}
        self._closed = False

    async def __call__(self, tool: Tool, _call: ToolCall, number: int) -> bool:
        """Wait for the user's decision about the n-th call; a guarded tool asks each time."""
        if tool in self.always:
            return True
        if self._closed:
            return False
        future = asyncio.get_running_loop().create_future()
        self._pending[number] = future, tool
        try:
            decision = await future
        finally:
            self._pending.pop(number, None)
        if decision == "always":
            self.always.add(tool)
        return decision != "refuse"

    def choices(self, number: int) -> tuple[Decision, ...]:
        """Return the decisions that the user may take about the n-th call; none unless it is pending."""
        pending = self._pending.get(number)
        if pending is None:
            return ()
        return tuple(decision for decision in DECISIONS if decision != "always" or not pending[1].guarded)

    def where(self, number: int) -> str:
        """Return where the function of the n-th call is defined; empty unless the call is pending."""
        pending = self._pending.get(number)
        if pending is None or not pending[1].file:
            return ""
        tool = pending[1]
        return f"defined in {self._title_of(tool.file)}" + (f", line {tool.line}" if tool.line else "")

    def close(self) -> None:
        """Refuse all calls from now on: there is no page on which anyone could approve them."""
        self._closed = True
        for number in list(self._pending):
            self.decide(number, "refuse")

    @property
    def last_decision(self) -> float:
        """When the last decision in this kernel fell: the second click of a double click may hit another card."""
        return self.always.last_decision

    @property
    def asking(self) -> bool:
        """Whether a call is pending."""
        return bool(self._pending)

    def decide(self, number: int, decision: Decision) -> None:
        """Decide about a pending call, from any thread; an earlier decision stands."""
        pending = self._pending.get(number)
        if pending is not None:
            self.always.last_decision = monotonic()
            with suppress(RuntimeError):  # the loop is gone
                pending[0].get_loop().call_soon_threadsafe(_settle, pending[0], decision)


def _settle(future: asyncio.Future[Decision], decision: Decision) -> None:
    if not future.done():
        future.set_result(decision)
