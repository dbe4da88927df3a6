"""What a store of answers does, and the one in this kernel's memory; trouble with a store is its circuit breaker's business."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from msgspec import Struct


class Size(Struct, frozen=True):
    """How much a store holds; `more` says that it did not count to the end."""

    entries: int = 0
    bytes: int = 0
    more: bool = False


class Limits(Struct, frozen=True):
    """How much a store holds at most, and for how many seconds."""

    entries: int
    bytes: int
    seconds: float


class Store(ABC):
    """What keeps bytes; any of its methods may raise, and none is called from two places that must not meet."""

    where: str  # what its user knows it by; never a password
    bound: str  # how it is kept from growing, in words
    patience: float = 1.0  # seconds that an answer waits for it at most

    async def prepare(self) -> None:  # noqa: B027 - few have anything to load
        """Load what is loaded once; this may take its time."""

    async def aclose(self) -> None:  # noqa: B027 - nor anything open
        """Let go of what is open on the running loop."""

    @abstractmethod
    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a name, which counts as its latest use; None if nothing is, or for too long."""

    @abstractmethod
    async def put(self, key: str, value: bytes) -> None:
        """Keep this, in the place of what was kept under the name."""

    @abstractmethod
    async def drop(self, key: str) -> None:
        """Keep nothing under this name."""

    @abstractmethod
    async def clear(self) -> int:
        """Keep nothing at all any more; return how many entries there were."""

    @abstractmethod
    async def size(self) -> Size:
        """Return how much is kept."""


class MemoryStore(Store):
    """What was used least recently goes first; it is kept for the next loop."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = monotonic) -> None:
        self.where = "memory of this kernel"
        self.bound = f"the {limits.entries:,} used last"
        self._limits = limits
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0
        self._one_at_a_time = threading.Lock()  # loops of several threads may share it

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a name."""
        with self._one_at_a_time:
            until, value = self._kept.get(key, (0.0, b""))
            if not value or until <= self._clock():
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return value

    async def put(self, key: str, value: bytes) -> None:
        """Keep this."""
        with self._one_at_a_time:
            self._drop(key)
            self._kept[key] = self._clock() + self._limits.seconds, value
            self._bytes += len(value)
            while len(self._kept) > self._limits.entries or self._bytes > self._limits.bytes:
                self._drop(next(iter(self._kept)))

    async def drop(self, key: str) -> None:
        """Keep nothing under this name."""
        with self._one_at_a_time:
            self._drop(key)

    async def clear(self) -> int:
        """Keep nothing."""
        with self._one_at_a_time:
            count = len(self._kept)
            self._kept.clear()
            self._bytes = 0
            return count

    async def size(self) -> Size:
        """Return how much is kept."""
        with self._one_at_a_time:
            now = self._clock()
            for key in [key for key, (until, _) in self._kept.items() if until <= now]:
                self._drop(key)
            return Size(len(self._kept), self._bytes)

    def _drop(self, key: str) -> None:
        _, value = self._kept.pop(key, (0.0, b""))
        self._bytes -= len(value)
