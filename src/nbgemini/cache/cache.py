"""What was answered, in the store that a setting means, with counts of what that saved.

Invariants: no trouble of the store is an answer's; nothing is waited for longer than a person notices; what can't be played as
a whole answer is no hit; an answer is there from the moment it is whole, however long the store takes to keep it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct, field

from nbgemini._storage import user_path
from nbgemini._storage.sqlite import default_path
from nbgemini.cache.circuit_breaker import CircuitBreaker, with_deadline
from nbgemini.cache.entry import CacheEntry, Decode, complete_entry, decode_entry, encode_frames
from nbgemini.cache.redis import RedisStore
from nbgemini.cache.sqlite import SqliteStore
from nbgemini.cache.store import Limits, MemoryStore, Size, Store
from nbgemini.errors import ConfigurationError, nearest
from nbgemini.messages.turns import Usage
from nbgemini.secrets import Secret, without_password

T = TypeVar("T")

_WRITING = 2.0  # seconds; nobody waits for it
_BESIDES = 5.0  # the same for who asks for counts
_LOADING = 30.0  # and for a library, once
WEEK = 7 * 24 * 3600.0
WORDS = ("off", "memory", "sqlite", "sqlite:PATH", "redis://HOST:PORT/DB")
_MIB = 1024 * 1024
_IN_MEMORY = 1_000, 64 * _MIB
_ON_DISK = 10_000, 256 * _MIB
_SCHEMES = ("redis", "rediss", "unix")
_HIGHEST_PORT = 65_535
_log = logging.getLogger("nbgemini")


class CacheStats(Struct):
    """What this kernel had of its cache."""

    hits: int = 0  # answers that came out of it
    shared: int = 0  # that were another prompt's at the same moment
    misses: int = 0  # that the service gave
    saved: dict[tuple[str, Usage], int] = field(default_factory=dict)  # how often an answer of this model and size was free

    @property
    def rate(self) -> float | None:
        """Which share of the answers was not paid for; None before the first."""
        free = self.hits + self.shared
        return free / (free + self.misses) if free + self.misses else None

    def save(self, entry: CacheEntry | None, times: int, *, offline: bool = False) -> None:
        """Count how often an answer was not paid again; what it took is known of one that is worth keeping."""
        if entry is not None and times:
            free = "" if offline else entry.model, entry.usage  # which has no price
            self.saved[free] = self.saved.get(free, 0) + times


class Cache:
    """Answers under the names of their requests."""

    def __init__(self, store: Store, limits: Limits, tell: Callable[[str], object] = _log.warning) -> None:
        """Keep answers in `store`; `tell` hears of its trouble, once."""
        self.stats = CacheStats()
        self.limits = limits
        self.trouble = ""  # the one line told about what went wrong
        self._store = store
        self._say = tell
        self._reading = CircuitBreaker(store.patience, self._tell)
        self._writing = CircuitBreaker(_WRITING, self._tell)
        self._loading = CircuitBreaker(_LOADING, self._tell)
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

    async def get(self, key: str, decode: Decode) -> CacheEntry | None:
        """Return the answer that is kept under a name, or is about to be; what is none is dropped."""
        frames = self._on_its_way.get(key)
        if frames is not None:
            return await asyncio.to_thread(complete_entry, frames, decode)
        await self._prepare()
        found = await self._reading.run(lambda: self._store.get(key))
        if found is None:
            return None
        entry = await asyncio.to_thread(decode_entry, found, decode)
        if entry is None:
            await self._writing.run(lambda: self._store.drop(key))
        return entry

    async def put(self, key: str, frames: Sequence[bytes], decode: Decode) -> CacheEntry | None:
        """Keep an answer, if it is worth keeping, and return it then."""
        self._on_its_way[key] = frames
        try:
            entry = await asyncio.to_thread(complete_entry, frames, decode)
            if entry is not None and not self._reading.trouble:
                await self._prepare()
                value = await asyncio.to_thread(encode_frames, frames)
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
            return await with_deadline(_BESIDES, work())
        except Exception:  # noqa: BLE001 - whatever it is, who asked is told that nothing came
            return None

    def _tell(self, trouble: str) -> None:
        if not self.trouble:
            self.trouble = f"the cache in {self.where} is left out: {trouble}; answers come without it"
            self._say(self.trouble)


def open_cache(
    setting: str,
    *,
    seconds: float = WEEK,
    entries: int | None = None,
    size: int | None = None,
    tell: Callable[[str], object] = _log.warning,
) -> Cache | None:
    """Return the cache that a setting (see `WORDS`) means, not opened yet; None for `off`.

    It keeps answers for so many `seconds`, `entries` and bytes (`size`) at most, but Redis has settings of its own for these;
    `tell` hears of a store's trouble. Raises what `check_cache_setting` does.
    """
    check_cache_setting(setting)
    if not seconds > 0:
        raise ConfigurationError(f"a cache keeps answers for more than 0 seconds, not {seconds:g}")
    name, _, rest = setting.strip().partition(":")
    if name == "off":
        return None
    most = _IN_MEMORY if name == "memory" else _ON_DISK
    limits = Limits(entries or most[0], size or most[1], seconds)
    if name == "memory":
        store: Store = MemoryStore(limits)
    elif name == "sqlite":
        store = SqliteStore(user_path(rest) if rest else default_path("cache.sqlite3"), limits, tell)
    else:
        store = RedisStore(setting.strip(), limits)
    return Cache(store, limits, tell)


def check_cache_setting(setting: str) -> None:
    """Raise ConfigurationError for a setting that means nothing, or needs a package that is not installed."""
    name, _, rest = setting.strip().partition(":")
    if name in _SCHEMES and rest.startswith("//"):
        _check_server(setting.strip())
    elif name != "sqlite" and (name not in ("off", "memory") or rest):
        hint = nearest(name, [word.partition(":")[0] for word in WORDS])
        raise ConfigurationError(f"{without_password(setting)} is no cache{hint}; use {', '.join(WORDS[:-1])} or {WORDS[-1]}")


def _check_server(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "unix" or (parts.hostname and 0 < (parts.port or 1) <= _HIGHEST_PORT)
    except ValueError:
        fine = False
    if not fine:
        raise ConfigurationError(f"{without_password(url)} names no server; write redis://HOST:PORT/DB")
    if find_spec("redis") is None:
        raise ConfigurationError("a cache in Redis needs a package: pip install 'nbgemini[redis]'")


class CachePool:
    """One cache for each place and time."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, float], Cache | None] = {}

    def of(self, setting: str | Secret, seconds: float) -> Cache | None:
        """Return the cache that a setting means; None if it means none."""
        place = setting.reveal() if isinstance(setting, Secret) else setting
        if (place, seconds) not in self._opened:
            self._opened[place, seconds] = open_cache(place, seconds=seconds)
        return self._opened[place, seconds]

    async def aclose(self) -> None:
        """Let go of what is open on the running loop."""
        for cache in self._opened.values():
            if cache is not None:
                await cache.aclose()
