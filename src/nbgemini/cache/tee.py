"""One stream that several readers share.

Invariants: no reader waits for another, as long as the slowest is not too many bytes behind; once the last of them has gone
the stream is closed, before that one's leaving is over; an error reaches each of them as its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any

from nbgemini.errors import TransportError
from nbgemini.transport.request import CachedFrame

_MOST = 8 * 1024 * 1024  # bytes that wait for the slowest reader


class _Reader:
    """How far one reader is; the one who pays is the one who came first."""

    def __init__(self, *, pays: bool) -> None:
        self.at = 0
        self.pays = pays
        self.news = asyncio.Event()


class Shared:
    """A stream that is read once and told to all who ask for it.

    Attributes:
        over: whether nothing more comes.
        followers: how many readers came besides the first.
    """

    def __init__(self, pump: Callable[[Shared], Coroutine[Any, Any, None]], most: int = _MOST) -> None:
        """Begin to read: `pump` adds what comes, and ends."""
        self.over = False
        self.followers = -1
        self._error: Exception | None = None
        self._most = most
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._readers: list[_Reader] = []
        self._room = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(pump))

    @property
    def task(self) -> asyncio.Task[None]:
        """Who reads."""
        return self._task

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
            raise _own(self._error)

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

    async def _run(self, pump: Callable[[Shared], Coroutine[Any, Any, None]]) -> None:
        try:
            await pump(self)
        except Exception as error:  # noqa: BLE001 - it is the readers' to judge
            self.end(error)
        finally:
            self.end(TransportError("whoever asked was cancelled → ask again"))

    async def _next(self, reader: _Reader) -> bytes | None:
        while reader.at - self._dropped >= len(self._frames):
            if self.over:
                return None
            reader.news.clear()
            await reader.news.wait()
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
        self._task.cancel()
        await asyncio.wait({self._task})

    def _drop_what_all_have(self) -> None:
        least = min((reader.at for reader in self._readers), default=0)
        while self._dropped < least:
            self._bytes -= len(self._frames.popleft())
            self._dropped += 1

    def _wake(self) -> None:
        for reader in self._readers:
            reader.news.set()


def _own(error: Exception) -> Exception:
    """Return a copy of an error: who gets one adds what concerns him alone."""
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    return copy.with_traceback(error.__traceback__)
