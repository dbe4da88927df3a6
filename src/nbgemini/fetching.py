"""One plain answer for one request: as many at once as the client has places, and again after trouble that passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from nbgemini.errors import NbGeminiError, WireError
from nbgemini.request import Request
from nbgemini.sending import Sending

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
