"""HTTP/1.1 for httpx2 over the event loop's own sockets, read by httptools.

Invariants: what a request costs does not depend on how many there are; a connection serves again only after a whole response
that says so, for a few seconds, last in first out, and is closed if it hears anything at rest; closing a response that was not
read to its end closes the socket at once; no more than two reads of the loop wait for the reader; no header holds a line end.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import httptools
import httpx2

from nbgemini.transport.sockets import is_readable, shut_down

Origin: TypeAlias = tuple[str, str, int]  # scheme, host, port

_ENOUGH = 131_072  # bytes that wait for the reader; then the loop reads no more
_PIECE = 32_768  # bytes that the reader gets at once: what is made of them before anyone else's turn takes half a millisecond
_WRITTEN = 65_536  # bytes of a request that are written at once
_MOST_IDLE = 1_000  # connections to one origin: those of a burst serve the next one
_IDLE_SECONDS = 5.0
_HAPPY_EYEBALLS = 0.25  # seconds before the next address is tried beside the last (RFC 8305)
_LARGEST_HEAD = 65_536  # bytes, of trailers too
_MOST_HEADERS = 256
_HEAD = re.compile(  # of a request
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e]*\r\n)*"
)
_EXTENSIONS = {"http_version": b"HTTP/1.1", "reason_phrase": b""}  # which httpx2 would look up for its log, wanted or not
_PORTS = {"https": 443, "http": 80}


class HttpConnection(asyncio.Protocol):
    """A connection that one request uses at a time: bytes wait for their reader, and writing waits for the service.

    Attributes:
        idle: no request uses it.
        full: the service takes too little of what was written.
        ended: nothing more will come.
        closed: done once the socket is.
    """

    def __init__(self, connections: set[HttpConnection]) -> None:
        self.idle = self.full = self.ended = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connections = connections
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None

    @property
    def readable(self) -> bool:
        """Whether there is something to read, be it the end."""
        return bool(self._pieces) or self.ended

    @property
    def heard_at_rest(self) -> bool:
        """Whether the service closed it or sent something unasked, even if the busy event loop has not noticed yet."""
        return self.ended or is_readable(self._socket)

    def write(self, data: bytes) -> None:
        """Send, if anyone still listens."""
        if not self.ended:
            self._transport.write(data)

    def abort(self) -> None:
        """Close the socket now; harmless twice.

        Shut down first if a request uses it: a child that was forked meanwhile holds a copy of the socket.
        """
        if not self.idle and not self.closed.done():
            shut_down(self._socket)
        self.ended = True
        self._transport.abort()

    async def read(self) -> bytes:
        """Wait for the next bytes; none mean the end.

        Raises:
            OSError: the connection was lost.
        """
        while not self._pieces:
            if self.ended:
                if self._error is not None:
                    raise self._error
                return b""
            await self._wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        data, rest = data[:_PIECE], data[_PIECE:]
        self._pieces, self._size = [rest] if rest else [], len(rest)
        if self._paused and self._size <= _ENOUGH:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def drain(self) -> None:
        """Wait until the service has taken most of what was written, or says something, or goes."""
        while self.full and not self.readable:
            await self._wait()

    async def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and count as open."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._socket = transport.get_extra_info("socket")
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Keep what came for the reader."""
        if self.idle:  # no response is due
            self.abort()
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _ENOUGH and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Take note that nothing more comes; the loop closes the socket."""
        self.ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Count as closed, and tell everybody who waits."""
        self.ended, self._error = True, error
        self._connections.discard(self)
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()

    def pause_writing(self) -> None:
        """Take note that what was written waits."""
        self.full = True

    def resume_writing(self) -> None:
        """Take note that it was taken."""
        self.full = False
        self._wake()


class ResponseParser:
    """Reads one response by httptools' callbacks; what came before a fault is returned before the fault counts.

    Attributes:
        status: the status code; 0 before the head is whole.
        headers: as they came.
        done: the body is whole.
        reusable: another response may follow on the connection.
        fault: why nothing more can be read; empty if all is well.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.done = self.reusable = False
        self.fault = ""
        self._until_close = self._ambiguous = False
        self._pieces: list[bytes] = []
        self._whole = 0  # pieces that the body has
        self._unproductive = 0  # bytes since the last piece
        self.on_body = self._pieces.append  # called for each chunk: without a Python frame in between
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_chunked_length=True,  # serves once
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return what they hold of the body, as one piece."""
        if self._parser is None:
            return b""
        self._unproductive += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.reusable = False
            if not self.done and not self.fault:
                self.fault = f"no answer in HTTP ({' '.join(str(error).split())})"
        pieces = self._pieces[: self._whole] if self.done else self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._pieces:
            self._pieces.clear()
            self._unproductive = 0
        elif self._unproductive > _LARGEST_HEAD and not self.done:
            self.fault = self.fault or "its head or its trailers have no end"
        if self.done or self.fault:
            self._parser = None  # which holds our callbacks
        return piece

    def end(self) -> None:
        """Take note that the connection has ended."""
        if not self.done and not self.fault:
            self.done = self._until_close
            if not self.done:
                self.fault = (
                    "it ended before the answer did" if self._unproductive or self.status else "it ended without an answer"
                )
        self._parser = None

    def on_message_begin(self) -> None:
        """Take note that something follows the end of this response: it was not asked for."""
        self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        if self.status:  # a trailer
            return
        self.headers.append((name, value.strip()))
        if len(self.headers) > _MOST_HEADERS:
            self.fault = "its head has no end"

    def on_headers_complete(self) -> None:
        """Decide how the body ends."""
        status = self._parser.get_status_code() if self._parser else 0
        if self.status or status // 100 == 1:
            return
        self.status = status
        lengths = [value for name, value in self.headers if name.lower() == b"content-length"]
        codings = [value.lower() for name, value in self.headers if name.lower() == b"transfer-encoding"]
        self._ambiguous = bool(lengths and codings)
        self._until_close = not lengths and not codings and status not in (204, 304)
        if codings and codings != [b"chunked"]:
            self.fault = "its head contradicts itself"

    def on_message_complete(self) -> None:
        """End the body, or go on to the response after an interim one."""
        if not self.status:
            self.headers.clear()  # an interim response: another follows
        elif not self.done:
            self.done, self._whole = True, len(self._pieces)
            self.reusable = bool(self._parser and self._parser.should_keep_alive()) and not self._ambiguous


class _Body(httpx2.AsyncByteStream):
    """The body of a response, on its connection."""

    def __init__(self, transport: AsyncioTransport, origin: Origin, connection: HttpConnection) -> None:
        self.parser = ResponseParser()
        self.sent_whole = True
        self._transport = transport
        self._origin = origin
        self._connection = connection
        self._piece = b""

    async def head(self) -> None:
        """Wait for the head.

        Raises:
            httpx2.TransportError: none came.
        """
        while not self.parser.status:
            self._piece = await self._read()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece, self._piece = self._piece, b""
        while not piece:
            if self.parser.done:
                raise StopAsyncIteration
            piece = await self._read()
        return piece

    async def aclose(self) -> None:
        """Keep the connection for another request if it may serve one; else close it at once."""
        connection, self.parser.reusable, reusable = self._connection, False, self.parser.reusable
        if reusable and self.sent_whole and not connection.readable:
            self._transport.keep(self._origin, connection)
        elif not connection.idle:
            connection.abort()

    async def _read(self) -> bytes:
        parser = self.parser
        if parser.fault:
            raise httpx2.RemoteProtocolError(parser.fault)
        try:
            data = await self._connection.read()
        except OSError as error:
            raise httpx2.ReadError(str(error)) from error
        if data:
            return parser.feed(data)
        parser.end()
        return b""


class AsyncioTransport(httpx2.AsyncBaseTransport):
    """The connections of one event loop; `tls` returns whom encrypted ones trust and is awaited at the first of them."""

    def __init__(self, tls: Callable[[], Awaitable[ssl.SSLContext]]) -> None:
        self._tls = tls
        self._connections: set[HttpConnection] = set()
        self._idle: defaultdict[Origin, deque[tuple[HttpConnection, float]]] = defaultdict(deque)
        self._timer: asyncio.TimerHandle | None = None  # while any are idle

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and wait for the head of its response.

        The seconds of `request.extensions["timeout"]` hold for connecting and writing; the reader has its own. What is given
        as `trace` hears when the request is out, in httpcore2's words.
        """
        url, timeouts = request.url, request.extensions.get("timeout", {})
        origin = (url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
        connection = self._reusable(origin) or await self._connect(origin, timeouts.get("connect"))
        body = _Body(self, origin, connection)
        try:
            body.sent_whole = await _send(connection, request, timeouts.get("write"))
            if trace := request.extensions.get("trace"):
                await trace("http11.receive_response_headers.started", {})
            await body.head()
        except BaseException:
            connection.abort()
            raise
        return httpx2.Response(body.parser.status, headers=body.parser.headers, stream=body, extensions=_EXTENSIONS)

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        closing = [connection.closed for connection in self._connections]
        for connection in tuple(self._connections):
            connection.abort()
        self._idle.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if closing:
            await asyncio.wait(closing, timeout=1)

    def keep(self, origin: Origin, connection: HttpConnection) -> None:
        """Keep a connection for the next request, for a few seconds."""
        loop, idle = asyncio.get_running_loop(), self._idle[origin]
        connection.idle = True
        idle.append((connection, loop.time()))
        if len(idle) > _MOST_IDLE:
            idle.popleft()[0].abort()
        if self._timer is None:
            self._timer = loop.call_later(_IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        """Close what has rested for too long, and look again while anything rests."""
        loop = asyncio.get_running_loop()
        oldest, self._timer = loop.time() - _IDLE_SECONDS, None
        for idle in self._idle.values():
            while idle and idle[0][1] <= oldest:
                idle.popleft()[0].abort()
        if resting := [idle[0][1] for idle in self._idle.values() if idle]:
            self._timer = loop.call_at(min(resting) + _IDLE_SECONDS, self._close_idle)

    def _reusable(self, origin: Origin) -> HttpConnection | None:
        oldest, idle = asyncio.get_running_loop().time() - _IDLE_SECONDS, self._idle[origin]
        while idle:
            connection, since = idle.pop()
            if since >= oldest and not connection.heard_at_rest:
                connection.idle = False
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin, seconds: float | None) -> HttpConnection:
        loop, (scheme, host, port) = asyncio.get_running_loop(), origin
        options: dict[str, Any] = {}
        if scheme == "https":
            options |= {"ssl": await self._tls(), "server_hostname": host}
        if isinstance(loop, asyncio.BaseEventLoop) and not host.replace(".", "").isdigit() and ":" not in host:
            options["happy_eyeballs_delay"] = _HAPPY_EYEBALLS  # other loops have ways of their own
        timeout = asyncio.timeout(seconds)
        try:
            async with timeout:
                _, connection = await loop.create_connection(partial(HttpConnection, self._connections), host, port, **options)
        except OSError as error:  # TimeoutError is one
            raise (httpx2.ConnectTimeout if timeout.expired() else httpx2.ConnectError)(str(error)) from error
        return connection


async def _send(connection: HttpConnection, request: httpx2.Request, seconds: float | None) -> bool:
    """Write a request; return False if the service answers before it has it all."""
    chunked = "transfer-encoding" in request.headers
    async with aclosing(_pieces(request.stream, chunked=chunked)) as pieces:
        first = await anext(pieces, b"")
        connection.write(_head(request) + first)  # the head in no variable of a coroutine: it holds the key
        async for piece in pieces:
            if not await _taken(connection, seconds):
                return False
            connection.write(piece)
    return await _taken(connection, seconds) or not connection.full


async def _pieces(stream: Any, *, chunked: bool) -> AsyncGenerator[bytes, None]:
    """Yield the body of a request in pieces for the wire."""
    async for part in stream:
        for at in range(0, len(part), _WRITTEN):
            piece = part[at : at + _WRITTEN]
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
    if chunked:
        yield b"0\r\n\r\n"


async def _taken(connection: HttpConnection, seconds: float | None) -> bool:
    """Wait until there is room for the next piece; return False if the service answers, or goes, before."""
    if connection.full:
        try:
            async with asyncio.timeout(seconds):
                await connection.drain()
        except TimeoutError as error:
            raise httpx2.WriteTimeout("") from error
    return not connection.readable


def _head(request: httpx2.Request) -> bytes:
    """Return the head of a request, no part of which can be taken for another."""
    raw = request.headers.raw
    head = b"".join(
        [
            b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path),
            *(b"%b: %b\r\n" % header for header in raw),
        ]
    )
    if not _HEAD.fullmatch(head) or head.count(b"\n") != len(raw) + 1:
        raise httpx2.LocalProtocolError("no header can hold this")
    return head + b"\r\n"
