"""Frames over HTTP: the only file that imports the HTTP library.

Invariants: the key travels in one header and nowhere else; redirects are never followed (a redirect would carry the key to
another host); one pooled client per event loop; the library and the TLS context (40 ms together) are loaded once, in a
thread; whatever the library raises leaves as one of our own errors, without the request it held.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import msgspec

from nbgemini.error_body import error_from_body, retry_after
from nbgemini.errors import ConfigurationError, NbGeminiError, TransportError, WireError
from nbgemini.loading import load
from nbgemini.request import Request
from nbgemini.secret import Secret
from nbgemini.services import KNOWN, Service
from nbgemini.sources.calling import Answer
from nbgemini.sources.watch import Watch
from nbgemini.wire import Framer

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_LARGEST_ERROR = 65_536  # bytes of an error body that are read


class Limits(msgspec.Struct, frozen=True):
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
        self._limits = limits or Limits()
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()
        self._streams = 0
        self._retired = False
        self._closing: set[asyncio.Task[None]] = set()

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the answer as they come."""
        self._streams += 1
        watch = Watch(self._host, self._limits.first, self._limits.gap, self._limits.content)
        try:
            client = await self._client()
            async with AsyncExitStack() as stack:
                stack.enter_context(watch)
                asked = client.stream(request.method, f"{self._base}/{request.path}", **self._sent(request, watch))
                response = await watch.awaited(stack.enter_async_context(asked))
                watch.begun()
                await raise_if_refused(response, watch)
                async for frame in cut(response, watch):
                    yield frame
        except NbGeminiError:
            raise
        except Exception as error:  # noqa: BLE001 - the border: what leaves is ours, the rest goes on as it was
            trouble = self._mapped(error)
        else:
            return
        finally:
            self._streams -= 1
            self._close_if_over()
        raise trouble  # out here it has no context: the library's error holds the request, and that the key

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b"") -> Answer:
        """Send one request and return the whole answer; a path that begins with a slash stands below the host."""
        self._streams += 1
        try:
            return await self._called(method, self._address(path), {**(headers or {}), **self._identity()}, content)
        except NbGeminiError:
            raise
        except Exception as error:  # noqa: BLE001 - the border, as above
            trouble = self._mapped(error)
        finally:
            self._streams -= 1
            self._close_if_over()
        raise trouble

    async def _called(self, method: str, address: str, headers: Mapping[str, str], content: bytes) -> Answer:
        client = await self._client()
        with Watch(self._host, self._limits.first, self._limits.gap, self._limits.content) as watch:
            asked = client.stream(method, address, headers=headers, content=content, extensions={"trace": watch.trace})
            async with AsyncExitStack() as stack:
                response = await watch.awaited(stack.enter_async_context(asked))
                watch.begun()
                await raise_if_refused(response, watch)
                body = b"".join([chunk async for chunk in _chunks(response, watch)])
                return Answer({name.lower(): value for name, value in response.headers.items()}, body)

    def _address(self, path: str) -> str:
        base = urlsplit(self._base)
        return f"{base.scheme}://{base.netloc}{path}" if path.startswith("/") else f"{self._base}/{path}"

    async def aclose(self) -> None:
        """Close the client of the running loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def retire(self) -> None:
        """Close the running loop's connections as soon as no stream needs them."""
        self._retired = True
        self._close_if_over()

    def _close_if_over(self) -> None:
        if self._retired and not self._streams:
            with suppress(RuntimeError):  # no loop runs: nothing is open on it
                closing = asyncio.get_running_loop().create_task(self.aclose())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)

    async def _client(self) -> AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            made = await load(partial(_new_client, self._limits, secure=self._base.startswith("https")))
            client = self._clients.setdefault(loop, made)
        return client

    def _sent(self, request: Request, watch: Watch) -> dict[str, Any]:
        sent: dict[str, Any] = {"params": dict(request.query), "headers": self._identity()}
        sent["extensions"] = {"trace": watch.trace}
        if request.body is not None:
            sent["content"] = msgspec.json.encode(request.body)
            sent["headers"]["content-type"] = "application/json"
        return sent

    def _identity(self) -> dict[str, str]:
        """Return the headers that say who asks."""
        service = self._service
        key = {service.header: f"{service.scheme}{self._key.reveal()}"} if self._key else {}
        return {**service.headers, **key}

    def _mapped(self, error: Exception) -> NbGeminiError:
        import httpx2  # noqa: PLC0415 - loaded long ago if we are here

        if isinstance(error, httpx2.ConnectTimeout):
            return TransportError(f"{self._host} did not accept a connection in {self._limits.connect:g} s", passing=True)
        if isinstance(error, httpx2.ConnectError):
            text = f"can't reach {self._host}: {_cause(error)} → check the network, or %gemini demo"
            return TransportError(text, passing=not _is_about_tls(error))
        if isinstance(error, httpx2.TimeoutException):
            return TransportError(f"{self._host} took nothing of the request for {self._limits.write:g} s", passing=True)
        if isinstance(error, httpx2.ProxyError):
            return TransportError(f"the proxy does not let us through to {self._host}: {_cause(error)}")
        if isinstance(error, httpx2.HTTPError):
            return TransportError(f"the connection to {self._host} broke: {_cause(error)} → ask again", passing=True)
        if isinstance(error, httpx2.InvalidURL):
            return ConfigurationError(f"not a usable address: {self._host}")
        raise error


def _checked_host(base: str, *, secret: bool) -> str:
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"the base URL must begin with https:// and name a host: {base!r}")
    if secret and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError(f"plain http would show your key on the way to {parts.hostname}; use https")
    return parts.hostname


def _new_client(limits: Limits, *, secure: bool) -> AsyncClient:
    """Import the library and build a client; runs in a thread, because both hold the interpreter for long."""
    import anyio  # noqa: PLC0415
    import httpx2  # noqa: PLC0415 - 17 ms that %load_ext must not cost

    anyio.run(anyio.sleep, 0)  # loads anyio's backend, which the first connection would do on the loop, for 60 ms
    return httpx2.AsyncClient(
        verify=httpx2.create_ssl_context(verify=secure),  # on loopback no certificate store is read
        timeout=httpx2.Timeout(None, connect=limits.connect, write=limits.write),  # for reading there is the watch
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),  # whoever sends has so many places
        follow_redirects=False,
    )


async def _chunks(response: Response, watch: Watch) -> AsyncGenerator[bytes, None]:
    async with aclosing(response.aiter_bytes()) as chunks:
        while (chunk := await watch.awaited(anext(chunks, None))) is not None:
            yield chunk


async def cut(response: Response, watch: Watch) -> AsyncGenerator[bytes, None]:
    """Yield the frames of a response as they come."""
    framer, head, any_frame = Framer(), b"", False
    async for chunk in _chunks(response, watch):
        for frame in framer.feed(chunk):
            any_frame = True
            watch.frame()
            yield frame
        if not any_frame and len(head) < 200:  # noqa: PLR2004 - enough to tell what it was
            head += chunk[:200]
    for frame in framer.close():
        any_frame = True
        yield frame
    if not any_frame and head.strip() and head.strip()[:1] not in b"{[d":
        kind = response.headers.get("content-type", "unknown type")
        raise WireError(f"not an answer of the API ({kind}): {head[:80]!r} → check the base URL")


async def raise_if_refused(response: Response, watch: Watch) -> None:
    """Raise the error that a response is, if it is none that was asked for."""
    if response.status_code == 200:  # noqa: PLR2004 - HTTP
        return
    if response.is_redirect:
        where = urlsplit(response.headers.get("location", "")).hostname or "nowhere"
        raise TransportError(f"unexpected redirect to {where}; it was not followed, to keep the key at home")
    body = b""
    async for chunk in _chunks(response, watch):
        body += chunk
        if len(body) > _LARGEST_ERROR:
            break
    wait = retry_after(response.headers.get("retry-after", ""), response.headers.get("date", ""))
    raise error_from_body(response.status_code, body, wait)


def _is_about_tls(error: BaseException | None) -> bool:
    """Whether encryption is what failed: the same certificate will be no better the next time."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _cause(error: Exception) -> str:
    """Say in a few words what the system said; never the URL."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__  # type: ignore[assignment]
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    if "Connect call failed" in text:
        return "connection refused"
    return " ".join(str(text).split())[:120]
