"""Frames over HTTP: one request out, the frames of its answer in.

Invariants: the key travels in one header and nowhere else; redirects are never followed (a redirect would carry the key to
another host); each event loop has connections of its own; what is slow to load (certificates, httpx2 where there is a proxy) is
loaded once, in a thread.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import partial
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import msgspec

from nbgemini._async.imports import load
from nbgemini._async.scheduler import Pace
from nbgemini.errors import ApiError, ConfigurationError, NbGeminiError, TransportError, WireError
from nbgemini.secrets import Mask, Secret
from nbgemini.services import KNOWN, Service
from nbgemini.transport.api_errors import GEMINI_KEY, error_from_body, retry_after
from nbgemini.transport.base import Answer
from nbgemini.transport.framing import DONE, Framer
from nbgemini.transport.http1 import Http1
from nbgemini.transport.origin import Origin, origin_of
from nbgemini.transport.request import Request
from nbgemini.transport.timeouts import Watch
from nbgemini.transport.tls import context_for
from nbgemini.transport.transport import Identity, Limits, Outgoing, Response, Transport

_LARGEST_ERROR = 65_536  # bytes of an error body that are read
LARGEST_BODY = 128 * 2**20  # bytes of an answer that is no stream
PIECE = 8_192  # bytes of which frames are made at once: of the smallest that takes two milliseconds
_ENOUGH = 2_000  # bytes to tell what it was, and to hold a key whole
_OK = 200
_NO_KEY = Mask()


async def raise_if_refused(response: Response, watch: Watch, mask: Mask = _NO_KEY, key_name: str = GEMINI_KEY) -> None:
    """Raise the error that a response is, if it is none that was asked for.

    Some repeat the key that they refuse: it is hidden. `key_name` is where the service's key stands.
    """
    if response.status == _OK:
        return
    if response.status // 100 == 3:  # noqa: PLR2004 - HTTP
        where = urlsplit(response.headers.get("location", "")).hostname or "nowhere"
        raise TransportError(f"unexpected redirect to {where}; it was not followed, to keep the key at home")
    body = mask.hide(await _read(response, watch, _LARGEST_ERROR))
    wait = retry_after(response.headers.get("retry-after", ""), response.headers.get("date", ""))
    raise error_from_body(response.status, body, wait, key_name=key_name)


async def whole(response: Response, watch: Watch) -> bytes:
    """Return the body.

    Raises:
        WireError: it is too large.
    """
    body = await _read(response, watch, LARGEST_BODY)
    if len(body) > LARGEST_BODY:
        raise WireError(f"the answer is larger than {LARGEST_BODY >> 20} MiB → ask for less at once")
    return body


async def _read(response: Response, watch: Watch, enough: int) -> bytes:
    """Return the body; not much more than `enough` bytes of it."""
    pieces, held, pace = [], 0, Pace.here()
    while held <= enough and (chunk := await watch.awaited(response.chunk())):
        await pace.ready()
        pieces.append(chunk)
        held += len(chunk)
    return b"".join(pieces)


async def cut(response: Response, watch: Watch, mask: Mask = _NO_KEY, *, streams: bool = False) -> AsyncGenerator[bytes, None]:
    """Yield the frames of a response as they come, and `[DONE]` once it says that it is whole.

    Where a stream was asked for (`streams`), one object that comes instead says so too.
    """
    framer, head, any_frame, told, pace = Framer(), b"", False, False, Pace.here()
    while chunk := await watch.awaited(response.chunk()):
        for at in range(0, len(chunk), PIECE):
            await pace.ready()
            for frame in framer.feed(chunk[at : at + PIECE]):
                any_frame = True
                watch.frame()
                yield frame
        if framer.whole and not told:
            told = any_frame = True
            yield DONE
        if not any_frame and len(head) < _ENOUGH:
            head += chunk[:_ENOUGH]
    for frame in framer.close():
        any_frame = True
        yield frame
    if framer.whole and not told and (streams or not framer.is_json):
        yield DONE
    elif not any_frame and head.strip() and head.strip()[:1] not in b"{[d":
        kind = response.headers.get("content-type", "unknown type")
        raise WireError(f"not an answer of the API ({kind}): {mask.hide(head)[:80]!r} → check the base URL")


_HEADER = re.compile(r"[\x20-\x7e]*")
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
            ConfigurationError: the URL is none, or would send the key unencrypted over a network.
        """
        self._origin = origin_of(base_url, secret=bool(key))
        self._host = self._origin.host
        self._key = key
        self._service = service
        self._mask = Mask(key)
        self._key_name = service.key_names[-1] if service.key_names else ""
        self._limits = limits or Limits()
        self._transports: WeakKeyDictionary[asyncio.AbstractEventLoop, Transport] = WeakKeyDictionary()
        self._streams = 0
        self._retired = False
        self._closing: set[asyncio.Task[None]] = set()

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the answer as they come; in none of them, and in no error, is the key."""
        pace = Pace.here()
        with self._no_key_in_errors():
            async with aclosing(self._frames(request)) as frames:
                async for frame in frames:
                    yield await _hidden(frame, self._mask, pace)

    async def _frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield them as they are."""
        body = None if request.body is None else msgspec.json.encode(request.body)
        target = self._origin.target(request.path, request.query)
        outgoing = Outgoing(request.method, target, _JSON if body is not None else {}, body or b"")
        with self._watch() as watch:
            async with (
                self._answered(outgoing, watch) as response,
                aclosing(cut(response, watch, self._mask, streams=request.streams)) as frames,
            ):
                async for frame in frames:
                    yield frame

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b"") -> Answer:
        """Send one request and return the whole answer; a path that begins with a slash stands below the host."""
        outgoing = Outgoing(method, self._origin.target(path, {}), headers or {}, content)
        with self._no_key_in_errors(), self._watch() as watch:
            async with self._answered(outgoing, watch) as response:
                return Answer(response.headers, await _hidden(await whole(response, watch), self._mask, Pace.here()))

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
                await raise_if_refused(response, watch, self._mask, self._key_name)
                yield response
            finally:
                await response.aclose()
        finally:
            self._streams -= 1
            self._close_if_over()

    @contextmanager
    def _no_key_in_errors(self) -> Iterator[None]:
        """Hide the key in what is raised: a service may repeat it wherever it is quoted, and a library what it can't send."""
        try:
            if not _HEADER.fullmatch(self._key.reveal()):
                raise ConfigurationError(f"no header can hold the key for {self._host} → is it copied right?")
            yield
        except NbGeminiError as error:
            error.args = tuple(self._mask.hide_parts(said) if isinstance(said, str) else said for said in error.args)
            if isinstance(error, ApiError):
                error.status, error.reason = self._mask.hide_parts(error.status), self._mask.hide_parts(error.reason)
            raise

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
            made = await load(partial(_new_transport, self._origin, self._identity, self._limits))
            transport = self._transports.setdefault(loop, made)
        return transport

    def _identity(self) -> dict[str, str]:
        """Return the headers that say who asks."""
        service = self._service
        key = {service.header: f"{service.scheme}{self._key.reveal()}"} if self._key else {}
        return {**service.headers, **key}


async def _hidden(data: bytes, mask: Mask, pace: Pace) -> bytes:
    """Return data without the key; others have their turn meanwhile."""
    steps = mask.steps(data)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return bytes(end.value)
        await pace.ready()


def _new_transport(origin: Origin, identity: Identity, limits: Limits) -> Transport:
    """Build what carries requests there; runs in a thread, because to load certificates or a library holds the interpreter."""
    if not origin.proxied:
        return Http1(origin, identity, limits, context_for(origin) if origin.secure else None)
    from nbgemini.transport.httpx2_transport import ThroughHttpx2  # noqa: PLC0415 - a library that next to nobody needs

    return ThroughHttpx2(origin, identity, limits)
