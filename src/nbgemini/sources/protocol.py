"""A source is one method: whatever answers a request with frames is one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from nbgemini.request import Request


class Played(bytes):
    """A frame that no service sent just now; `badge` says in a word where it came from: out of a cassette."""

    badge = "replay"


class Cached(Played):
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
