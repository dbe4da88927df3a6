"""Tokens and cost of one kernel so far: what runs is read when asked, what is over is added up and let go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from nbgemini._async.handle import StreamHandle
from nbgemini.chat.reply import Reply
from nbgemini.messages.turns import Usage

Spent: TypeAlias = tuple[Usage, float]


class UsageMeter:
    """What all replies and maps of a kernel used together."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._total: Spent = Usage(), 0.0
        self._running: dict[StreamHandle, Callable[[], Spent]] = {}

    def follow(self, handle: StreamHandle, spent: Callable[[], Spent]) -> None:
        """Count from now on what `spent` returns: tokens, and USD where a price is known."""
        self._running[handle] = spent
        handle.when_done(lambda: self._settle(handle))

    def follow_reply(self, reply: Reply) -> None:
        """Count a reply from now on; the offline service costs nothing."""
        so_far = reply.so_far
        self.follow(reply, lambda: (so_far.usage, 0.0 if so_far.offline else so_far.cost or 0.0))

    @property
    def tokens(self) -> Usage:
        """Tokens."""
        return sum((spent()[0] for spent in self._running.values()), self._total[0])

    @property
    def cost(self) -> float:
        """USD, as far as prices are known."""
        return sum((spent()[1] for spent in self._running.values()), self._total[1])

    def _settle(self, handle: StreamHandle) -> None:
        tokens, cost = self._running.pop(handle)()
        self._total = self._total[0] + tokens, self._total[1] + cost
