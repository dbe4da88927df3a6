"""A source whose whole answers are kept: what was asked before is played, and equal requests at once are one request.

Invariants: only requests that say all that their answer depends on are looked up or kept; a stop is a reader's own: the stream
goes on for the others, and is closed with the last; trouble with the cache costs no answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from weakref import WeakKeyDictionary

from nbgemini._async.scheduler import FairScheduler
from nbgemini.cache.cache import Cache
from nbgemini.cache.entry import Decode
from nbgemini.cache.key import Identity, key_for, may_be_kept
from nbgemini.cache.tee import Shared
from nbgemini.transport.request import Request, Source


class CachedSource:
    """Another source, asked only for what is not known."""

    def __init__(self, source: Source, cache: Cache, identity: Identity, decoder: Callable[[], Decode]) -> None:
        """Keep what `source` answers to `identity`; `decoder` makes what reads one stream."""
        self._source = source
        self._cache = cache
        self._identity = identity
        self._decoder = decoder
        self._streams: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Shared]] = WeakKeyDictionary()

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the answer as they come, or as they came."""
        answer = (await self._shared(request)).read() if may_be_kept(request) else self._source.frames(request)
        async with aclosing(answer) as frames:
            async for frame in frames:
                yield frame

    async def aclose(self) -> None:
        """Let go of the connections of the running loop, once what came is kept."""
        here = self._streams.pop(asyncio.get_running_loop(), {})
        if ended := [stream.task for stream in here.values() if stream.over]:
            await asyncio.wait(ended)
        await self._source.aclose()

    def retire(self) -> None:
        """Let go of the connections as soon as no stream needs them."""
        self._source.retire()

    async def _shared(self, request: Request) -> Shared:
        """Return the stream of this request: one that is open already, or a new one."""
        key = await asyncio.to_thread(key_for, request, self._identity)
        streams = self._streams.setdefault(asyncio.get_running_loop(), {})
        stream = streams.get(key)
        if stream is None or not stream.open or request.reuse == "fresh":
            stream = streams[key] = Shared(lambda shared: self._pump(key, request, shared))
            stream.task.add_done_callback(lambda _: self._forget(streams, key, stream))
        return stream

    async def _pump(self, key: str, request: Request, shared: Shared) -> None:
        """Play what is kept, or ask and keep."""
        known = None if request.reuse == "fresh" else await self._cache.get(key, self._decoder())
        if known is not None:
            self._cache.stats.hit(known, 1 + shared.followers)
            shared.play(known.frames)
            return
        self._cache.stats.misses += 1
        await self._ask(request, shared)
        frames, followers = shared.frames, shared.followers
        entry = await self._cache.put(key, frames, self._decoder()) if frames else None
        self._cache.stats.share(entry, followers)

    async def _ask(self, request: Request, shared: Shared) -> None:
        scheduler = FairScheduler.here()
        async with aclosing(self._source.frames(request)) as frames:
            async for frame in frames:
                await scheduler.turn()
                await shared.add(frame)
        shared.end()

    @staticmethod
    def _forget(streams: dict[str, Shared], key: str, stream: Shared) -> None:
        if streams.get(key) is stream:
            del streams[key]
