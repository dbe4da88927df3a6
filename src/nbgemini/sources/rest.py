"""Frames over HTTP: one request out, the frames of its answer in.

Invariants: the key travels in one header and nowhere else; redirects are never followed (a redirect would carry the key to
another host); each event loop has connections of its own; what is slow to load (certificates, httpx2 where there is a proxy) is
loaded once, in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import msgspec

from nbgemini.errors import ConfigurationError
from nbgemini.loading import load
from nbgemini.request import Request
from nbgemini.secret import Secret
from nbgemini.services import KNOWN, Service
from nbgemini.sources.calling import Answer
from nbgemini.sources.http1 import Http1
from nbgemini.sources.origin import origin_of, target_of
from nbgemini.sources.reading import cut, raise_if_refused, whole
from nbgemini.sources.tls import tls_context
from nbgemini.sources.transport import Identity, Limits, Outgoing, Response, Transport
from nbgemini.sources.watch import Watch

__all__ = ["Limits", "RestSource"]

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_JSON = {"content-type": "application/json"}


class RestSource:
    """Sends requests to one base URL with one key."""

    def __init__(
        self,
        base_url: str,
        key: Secret,
        *,
        service: Service = KNOWN["gemini"],
        limits: Limits | None = None,
    ) -> None:
        """Remember where and as whom to ask; nothing is opened yet.

        Args:
            base_url: what all paths stand behind.
            key: as whom; empty where the service wants none.
            service: which headers it wants.
            limits: how long to wait for what.

        Raises:
            ConfigurationError: the URL would send the key unencrypted over a network.
        """
        self._base = base_url.rstrip("/")
        self._host = _checked_host(self._base, secret=bool(key))
        self._key = key
        self._service = service
        self._key_name = service.key_names[-1] if service.key_names else ""
        self._limits = limits or Limits()
        self._transports: WeakKeyDictionary[asyncio.AbstractEventLoop, Transport] = WeakKeyDictionary()
        self._streams = 0
        self._retired = False
        self._closing: set[asyncio.Task[None]] = set()

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the answer as they come."""
        body = None if request.body is None else msgspec.json.encode(request.body)
        target = target_of(self._base, request.path, request.query)
        outgoing = Outgoing(request.method, target, _JSON if body is not None else {}, body or b"")
        with self._watch() as watch:
            async with (
                self._answered(outgoing, watch) as response,
                aclosing(cut(response, watch, streams=request.streams)) as frames,
            ):
                async for frame in frames:
                    yield frame

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b"") -> Answer:
        """Send one request and return the whole answer; a path that begins with a slash stands below the host."""
        outgoing = Outgoing(method, target_of(self._base, path, {}), headers or {}, content)
        with self._watch() as watch:
            async with self._answered(outgoing, watch) as response:
                return Answer(response.headers, await whole(response, watch))

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        transport = self._transports.pop(asyncio.get_running_loop(), None)
        if transport is not None:
            await transport.aclose()

    def retire(self) -> None:
        """Close the running loop's connections as soon as no stream needs them."""
        self._retired = True
        self._close_if_over()

    @asynccontextmanager
    async def _answered(self, outgoing: Outgoing, watch: Watch) -> AsyncGenerator[Response, None]:
        """Send a request and hand over the answer, if it is one."""
        self._streams += 1
        try:
            transport = await self._transport()
            response = await watch.awaited(transport.ask(outgoing, watch))
            try:
                watch.begun()
                await raise_if_refused(response, watch, self._key, self._key_name)
                yield response
            finally:
                await response.aclose()
        finally:
            self._streams -= 1
            self._close_if_over()

    def _watch(self) -> Watch:
        return Watch(self._host, self._limits.first, self._limits.gap, self._limits.content)

    def _close_if_over(self) -> None:
        if self._retired and not self._streams:
            with suppress(RuntimeError):  # no loop runs: nothing is open on it
                closing = asyncio.get_running_loop().create_task(self.aclose())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)

    async def _transport(self) -> Transport:
        loop = asyncio.get_running_loop()
        transport = self._transports.get(loop)
        if transport is None:
            made = await load(partial(_new_transport, self._base, self._host, self._identity, self._limits))
            transport = self._transports.setdefault(loop, made)
        return transport

    def _identity(self) -> dict[str, str]:
        """Return the headers that say who asks."""
        service = self._service
        key = {service.header: f"{service.scheme}{self._key.reveal()}"} if self._key else {}
        return {**service.headers, **key}


def _checked_host(base: str, *, secret: bool) -> str:
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"the base URL must begin with https:// and name a host: {base!r}")
    if secret and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError(f"plain http would show your key on the way to {parts.hostname}; use https")
    return parts.hostname


def _new_transport(base: str, host: str, identity: Identity, limits: Limits) -> Transport:
    """Build what carries requests there; runs in a thread, because to load certificates or a library holds the interpreter."""
    origin = origin_of(base)
    if origin is not None:  # on loopback no certificate store is read
        return Http1(origin, identity, limits, tls_context() if origin.secure else None)
    from nbgemini.sources.through_httpx2 import ThroughHttpx2  # noqa: PLC0415 - a library that next to nobody needs

    parts = urlsplit(base)
    return ThroughHttpx2(f"{parts.scheme}://{parts.netloc}", host, identity, limits)
