"""Conversations that a service keeps so that the next request can name them, up to a number of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_MOST = 1000


class ConversationStore:
    """The latest conversations.

    Attributes:
        items: the ids of what was said in them.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.items: set[str] = set()
        self._kept: dict[str, tuple[list[Any], set[str]]] = {}

    def keep(self, name: str, said: list[Any], items: Iterable[str] = ()) -> None:
        """Keep what was said under a name, and forget what is too old."""
        self._kept[name] = said, set(items)
        self.items |= self._kept[name][1]
        if len(self._kept) > _MOST:
            _, gone = self._kept.pop(next(iter(self._kept)))
            self.items -= gone

    def found(self, name: str) -> list[Any] | None:
        """Return what was said under a name, or None."""
        return self._kept[name][0] if name in self._kept else None
