"""What was answered, in a store, with counts of what that saved.

Invariants: no trouble of the store is an answer's; nothing is waited for longer than a person notices; what can't be played as
a whole answer is no hit; an answer is there from the moment it is whole, however long the store takes to keep it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from msgspec import Struct, field

from nbgemini.cache.base import Limits, Size, Store
from nbgemini.cache.circuit_breaker import Guard, within
from nbgemini.cache.entry import Decode, Entry, judged, packed, unpacked
from nbgemini.messages.turns import Usage

T = TypeVar("T")

_WRITING = 2.0  # seconds; nobody waits for it
_BESIDES = 5.0  # the same for who asks for counts
_LOADING = 30.0  # and for a library, once
_log = logging.getLogger("nbgemini")


class Stats(Struct):
    """What this kernel had of its cache.

    Attributes:
        hits: answers that came out of it.
        shared: answers that were another prompt's at the same moment.
        misses: answers that the service gave.
        saved: what was not paid again: how often an answer of this model that took so many tokens.
    """

    hits: int = 0
    shared: int = 0
    misses: int = 0
    saved: dict[tuple[str, Usage], int] = field(default_factory=dict)

    @property
    def rate(self) -> float | None:
        """Which share of the answers was not paid for; None before the first."""
        free = self.hits + self.shared
        return free / (free + self.misses) if free + self.misses else None

    def hit(self, entry: Entry, times: int) -> None:
        """Count an answer that was kept, and how many were served with it."""
        self.hits += times
        self._save(entry, times)

    def share(self, entry: Entry | None, times: int) -> None:
        """Count those who had another prompt's answer; what it took is known of one that is worth keeping."""
        self.shared += times
        if entry is not None:
            self._save(entry, times)

    def _save(self, entry: Entry, times: int) -> None:
        if times:
            self.saved[entry.model, entry.usage] = self.saved.get((entry.model, entry.usage), 0) + times


class Cache:
    """Answers under the names of their requests.

    Attributes:
        stats: what this kernel had of it.
        limits: how much it holds, and for how long.
        trouble: the one line told about what went wrong; empty while all was well.
    """

    def __init__(self, store: Store, limits: Limits, tell: Callable[[str], object] = _log.warning) -> None:
        """Keep answers in `store`; `tell` hears of its trouble, once."""
        self.stats = Stats()
        self.limits = limits
        self.trouble = ""
        self._store = store
        self._say = tell
        self._reading = Guard(store.patience, self._tell)
        self._writing = Guard(_WRITING, self._tell)
        self._loading = Guard(_LOADING, self._tell)
        self._prepared = False
        self._on_its_way: dict[str, Sequence[bytes]] = {}  # into the store

    @property
    def where(self) -> str:
        """Where answers are kept."""
        return self._store.where

    @property
    def bound(self) -> str:
        """What keeps the store from growing."""
        return self._store.bound

    @property
    def resting(self) -> str:
        """Why the store is let alone now; empty while it works."""
        return self._reading.trouble or self._writing.trouble

    async def get(self, key: str, decode: Decode) -> Entry | None:
        """Return the answer that is kept under a name, or is about to be; what is none is dropped."""
        frames = self._on_its_way.get(key)
        if frames is not None:
            return await asyncio.to_thread(judged, frames, decode)
        await self._prepare()
        found = await self._reading.run(lambda: self._store.get(key))
        if found is None:
            return None
        entry = await asyncio.to_thread(unpacked, found, decode)
        if entry is None:
            await self._writing.run(lambda: self._store.drop(key))
        return entry

    async def put(self, key: str, frames: Sequence[bytes], decode: Decode) -> Entry | None:
        """Keep an answer, if it is worth keeping, and return it then."""
        self._on_its_way[key] = frames
        try:
            entry = await asyncio.to_thread(judged, frames, decode)
            if entry is not None and not self._reading.trouble:
                await self._prepare()
                value = await asyncio.to_thread(packed, frames)
                if self._on_its_way.get(key) is frames:  # else it was forgotten, or another one came
                    await self._writing.run(lambda: self._store.put(key, value))
            return entry
        finally:
            if self._on_its_way.get(key) is frames:
                del self._on_its_way[key]

    async def size(self) -> Size | None:
        """Return how much is kept; None if the store does not tell."""
        return await self._besides(self._store.size)

    async def clear(self) -> int | None:
        """Forget all answers; return how many there were, or None if the store does not obey."""
        self._on_its_way.clear()
        return await self._besides(self._store.clear)

    async def aclose(self) -> None:
        """Let go of what is open on the running loop."""
        await self._reading.aclose()
        await self._writing.aclose()
        await self._store.aclose()

    async def _prepare(self) -> None:
        if not self._prepared:
            await self._loading.run(self._store.prepare)
            self._prepared = not self._loading.trouble

    async def _besides(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Return what comes of work that no answer waits for."""
        await self._prepare()
        try:
            return await within(_BESIDES, work())
        except Exception:  # noqa: BLE001 - whatever it is, who asked is told that nothing came
            return None

    def _tell(self, trouble: str) -> None:
        if not self.trouble:
            self.trouble = f"the cache in {self.where} is left out: {trouble}; answers come without it"
            self._say(self.trouble)
