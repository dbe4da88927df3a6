"""A source whose whole answers are kept: what was asked before is played, and equal requests at once are one request.

Invariants: only requests that say all that their answer depends on are looked up or kept; a stop is a reader's own: the stream
goes on for the others, and is closed with the last, before that one's leaving is over; no reader waits for another, as long as
the slowest is not too many bytes behind; trouble with the cache costs no answer, and an error reaches each reader as its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any
from weakref import WeakKeyDictionary

from msgspec import Struct

from nbgemini._async.scheduler import FairScheduler
from nbgemini.cache.cache import Cache
from nbgemini.cache.entry import CacheScope, Decode, cache_key, is_cacheable
from nbgemini.errors import TransportError
from nbgemini.services import OFFLINE_KEY
from nbgemini.transport.request import CachedFrame, Request, Source


class CachedSource:
    """Another source, asked only for what is not known."""

    def __init__(self, source: Source, cache: Cache, identity: CacheScope, decoder: Callable[[], Decode]) -> None:
        """Keep what `source` answers to `identity`; `decoder` makes what reads one stream."""
        self._source = source
        self._cache = cache
        self._identity = identity
        self._decoder = decoder
        self._streams: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, StreamTee]] = WeakKeyDictionary()

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the answer as they come, or as they came."""
        answer = (await self._shared(request)).read() if is_cacheable(request) else self._source.frames(request)
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

    async def _shared(self, request: Request) -> StreamTee:
        """Return the stream of this request: one that is open already, or a new one."""
        key = await asyncio.to_thread(cache_key, request, self._identity)
        streams = self._streams.setdefault(asyncio.get_running_loop(), {})
        stream = streams.get(key)
        if stream is None or not stream.open or request.reuse == "fresh":
            stream = streams[key] = StreamTee(lambda shared: self._pump(key, request, shared))

            def forget(_: asyncio.Task[None]) -> None:
                if streams.get(key) is stream:
                    del streams[key]

            stream.task.add_done_callback(forget)
        return stream

    async def _pump(self, key: str, request: Request, shared: StreamTee) -> None:
        """Play what is kept, or ask and keep."""
        known = None if request.reuse == "fresh" else await self._cache.get(key, self._decoder())
        if known is not None:
            self._cache.stats.hits += 1 + shared.followers
            self._cache.stats.save(known, 1 + shared.followers, offline=self._identity.key == OFFLINE_KEY)
            shared.play(known.frames)
            return
        self._cache.stats.misses += 1
        scheduler = FairScheduler.here()
        async with aclosing(self._source.frames(request)) as frames:
            async for frame in frames:
                await scheduler.turn()
                await shared.add(frame)
        shared.end()
        whole, followers = shared.frames, shared.followers
        entry = await self._cache.put(key, whole, self._decoder()) if whole else None
        self._cache.stats.shared += followers
        self._cache.stats.save(entry, followers, offline=self._identity.key == OFFLINE_KEY)


_MOST = 8 * 1024 * 1024  # bytes that wait for the slowest reader


class _Reader(Struct, eq=False):
    """How far one reader is; the one who pays is the one who came first."""

    pays: bool
    at: int = 0


class StreamTee:
    """A stream that is read once and told to all who ask for it."""

    def __init__(self, pump: Callable[[StreamTee], Coroutine[Any, Any, None]], most: int = _MOST) -> None:
        """Begin to read: `pump` adds what comes, and ends."""
        self.over = False  # whether nothing more comes
        self.followers = -1  # how many readers came besides the first
        self._error: Exception | None = None
        self._most = most
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._readers: list[_Reader] = []
        self._room = asyncio.Event()
        self._news: asyncio.Event | None = None  # that readers wait for
        self.task = asyncio.get_running_loop().create_task(self._run(pump))

    @property
    def frames(self) -> tuple[bytes, ...] | None:
        """All that came; None if it is too much to be kept."""
        return None if self._dropped else tuple(self._frames)

    @property
    def open(self) -> bool:
        """Whether one more may read, from the first frame on."""
        return not self.over and not self._dropped and bool(self._readers)

    async def read(self) -> AsyncGenerator[bytes, None]:
        """Yield all frames from the first on; those that this reader does not pay for are marked."""
        reader = _Reader(pays=not self._readers)
        self._readers.append(reader)
        self.followers += 1
        try:
            while (frame := await self._next(reader)) is not None:
                yield frame if reader.pays else CachedFrame(frame)
        finally:
            await self._leave(reader)
        if self._error is not None:
            raise _copy_of(self._error)

    async def add(self, frame: bytes) -> None:
        """Take a frame; return once there is room for the next."""
        self._frames.append(frame)
        self._bytes += len(frame)
        self._wake()
        while self._bytes > self._most:
            self._drop_what_all_have()
            if self._bytes > self._most:
                self._room.clear()
                await self._room.wait()

    def play(self, frames: Iterable[bytes]) -> None:
        """Take a whole answer that nobody pays for."""
        for reader in self._readers:
            reader.pays = False
        self._frames.extend(frames)
        self.end()

    def end(self, error: Exception | None = None) -> None:
        """Let nothing more come; harmless twice."""
        if not self.over:
            self.over, self._error = True, error
            self._wake()

    async def _run(self, pump: Callable[[StreamTee], Coroutine[Any, Any, None]]) -> None:
        try:
            await pump(self)
        except Exception as error:  # noqa: BLE001 - it is the readers' to judge
            self.end(error)
        finally:
            self.end(TransportError("the request was cancelled → ask again"))

    async def _next(self, reader: _Reader) -> bytes | None:
        while reader.at - self._dropped >= len(self._frames):
            if self.over:
                return None
            self._news = self._news or asyncio.Event()
            await self._news.wait()
        frame = self._frames[reader.at - self._dropped]
        reader.at += 1
        self._room.set()
        return frame

    async def _leave(self, reader: _Reader) -> None:
        self._readers.remove(reader)
        self._room.set()
        if self.over:
            return
        if self._readers:
            self._readers[0].pays |= reader.pays  # tokens are counted with the last frame
            return
        self.task.cancel()
        await asyncio.wait({self.task})

    def _drop_what_all_have(self) -> None:
        least = min((reader.at for reader in self._readers), default=0)
        while self._dropped < least:
            self._bytes -= len(self._frames.popleft())
            self._dropped += 1

    def _wake(self) -> None:
        """Wake the readers that wait; the next wait is for other news."""
        if self._news is not None:
            self._news.set()
            self._news = None


def _copy_of(error: Exception) -> Exception:
    """Return a copy of an error: who gets one adds what concerns him alone."""
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    return copy.with_traceback(error.__traceback__)
