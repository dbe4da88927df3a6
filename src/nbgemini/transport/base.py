"""A source is one method: whatever answers a request with frames is one."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from nbgemini.transport.request import Request


class ReplayedFrame(bytes):
    """A frame that no service sent just now; `badge` says in a word where it came from: out of a cassette."""

    badge = "replay"


class CachedFrame(ReplayedFrame):
    """A frame of an answer that was paid for before, or by another prompt of the same moment."""

    badge = "cache"


class Source(Protocol):
    """What turns a request into frames: the network, a cassette, a cache."""

    def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the answer as they come; closing the generator drops the connection at once.

        Raises:
            TransportError: no answer, or not all of it, came through.
            ApiError: the service answered with an error.
            WireError: the answer is not one of this API.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connections of the running loop."""
        ...

    def retire(self) -> None:
        """Let go of the connections as soon as no stream needs them."""
        ...


class Answer(Struct, frozen=True):
    """What came back; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes


@runtime_checkable
class SupportsCall(Protocol):
    """What makes one plain call after the other."""

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b"") -> Answer:
        """Send one request and return the whole answer; a path that begins with a slash stands below the host, not the base.

        Raises:
            TransportError: no answer came through.
            ApiError: the service answered with an error.
        """
        ...


def shut_down(connection: Any) -> None:
    """Shut the socket of a connection down, given as asyncio has it: a forked child's copy would hold the stream open."""
    number = connection.fileno()
    if number >= 0:  # else it is closed
        with suppress(OSError), socket.socket(fileno=number) as same:
            try:
                same.shutdown(socket.SHUT_RDWR)
            finally:
                same.detach()
