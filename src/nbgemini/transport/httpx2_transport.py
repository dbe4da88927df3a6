"""The way through httpx2, which knows proxies: the only file that imports it, or httpx for older official clients.

Invariants: redirects are never followed (one would carry the key to another host); library and TLS context are loaded in a
thread; whatever the library raises leaves as one of our own errors, without the request it held.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from nbgemini._async.scheduler import Pace
from nbgemini._environment import hush
from nbgemini.errors import ConfigurationError, NbGeminiError, TransportError, WireError
from nbgemini.transport.forks import keep_from_children
from nbgemini.transport.framing import Framer
from nbgemini.transport.framing.unpacking import CODINGS, Unpacker
from nbgemini.transport.http import PIECE
from nbgemini.transport.origin import Origin
from nbgemini.transport.timeouts import Watch
from nbgemini.transport.tls import context_for
from nbgemini.transport.transport import (
    Identity,
    Limits,
    Outgoing,
    broken,
    cause,
    not_accepted,
    not_reached,
    not_taken,
)

if TYPE_CHECKING:
    import httpx2

Library: TypeAlias = Literal["httpx2", "httpx"]
LIBRARIES: tuple[Library, ...] = get_args(Library)
_REQUEST_IS_OUT = "receive_response_headers.started"
_CONNECTED = ("connection.connect_tcp.complete", "connection.connect_unix_socket.complete")


class ThroughHttpx2:
    """The connections of one event loop, kept by httpx2."""

    def __init__(self, origin: Origin, identity: Identity, limits: Limits) -> None:
        """Import the library and build a client; belongs into a thread, because both hold the interpreter for long."""
        self.client = new_client(limits, origin)
        self._origin = origin
        self._host = origin.host
        self._identity = identity
        self._limits = limits

    async def ask(self, outgoing: Outgoing, watch: Watch) -> Httpx2Response:
        """Send a request and wait for the head of the answer."""
        try:
            return Httpx2Response(await self.client.send(self._request(outgoing, watch), stream=True), self._host, self._limits)
        except Exception as error:  # noqa: BLE001 - the border: what leaves is ours, the rest goes on as it was
            trouble = mapped(error, self._host, self._limits)
        raise trouble  # out here it has no context: the library's error holds the request, and that the key

    async def aclose(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    def _request(self, outgoing: Outgoing, watch: Watch) -> httpx2.Request:
        """Return the library's request, which says by itself how far it is."""
        return self.client.build_request(
            outgoing.method,
            f"{self._origin.root}{outgoing.target}",
            headers={**outgoing.headers, **self._identity()},
            content=outgoing.content,
            extensions={"trace": tracing(watch)},
        )


class Httpx2Response:
    """An answer that httpx2 brings."""

    def __init__(self, response: httpx2.Response, host: str, limits: Limits) -> None:
        """Wrap the library's."""
        self._response = response
        self._chunks = response.aiter_bytes()
        self._host = host
        self._limits = limits

    @property
    def status(self) -> int:
        """Return the status code."""
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers, names in lower case."""
        return {name.lower(): value for name, value in self._response.headers.items()}

    async def chunk(self) -> bytes:
        """Wait for the next bytes of the body; nothing means that it is whole."""
        try:
            return await anext(self._chunks, b"")
        except Exception as error:  # noqa: BLE001 - the border, as above
            trouble = mapped(error, self._host, self._limits)
        raise trouble

    async def aclose(self) -> None:
        """Leave."""
        await self._chunks.aclose()
        await self._response.aclose()


def new_client(limits: Limits, origin: Origin, library: Library = "httpx2") -> httpx2.AsyncClient:
    """Import the library and build a client.

    Raises:
        ConfigurationError: the environment wants a proxy that the library can't use.
    """
    import anyio  # noqa: PLC0415

    hush("asyncio", "httpx2", "httpcore2", "httpx", "httpcore")
    http: Any = importlib.import_module(library)
    anyio.run(anyio.sleep, 0)  # loads anyio's backend, which the first connection would do on the loop, for 60 ms
    try:
        client: httpx2.AsyncClient = http.AsyncClient(
            verify=context_for(origin),
            trust_env=not origin.loopback,  # which is how the library finds proxies
            timeout=http.Timeout(None, connect=limits.connect, write=limits.write),  # for reading there is the watch
            limits=http.Limits(max_connections=None, max_keepalive_connections=20),  # whoever sends has so many places
            follow_redirects=False,
        )
    except ImportError as error:
        why = cause(error)
    except (ValueError, http.InvalidURL):  # which quotes the address, and that may hold a password
        why = "its address is none that is known"
    else:
        return client
    raise ConfigurationError(f"the proxy that the environment sets can't be used: {why} → look at HTTPS_PROXY, ALL_PROXY")


def meter(response: httpx2.Response, tell: Callable[[NbGeminiError], object]) -> None:
    """Let the body be read in bounded pieces, others having their turn between them, by whoever reads it.

    What is no answer ends there: `tell` hears why, as the reader may say it otherwise.
    """
    library: Any = sys.modules[type(response).__module__.partition(".")[0]]  # httpx2, or httpx for older clients
    raw, coding = response.stream, response.headers.get("content-encoding", "").strip().lower()
    if coding in CODINGS:
        del response.headers["content-encoding"]

    class Metered(library.AsyncByteStream):  # type: ignore[misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            framer, pace = Framer(), Pace.here()
            async with aclosing(_unpacked(raw, coding)) as pieces:
                async for piece in pieces:
                    for at in range(0, len(piece), PIECE):
                        await pace.ready()
                        try:
                            framer.feed(piece[at : at + PIECE])
                        except NbGeminiError as error:
                            tell(error)
                            raise
                        yield piece[at : at + PIECE]

        async def aclose(self) -> None:
            await raw.aclose()  # type: ignore[union-attr]

    response.stream = Metered()


async def _unpacked(raw: Any, coding: str) -> AsyncGenerator[bytes, None]:
    unpacker = Unpacker(coding) if coding in CODINGS else None
    async for data in raw:
        if unpacker is None:
            yield data
            continue
        yield unpacker.feed(data)
        while unpacker.more:
            yield unpacker.feed(b"")
        if unpacker.trouble:
            raise WireError(f"the answer can't be unpacked: {unpacker.trouble}")


def tracing(watch: Watch) -> Any:
    """Return what httpcore2 tells how far a request is (its trace extension), so that `watch` knows when to count."""

    async def trace(name: str, info: dict[str, Any]) -> None:
        if name.endswith(_REQUEST_IS_OUT):
            watch.sent()
        elif name in _CONNECTED:
            stream = info["return_value"]
            keep_from_children(stream, stream.get_extra_info("socket"))

    return trace


def mapped(error: Exception, host: str, limits: Limits) -> NbGeminiError:
    """Return our own error for the library's; raises any other again."""
    roots = (kind.__module__.partition(".")[0] for kind in type(error).__mro__)
    http: Any = next((sys.modules[root] for root in roots if root in LIBRARIES), None)
    if http is None:
        raise error
    if isinstance(error, http.ConnectTimeout):
        return not_accepted(host, limits)
    if isinstance(error, http.ConnectError):
        return not_reached(host, error)
    if isinstance(error, http.TimeoutException):
        return not_taken(host, limits)
    if isinstance(error, http.ProxyError):
        return TransportError(f"the proxy does not let us through to {host}: {cause(error)}")
    if isinstance(error, http.HTTPError):
        return broken(host, cause(error))
    if isinstance(error, http.InvalidURL):
        return ConfigurationError(f"not a usable address: {host}")
    raise error
