"""Asking and listening: one request of a reply after the other, each as often as it needs, until the service has said it all.

Invariants: a request is sent again only while nothing of its answer was shown; every stream is owned, so that stopping closes
the connection at once; whoever waits for a place or for the next attempt holds no place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeAlias

from msgspec import structs

from nbgemini._async.scheduler import Pace
from nbgemini.chat.endpoint import Sending
from nbgemini.chat.reply import Reply
from nbgemini.errors import ApiError, NbGeminiError, WireError
from nbgemini.messages.events import Event, Queued, Retrying, Uploading
from nbgemini.messages.segments import Change
from nbgemini.messages.turns import Turn, merge_text
from nbgemini.providers.base import ONWARD, OVER, Decoder
from nbgemini.transport.base import Cached, Played
from nbgemini.transport.request import Request

Step: TypeAlias = tuple[list[Event], list[Change]]

MOST_SEGMENTS = 2_000  # of one reply
_SMALL = 65_536  # bytes of a frame that is read on the loop
_AT_ONCE = 32  # events of one frame that are taken before others have their turn
_LOOK_AGAIN = 1.0  # seconds after which a waiting reply says anew how many are ahead


class Listening:
    """The requests of one reply: each waits for a place, and goes out again after trouble that passes."""

    def __init__(self, reply: Reply, sending: Sending) -> None:
        """Ask for `reply`."""
        self._reply = reply
        self._provider = sending.provider
        self._sending = sending

    async def listen(self, turns: Sequence[Turn]) -> AsyncGenerator[Step, None]:
        """Ask and yield what comes; the service may cut its answer in two."""
        shipment = self._sending.files.shipment(turns)
        async with aclosing(shipment.progress()) as notices:
            async for notice in notices:
                yield self._hold(notice)
        token: str | None = ""
        while token is not None:
            so_far = [Turn("model", merge_text(self._reply.exchange.parts))] if token == ONWARD else []
            request = self._provider.encode([*shipment.turns, *so_far], self._reply.options, continuation=token)
            request = structs.replace(request, reuse="fresh" if self._reply.options.fresh else "any")
            async with aclosing(self._persist(request)) as steps:
                async for step in steps:
                    yield step
            token = self._reply.incoming.next_request()

    async def _persist(self, request: Request) -> AsyncGenerator[Step, None]:
        """Send a request, and again as long as it brings nothing but trouble that passes."""
        attempts = self._sending.attempts()
        while True:
            try:
                async with aclosing(self._attempt(request)) as steps:
                    async for step in steps:
                        yield step
            except NbGeminiError as error:
                self._sending.files.doubt(error)
                wait = attempts.again(error) if self._reply.incoming.untouched else None
                if wait is None:
                    _count(error, attempts.made)
                    raise
                retrying = Retrying(_trouble(error), wait, attempts.made, attempts.most)
            else:
                attempts.succeeded()
                return
            yield self._hold(retrying)
            await self._sending.sleep(wait)

    async def _attempt(self, request: Request) -> AsyncGenerator[Step, None]:
        """Send a request once, as soon as there is a place."""
        reply, pace, decode = self._reply, Pace.here(), self._provider.decoder()
        async with self._sending.place() as place:
            while not place.granted.is_set():
                yield self._hold(Queued(place.ahead))
                await place.wait(_LOOK_AGAIN)
            reply.go_on()
            try:
                async with aclosing(self._sending.source.frames(request)) as frames:
                    async for frame in frames:
                        reply.so_far.played = _origin(frame, reply.so_far.played)
                        await pace.ready()
                        said = decode(frame) if len(frame) <= _SMALL else await asyncio.to_thread(decode, frame)
                        for at in range(0, len(said), _AT_ONCE):
                            if at:
                                await pace.ready()
                            events = reply.take(said[at : at + _AT_ONCE], begins=not at)
                            yield events, reply.show(events)
                            reply.incoming.raise_fault()
                            _refuse_shreds(reply)
            except NbGeminiError:
                if held := self._held(decode):
                    yield held
                raise
            if held := self._held(decode):
                yield held
            reply.incoming.raise_if_empty()

    def _held(self, decode: Decoder) -> Step | None:
        """Return what was held back of the answer, as its body has ended, if anything."""
        events = self._reply.take(decode(OVER))
        return (events, self._reply.show(events)) if events else None

    def _hold(self, notice: Queued | Retrying | Uploading) -> Step:
        self._reply.hold(notice)
        return [notice], []


def _refuse_shreds(reply: Reply) -> None:
    """Let an answer pass that a page can hold.

    Raises:
        WireError: it changes its kind too often.
    """
    if len(reply.so_far.segments) > MOST_SEGMENTS:
        raise WireError(f"an answer in more than {MOST_SEGMENTS:,} pieces of different kinds can't be shown → ask for less")


def _origin(frame: bytes, before: str) -> str:
    """Return where an answer comes from: a cassette if any of it does, else where its last frame came from, which pays."""
    if isinstance(frame, Played):
        return frame.badge
    return "" if before == Cached.badge else before


def _trouble(error: NbGeminiError) -> str:
    """Say in a word or two what is being waited out."""
    return f"{error.code} {error.status}".strip() if isinstance(error, ApiError) else str(error)


def _count(error: NbGeminiError, attempts: int) -> None:
    """Say how often it was tried."""
    if attempts > 1:
        error.args = (f"{error} (tried {attempts} times)",)
