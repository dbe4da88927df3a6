"""What carries one request to one origin and brings the answer: our own connections, or httpx2's where a proxy stands between.

Invariants: a carrier adds the headers that say who asks, and keeps them out of whatever it raises; what it raises is ours.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from msgspec import Struct

from nbgemini.errors import TransportError
from nbgemini.transport.origin import is_loopback
from nbgemini.transport.timeouts import Watch

Identity: TypeAlias = Callable[[], Mapping[str, str]]  # the headers that say who asks: called for each request, never kept


class Limits(Struct, frozen=True):
    """Seconds to wait.

    Attributes:
        connect: for a connection.
        write: for the service to take the next piece of the request.
        first: for the first byte of the answer, once the request is out.
        gap: for the next byte; comments that keep the connection alive are bytes too,
        content: but not content, which must come within this time.
    """

    connect: float = 10.0
    write: float = 60.0
    first: float = 120.0
    gap: float = 120.0
    content: float = 300.0


class Outgoing(Struct, frozen=True):
    """A request as it goes out, without who asks; `target` is path and query, ready for the wire."""

    method: str
    target: str
    headers: Mapping[str, str] = {}
    content: bytes = b""


class Response(Protocol):
    """An answer whose head has come; header names in lower case."""

    @property
    def status(self) -> int:
        """Return the status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers."""
        ...

    async def chunk(self) -> bytes:
        """Wait for the next bytes of the body; nothing means that it is whole.

        Raises:
            TransportError: it ended before.
        """
        ...

    async def aclose(self) -> None:
        """Leave: the connection is closed at once, unless all was read and it may serve again."""
        ...


class Transport(Protocol):
    """The connections of one event loop to one origin."""

    async def ask(self, outgoing: Outgoing, watch: Watch) -> Response:
        """Send a request, tell `watch` when it is out, and wait for the head of the answer.

        Raises:
            TransportError: there was none.
            ConfigurationError: this can't be sent.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


def not_accepted(host: str, limits: Limits) -> TransportError:
    """Nobody took the connection."""
    return TransportError(f"{host} did not accept a connection in {limits.connect:g} s", passing=True)


def not_reached(host: str, error: Exception) -> TransportError:
    """There is no connection; a certificate will be no better the next time."""
    return TransportError(f"can't reach {host}: {cause(error)} → {_way_out(host)}", passing=not _is_about_tls(error))


def not_taken(host: str, limits: Limits) -> TransportError:
    """The request does not get through."""
    return TransportError(f"{host} took nothing of the request for {limits.write:g} s", passing=True)


def broken(host: str, why: str) -> TransportError:
    """The connection was lost with the answer, or what came is none."""
    return TransportError(f"the connection to {host} broke: {why} → ask again", passing=True)


def cause(error: Exception) -> str:
    """Say in a few words what the system said; never the URL."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__  # type: ignore[assignment]
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    if "Connect call failed" in text:
        return "connection refused"
    return " ".join(str(text).split())[:120]


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _way_out(host: str) -> str:
    """Say what helps where nobody can be reached: on this machine it is not the network."""
    return "is the service running on this machine?" if is_loopback(host) else "check the network, or %gemini demo"
