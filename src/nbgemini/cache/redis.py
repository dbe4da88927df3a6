"""A store in a Redis server that several machines may share: the only file that imports the Redis library.

Invariants: all that is ours begins with one prefix, and nothing else is touched; the server itself forgets what is too old, and
how much it holds is its own setting (`maxmemory`, with a policy like `allkeys-lru`); nothing is tried twice; the password is in
no line that anybody reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from nbgemini._async.threads import run_in_import_thread
from nbgemini.cache.entry import LARGEST
from nbgemini.cache.store import Limits, Size, Store

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX = "nbgemini:1:"
_SCANNED = 1000  # names that the server looks through at once
_COUNTED = 100_000  # entries; a count stops there


class RedisStore(Store):
    """One database of one server."""

    patience = 0.2  # a busy disk is worth more waiting than a busy server

    def __init__(self, url: str, limits: Limits) -> None:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        self.where = f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
        self.bound = "what the server keeps (its maxmemory)"
        self._url = url
        self._limits = limits
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Redis] = WeakKeyDictionary()

    async def prepare(self) -> None:
        """Import the library."""
        await run_in_import_thread(_library)

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a name; what is too long to be ours is nothing."""
        found = await self._client().getrange(PREFIX + key, 0, 2 * LARGEST)
        return found if isinstance(found, bytes) and 0 < len(found) <= 2 * LARGEST else None

    async def put(self, key: str, value: bytes) -> None:
        """Keep this."""
        await self._client().set(PREFIX + key, value, px=max(1, int(self._limits.seconds * 1000)))

    async def drop(self, key: str) -> None:
        """Keep nothing under this name."""
        await self._client().unlink(PREFIX + key)

    async def clear(self) -> int:
        """Keep nothing of ours."""
        count = 0
        async for keys in self._pages():
            count += await self._client().unlink(*keys)
        return count

    async def size(self) -> Size:
        """Return how much of ours is kept."""
        entries = size = 0
        async for keys in self._pages():
            entries += len(keys)
            pipe = self._client().pipeline(transaction=False)
            for key in keys:
                pipe.strlen(key)
            size += sum(await pipe.execute())
            if entries >= _COUNTED:
                return Size(entries, size, more=True)
        return Size(entries, size)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            with suppress(Exception):  # it may be broken
                await client.aclose()

    def _client(self) -> Redis:
        return self._clients.setdefault(asyncio.get_running_loop(), _library()(self._url))

    async def _pages(self) -> AsyncGenerator[Sequence[bytes | str], None]:
        """Yield our names; one that comes and goes meanwhile may be missing, or be there twice."""
        cursor = -1
        while cursor:
            cursor, keys = await self._client().scan(max(cursor, 0), match=PREFIX + "*", count=_SCANNED)
            if keys:
                yield keys


def _library() -> partial[Redis]:
    """Return what makes a client that has no patience of its own: its user has."""
    from redis.asyncio import Redis  # noqa: PLC0415 - optional, and 130 ms
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    never = Retry(NoBackoff(), 0)
    return partial(Redis.from_url, retry=never, socket_timeout=None, socket_connect_timeout=None, max_connections=64)
