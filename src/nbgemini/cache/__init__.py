"""Answers that are kept, so that the same question is not paid for twice."""

from nbgemini.cache.cache import Cache, Stats
from nbgemini.cache.config import open_cache

__all__ = ["Cache", "Stats", "open_cache"]
