"""Tokens and money of one kernel so far: replies that run are asked, those that are over are counted and let go."""

from __future__ import annotations

from nbgemini.chat.reply import Reply
from nbgemini.messages.turns import Usage


class Spending:
    """What all replies of a kernel took together."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._usage = Usage()
        self._cost = 0.0
        self._running: set[Reply] = set()

    def follow(self, reply: Reply) -> None:
        """Count this reply from now on."""
        self._running.add(reply)
        reply.when_done(lambda: self._settle(reply))

    @property
    def usage(self) -> Usage:
        """Tokens."""
        return sum((reply.so_far.usage for reply in self._running), self._usage)

    @property
    def cost(self) -> float:
        """USD, where a price is known; the offline service costs nothing."""
        return sum(map(_cost, self._running), self._cost)

    def _settle(self, reply: Reply) -> None:
        self._running.discard(reply)
        self._usage += reply.so_far.usage
        self._cost += _cost(reply)


def _cost(reply: Reply) -> float:
    return 0.0 if reply.so_far.offline else reply.so_far.cost or 0.0
