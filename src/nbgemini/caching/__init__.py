"""Answers that are kept, so that the same question is not paid for twice."""

from nbgemini.caching.cache import Cache, Stats
from nbgemini.caching.opening import open_cache

__all__ = ["Cache", "Stats", "open_cache"]
