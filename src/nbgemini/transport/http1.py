"""HTTP/1.1 over the loop's own connections: the way of every request that needs no proxy.

Invariants: whatever a request costs does not depend on how many there are; a connection serves again only after a whole answer
that says so, for a few seconds, last come first; leaving an answer that is not whole closes its socket at once; no header holds
a line end; the headers that say who asks live as long as it takes to write them.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from nbgemini.errors import ConfigurationError
from nbgemini.transport.connection import Connection
from nbgemini.transport.framing.http_response import HttpResponse
from nbgemini.transport.origin import Origin
from nbgemini.transport.timeouts import Watch
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

AGENT = "nbgemini/0.1.0"
_ALWAYS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": AGENT}
_PIECE = 65_536  # bytes of a request that are written at once
_MOST_RESTING = 20
_RESTING = 5.0  # seconds a connection is kept for the next request
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_TARGET = re.compile(r"[\x21-\x7e]+")
_HAPPY_EYEBALLS = 0.25  # seconds before the next address is tried beside the last (RFC 8305)


class Http1:
    """The connections of one event loop to one origin."""

    def __init__(self, origin: Origin, identity: Identity, limits: Limits, context: ssl.SSLContext | None) -> None:
        """Remember where and as whom to ask; `context` is given where the connection is to be encrypted."""
        self._origin = origin
        self._identity = identity
        self._limits = limits
        self._context = context
        self._open: set[Connection] = set()
        self._resting: deque[tuple[Connection, float]] = deque()

    async def ask(self, outgoing: Outgoing, watch: Watch) -> Http1Response:
        """Send a request and wait for the head of the answer."""
        connection = self._rested() or await self._connected()
        response = Http1Response(self, self._origin.host, connection)
        try:
            response.asked_whole = await self._send(connection, outgoing)
            watch.sent()
            await response.begin()
        except BaseException:
            connection.abort()
            raise
        return response

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        closing = [connection.gone for connection in self._open]
        for connection in tuple(self._open):
            connection.abort()
        self._resting.clear()
        if closing:
            await asyncio.wait(closing, timeout=1)

    def take_back(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        now = asyncio.get_running_loop().time()
        connection.resting = True
        self._resting.append((connection, now))
        while len(self._resting) > _MOST_RESTING or self._resting[0][1] < now - _RESTING:
            self._resting.popleft()[0].abort()

    def _rested(self) -> Connection | None:
        """Return a connection that has served before and may serve again."""
        oldest = asyncio.get_running_loop().time() - _RESTING
        while self._resting:
            connection, since = self._resting.pop()
            if since >= oldest and not connection.ended:
                connection.resting = False
                return connection
            connection.abort()
        return None

    async def _connected(self) -> Connection:
        """Open a connection."""
        loop, origin, limit = asyncio.get_running_loop(), self._origin, asyncio.timeout(self._limits.connect)
        made = partial(Connection, self._open)
        try:
            async with limit:
                _, connection = await loop.create_connection(made, origin.host, origin.port, **self._options(loop))
        except OSError as error:  # TimeoutError is one
            trouble = not_accepted(origin.host, self._limits) if limit.expired() else not_reached(origin.host, error)
        else:
            return connection
        raise trouble

    def _options(self, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
        named = not self._origin.host.replace(".", "").isdigit() and ":" not in self._origin.host
        side_by_side = named and isinstance(loop, asyncio.BaseEventLoop)  # other loops have ways of their own
        options: dict[str, Any] = {"happy_eyeballs_delay": _HAPPY_EYEBALLS} if side_by_side else {}
        if self._context is not None:
            options |= {"ssl": self._context, "server_hostname": self._origin.host}
        return options

    async def _send(self, connection: Connection, outgoing: Outgoing) -> bool:
        """Write a request; return False if the service answers before it has it all."""
        if not self._begin(connection, outgoing):
            raise ConfigurationError(f"no header can hold what {self._origin.host} is to be told → is the key copied right?")
        for at in range(_PIECE, len(outgoing.content), _PIECE):
            if not await self._taken(connection):
                return False
            connection.write(outgoing.content[at : at + _PIECE])
        return await self._taken(connection) or not connection.full

    def _begin(self, connection: Connection, outgoing: Outgoing) -> bool:
        """Write the head and the first piece; no variable of a coroutine ever holds the key."""
        headers = {"host": self._origin.header, **_ALWAYS, **outgoing.headers, **self._identity()}
        if outgoing.content or outgoing.method != "GET":
            headers["content-length"] = str(len(outgoing.content))
        fits = _fits(outgoing, headers)
        if fits:
            lines = [f"{outgoing.method} {outgoing.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            connection.write("\r\n".join([*lines, "", ""]).encode("ascii") + outgoing.content[:_PIECE])
        return fits

    async def _taken(self, connection: Connection) -> bool:
        """Wait until there is room for the next piece; return False if the service answers, or goes, before."""
        if connection.full:
            limit = asyncio.timeout(self._limits.write)
            try:
                async with limit:
                    await connection.drained()
            except TimeoutError:
                raise not_taken(self._origin.host, self._limits) from None
        return not connection.heard


class Http1Response:
    """An answer on its connection."""

    def __init__(self, owner: Http1, host: str, connection: Connection) -> None:
        """Expect the head."""
        self.asked_whole = True
        self._owner = owner
        self._host = host
        self._connection = connection
        self._reading = HttpResponse()
        self._piece = b""

    @property
    def status(self) -> int:
        """Return the status code."""
        return self._reading.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers, names in lower case."""
        return self._reading.headers

    async def begin(self) -> None:
        """Wait for the head."""
        while not self._reading.begun:
            await self._read()

    async def chunk(self) -> bytes:
        """Wait for the next bytes of the body; nothing means that it is whole."""
        while not self._piece and not self._reading.done:
            await self._read()
        piece, self._piece = self._piece, b""
        return piece

    async def aclose(self) -> None:
        """Leave."""
        if self._reading.reusable and self.asked_whole and not self._connection.heard:
            self._owner.take_back(self._connection)
        else:
            self._connection.abort()

    async def _read(self) -> None:
        """Take what the connection brings."""
        if self._reading.trouble:
            raise broken(self._host, self._reading.trouble)
        data = b"" if self._reading.more else await self._received()
        if data or self._reading.more:
            self._piece = self._reading.feed(data)
        else:
            self._reading.end()

    async def _received(self) -> bytes:
        try:
            return await self._connection.received()
        except OSError as error:
            trouble = broken(self._host, cause(error))
        raise trouble


def _fits(outgoing: Outgoing, headers: Mapping[str, str]) -> bool:
    """Whether no part of a head can be taken for another."""
    names = all(map(_NAME.fullmatch, headers)) and _NAME.fullmatch(outgoing.method)
    return bool(names and _TARGET.fullmatch(outgoing.target)) and all(map(_VALUE.fullmatch, headers.values()))
