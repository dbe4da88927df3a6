"""One plain answer for one request: as many at once as the client has places, and again after trouble that passes."""

from __future__ import annotations

from contextlib import aclosing

from nbgemini.errors import NbGeminiError, WireError
from nbgemini.request import Request
from nbgemini.sending import Sending


async def fetch(sending: Sending, request: Request) -> bytes:
    """Return the one frame of an answer that does not stream; whoever waits to send it again holds no place.

    Raises:
        NbGeminiError: no answer came.
    """
    attempts = sending.attempts()
    while True:
        try:
            frame = await _once(sending, request)
        except NbGeminiError as error:
            wait = attempts.again(error)
            if wait is None:
                raise
        else:
            attempts.succeeded()
            return frame
        await sending.sleep(wait)


async def _once(sending: Sending, request: Request) -> bytes:
    async with sending.place() as place:
        await place.granted.wait()
        async with aclosing(sending.source.frames(request)) as frames:
            all_ = [frame async for frame in frames]
    if not all_:
        raise WireError("the service sent an empty answer → ask again")
    return all_[0]
