"""What a setting means: `off`, `memory`, `sqlite`, `sqlite:PATH`, `redis://host:port/db`."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from nbgemini._storage.sqlite import default_path
from nbgemini.cache.base import Limits, Store
from nbgemini.cache.cache import Cache
from nbgemini.cache.memory import MemoryStore
from nbgemini.cache.redis import RedisStore
from nbgemini.cache.sqlite import SqliteStore
from nbgemini.errors import ConfigurationError
from nbgemini.secrets import Secret

WEEK = 7 * 24 * 3600.0
WORDS = ("off", "memory", "sqlite", "sqlite:PATH", "redis://HOST:PORT/DB")

_MIB = 1024 * 1024
_IN_MEMORY = 1_000, 64 * _MIB
_ON_DISK = 10_000, 256 * _MIB
_SCHEMES = ("redis", "rediss", "unix")
_HIGHEST = 65_535
_log = logging.getLogger("nbgemini")


def open_cache(
    setting: str,
    *,
    seconds: float = WEEK,
    entries: int | None = None,
    size: int | None = None,
    tell: Callable[[str], object] = _log.warning,
) -> Cache | None:
    """Return the cache that a setting means, not opened yet; None for `off`.

    Args:
        setting: one of `WORDS`.
        seconds: how long an answer is kept.
        entries: how many are kept at most; by default 1,000 in memory, 10,000 on disk. Redis has a setting of its own.
        size: how many bytes; by default 64 MiB in memory, 256 MiB on disk.
        tell: what hears, in one line, of a store's trouble.

    Raises:
        ConfigurationError: it means none, or needs a package that is not installed.
    """
    check(setting)
    if not seconds > 0:
        raise ConfigurationError(f"a cache keeps answers for more than 0 seconds, not {seconds:g}")
    name, _, rest = setting.strip().partition(":")
    if name == "off":
        return None
    most = _IN_MEMORY if name == "memory" else _ON_DISK
    limits = Limits(entries or most[0], size or most[1], seconds)
    return Cache(_store(name, rest, setting.strip(), limits, tell), limits, tell)


def check(setting: str) -> None:
    """Let a setting pass that means something here.

    Raises:
        ConfigurationError: it means nothing, or needs a package that is not installed.
    """
    name, _, rest = setting.strip().partition(":")
    if name in _SCHEMES and rest.startswith("//"):
        _check_server(setting.strip())
    elif name != "sqlite" and (name not in ("off", "memory") or rest):
        near = difflib.get_close_matches(name, [word.partition(":")[0] for word in WORDS], n=1)
        hint = f" (did you mean {near[0]}?)" if near and near[0] != name else ""
        raise ConfigurationError(f"{_shown(setting)} is no cache{hint}; {', '.join(WORDS[:-1])} or {WORDS[-1]}")


def _store(name: str, rest: str, setting: str, limits: Limits, tell: Callable[[str], object]) -> Store:
    if name == "memory":
        return MemoryStore(limits)
    if name == "sqlite":
        path = Path(rest).expanduser() if rest else default_path("cache.sqlite3")
        return SqliteStore(path, limits, tell)
    return RedisStore(setting, limits)


def _check_server(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "unix" or (parts.hostname and 0 < (parts.port or 1) <= _HIGHEST)
    except ValueError:
        fine = False
    if not fine:
        raise ConfigurationError(f"{_shown(url)} names no server; redis://HOST:PORT/DB does")
    if find_spec("redis") is None:
        raise ConfigurationError("a cache in Redis needs a package: pip install 'nbgemini[redis]'")


def _shown(setting: str) -> str:
    """Return a setting without what may be a password."""
    before, at, after = setting.rpartition("@")
    return repr(f"{before.partition('//')[0]}//…@{after}" if at else setting)


class Caches:
    """One cache for each place and time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._opened: dict[tuple[str, float], Cache | None] = {}

    def of(self, setting: str | Secret, seconds: float) -> Cache | None:
        """Return the cache that a setting means; None if it means none.

        Raises:
            ConfigurationError: it means nothing, or needs a package that is not installed.
        """
        place = setting.reveal() if isinstance(setting, Secret) else setting
        if (place, seconds) not in self._opened:
            self._opened[place, seconds] = open_cache(place, seconds=seconds)
        return self._opened[place, seconds]

    async def aclose(self) -> None:
        """Let go of what is open on the running loop."""
        for cache in self._opened.values():
            if cache is not None:
                await cache.aclose()
