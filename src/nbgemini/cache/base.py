"""A store keeps bytes under names for a while; what it does on trouble is its guard's business."""

from __future__ import annotations

from typing import Protocol

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


class Store(Protocol):
    """What keeps bytes; any of its methods may raise, and none is called from two places that must not meet.

    Attributes:
        where: what its user knows it by; never a password.
        bound: how it is kept from growing, in words.
        patience: seconds that an answer waits for it at most.
    """

    where: str
    bound: str
    patience: float

    async def prepare(self) -> None:
        """Load what is loaded once; this may take its time."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a name, which counts as its latest use; None if nothing is, or for too long."""
        ...

    async def put(self, key: str, value: bytes) -> None:
        """Keep this, in the place of what was kept under the name."""
        ...

    async def drop(self, key: str) -> None:
        """Keep nothing under this name."""
        ...

    async def clear(self) -> int:
        """Keep nothing at all any more; return how many entries there were."""
        ...

    async def size(self) -> Size:
        """Return how much is kept."""
        ...

    async def aclose(self) -> None:
        """Let go of what is open on the running loop."""
        ...
