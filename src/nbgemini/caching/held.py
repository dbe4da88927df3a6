"""The caches that a client has had: one for each setting, so that what is in memory outlives a change of other settings."""

from __future__ import annotations

from nbgemini.caching.cache import Cache
from nbgemini.caching.opening import open_cache
from nbgemini.secret import Secret


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
