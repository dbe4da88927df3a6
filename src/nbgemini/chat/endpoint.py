"""The way to one service: its codec, its source of frames, and what all requests to it share.

An endpoint owns the retries: no source and no codec sends anything twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Self, TypeVar

from msgspec import Struct, structs

from nbgemini.chat.uploads import FileUploader, InlineFiles
from nbgemini.errors import NbGeminiError, WireError
from nbgemini.providers.base import Codec
from nbgemini.providers.gemini.codec import GeminiCodec
from nbgemini.transport.limiter import ConcurrencyLimiter
from nbgemini.transport.request import Request, Source
from nbgemini.transport.retry import Retry, RetryPolicy

T = TypeVar("T")

_LARGEST = 64 * 2**20  # bytes of all frames


class Endpoint(Struct, frozen=True, eq=False):
    """Where requests to one service go, and how.

    Attributes:
        codec: turns into requests, frames into events.
        source: requests into frames.
        limiter: how many requests run at once; the others stand in line.
        retry: how requests are retried.
        uploads: how files go along.
        offline: whether the offline service answers, so that nothing is spent.
    """

    codec: Codec
    source: Source
    limiter: ConcurrencyLimiter
    retry: Retry
    uploads: FileUploader | InlineFiles
    offline: bool = False

    @classmethod
    def over(cls, source: Source, codec: Codec | None = None, *, streams: int = 1000, retry: Retry | None = None) -> Self:
        """Return an endpoint of a source, Gemini's by default; large files are uploaded through it."""
        retry = retry or Retry()
        return cls(codec or GeminiCodec(), source, ConcurrencyLimiter(streams), retry, FileUploader(source, "v1beta", retry))

    def through(self, source: Source) -> Self:
        """Return the same endpoint with another source; requests to both stand in one line."""
        return structs.replace(self, source=source)

    def without_retries(self) -> Self:
        """Return the same endpoint, which sends each request once."""
        return structs.replace(self, retry=structs.replace(self.retry, policy=RetryPolicy(attempts=1)))

    async def fetch(self, request: Request) -> bytes:
        """Return the one frame of a response that does not stream.

        Raises:
            NbGeminiError: there is none.
        """
        return await self.persist(lambda: self._first_frame(request))

    async def persist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what `ask` returns, called again after transient failures; while that is waited for, no place is held.

        Raises:
            NbGeminiError: it failed for good.
        """
        attempts = self.retry.attempts()
        while True:
            try:
                async with self.limiter.permit() as permit:
                    await permit.wait()
                    answer = await ask()
            except NbGeminiError as error:
                wait = attempts.again(error)
                if wait is None:
                    raise
            else:
                attempts.succeeded()
                return answer
            await self.retry.sleep(wait)

    async def _first_frame(self, request: Request) -> bytes:
        first, size = None, 0
        async with aclosing(self.source.frames(request)) as frames:
            async for frame in frames:
                first, size = first or frame, size + len(frame)
                if size > _LARGEST:
                    raise WireError("the service does not stop sending → check the base URL")
        if not first:
            raise WireError("the service sent an empty answer → ask again")
        return first
