"""What is asked of a service, as plain data, and the protocols of what answers: with frames, or with one whole response."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal, Protocol, runtime_checkable

from msgspec import Struct


class Request(Struct, frozen=True):
    """Method, path below the base URL, query and JSON body; never a key, never a host.

    `reuse` says whether an answer may be another's: `never` of what does something or is no prompt; with `fresh` it is asked
    anew, for later ones.
    """

    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = {}
    method: Literal["GET", "POST"] = "POST"
    reuse: Literal["never", "fresh", "any"] = "never"

    @property
    def streams(self) -> bool:
        """Whether the answer is asked for piece by piece, in whichever way the service has for that."""
        return "alt" in self.query or bool(self.body and self.body.get("stream"))


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


class WholeResponse(Struct, frozen=True):
    """What came back; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes


@runtime_checkable
class SupportsCall(Protocol):
    """What makes one plain call after the other."""

    async def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> WholeResponse:
        """Send one request and return the whole answer; a path that begins with a slash stands below the host, not the base.

        Raises:
            TransportError: no answer came through.
            ApiError: the service answered with an error.
        """
        ...
