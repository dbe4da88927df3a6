"""The connections of each event loop, by which everything goes out: our own requests and those of the official clients.

Invariant: what the transport raises leaves as one of our own errors, without the request that it held.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from nbgemini._async.threads import run_in_import_thread
from nbgemini._environment import hush
from nbgemini.errors import ConfigurationError, NbGeminiError, TransportError, root_cause
from nbgemini.transport.api_errors import cause
from nbgemini.transport.origin import is_loopback
from nbgemini.transport.timeouts import Timeouts

if TYPE_CHECKING:
    import httpx2


class HttpClients:
    """The transports of all event loops, or the one client that the user made."""

    def __init__(self, client: httpx2.AsyncClient | None = None) -> None:
        """Open nothing yet; a user's `client` is used on every loop, and never closed here."""
        self._given = client
        self._transports: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncBaseTransport] = WeakKeyDictionary()
        self._streams = 0
        self._retired = False
        self._closing: set[asyncio.Task[None]] = set()

    async def sender(self) -> Callable[[httpx2.Request], Coroutine[Any, Any, httpx2.Response]]:
        """Return what sends requests on the running loop, and follows no redirect; httpx2 is loaded by then."""
        if self._given is not None:
            return partial(self._given.send, stream=True, follow_redirects=False)
        loop = asyncio.get_running_loop()
        transport = self._transports.get(loop)  # a client around it would cost each request 40 µs, and add nothing
        if transport is None:
            transport = self._transports.setdefault(loop, await run_in_import_thread(_new_transport))
        return transport.handle_async_request

    def enter(self) -> None:
        """Keep the connections open, retired or not, until this stream leaves."""
        self._streams += 1

    def leave(self) -> None:
        """Close what is retired, after the last stream."""
        self._streams -= 1
        self._close_if_unused()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        transport = self._transports.pop(asyncio.get_running_loop(), None)
        if transport is not None:
            await transport.aclose()

    def retire(self) -> None:
        """Close the connections of the running loop as soon as no stream needs them."""
        self._retired = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._retired and not self._streams:
            with suppress(RuntimeError):  # no loop runs: nothing is open on it
                closing = asyncio.get_running_loop().create_task(self.aclose())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)


def _new_transport() -> httpx2.AsyncBaseTransport:
    """Import httpx2 and return a transport; runs in a thread, because the import holds the interpreter."""
    from nbgemini.transport.routes import RoutingTransport  # noqa: PLC0415 - imports httpx2

    hush("asyncio", "httpx2")
    return RoutingTransport()


def translate_error(error: Exception, host: str, timeouts: Timeouts) -> NbGeminiError:
    """Return our own error for the transport's; raise any other again."""
    import httpx2  # noqa: PLC0415 - loaded long ago

    match error:
        case NbGeminiError():
            return error
        case httpx2.ConnectTimeout():
            message, passing = f"{host} did not accept a connection in {timeouts.connect:g} s", True
        case httpx2.ConnectError():
            message = f"can't reach {host}: {cause(error)} → {_way_out(host)}"
            passing = not isinstance(root_cause(error), ssl.SSLError)  # a certificate will be no better the next time
        case httpx2.TimeoutException():
            message, passing = f"{host} took nothing of the request for {timeouts.write:g} s", True
        case httpx2.ProxyError():
            message, passing = f"the proxy does not let us through to {host}: {cause(error)}", False
        case httpx2.LocalProtocolError() | httpx2.InvalidURL():
            return ConfigurationError(f"the request to {host} contains what HTTP does not allow → check the key")
        case httpx2.HTTPError():
            message, passing = f"the connection to {host} broke: {cause(error)} → ask again", True
        case _:
            raise error
    return TransportError(message, passing=passing)


def _way_out(host: str) -> str:
    """Say what helps where nobody can be reached: on this machine it is not the network."""
    return "is the service running on this machine?" if is_loopback(host) else "check the network, or %gemini demo"
