"""How the requests of a client go out: through a source, so many at once, and again after trouble that passes.

The one owner of retries: no source and no provider sends anything twice.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from time import monotonic
from typing import Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from nbgemini.chat.inline_files import Carrying
from nbgemini.chat.uploads import Files
from nbgemini.errors import NbGeminiError, WireError
from nbgemini.providers.base import Provider
from nbgemini.providers.gemini.codec import Gemini
from nbgemini.transport.base import Source
from nbgemini.transport.limiter import Place, Places
from nbgemini.transport.request import Request
from nbgemini.transport.retry import Attempts, Budget, Policy

Sleep: TypeAlias = Callable[[float], Awaitable[object]]

BUDGET = Budget()  # of the process: a hundred clients in a storm are one storm


class Sending:
    """What all requests of a client to one service share.

    Attributes:
        provider: the codec that the service is spoken to with.
        files: how files go along.
    """

    def __init__(
        self,
        source: Source,
        policy: Policy | None = None,
        *,
        streams: int = 1000,
        sleep: Sleep = asyncio.sleep,
        provider: Provider | None = None,
    ) -> None:
        """Send `streams` requests at once; `sleep` waits so many seconds before one is sent again."""
        self.provider = provider or Gemini()
        self.files: Files | Carrying = Files(source, "v1beta", self.attempts, sleep)
        self.source = source
        self.sleep = sleep
        self._policy = policy or Policy()
        self._streams = streams
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, Places] = WeakKeyDictionary()

    def through(self, source: Source) -> Self:
        """Return the same way through another source: both stand in one line."""
        other = copy.copy(self)
        other.source = source
        return other

    def once(self) -> Self:
        """Return the same way, on which nothing is sent again: who asks has a patience of its own."""
        other = copy.copy(self)
        other._policy = Policy(attempts=1)  # noqa: SLF001 - one of our own
        return other

    def attempts(self) -> Attempts:
        """Return the count of one request's attempts, from now on."""
        return Attempts(self._policy, BUDGET, monotonic, random.random)

    def place(self) -> Place:
        """Return a place among the requests of the running loop."""
        loop = asyncio.get_running_loop()
        places = self._places.get(loop)
        if places is None:
            places = self._places[loop] = Places(self._streams)
        return places.place()


_LARGEST = 64 * 2**20  # bytes of all frames
_T = TypeVar("_T")


async def fetch(sending: Sending, request: Request) -> bytes:
    """Return the one frame of an answer that does not stream.

    Raises:
        NbGeminiError: no answer came.
    """
    return await persist(sending, partial(_first_frame, sending, request))


async def persist(sending: Sending, ask: Callable[[], Awaitable[_T]]) -> _T:
    """Return what `ask` brings, asked again after trouble that passes; whoever waits for that holds no place.

    Raises:
        NbGeminiError: it brings none.
    """
    attempts = sending.attempts()
    while True:
        try:
            async with sending.place() as place:
                await place.granted.wait()
                answer = await ask()
        except NbGeminiError as error:
            wait = attempts.again(error)
            if wait is None:
                raise
        else:
            attempts.succeeded()
            return answer
        await sending.sleep(wait)


async def _first_frame(sending: Sending, request: Request) -> bytes:
    first, held = None, 0
    async with aclosing(sending.source.frames(request)) as frames:
        async for frame in frames:
            first, held = first or frame, held + len(frame)
            if held > _LARGEST:
                raise WireError("the service goes on and on where one answer was asked for → check the base URL")
    if not first:
        raise WireError("the service sent an empty answer → ask again")
    return first
