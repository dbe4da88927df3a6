"""Answers that are kept, so that the same question is not paid for twice."""

from nbgemini.cache.cache import Cache, CacheStats, open_cache

__all__ = ["Cache", "CacheStats", "open_cache"]
