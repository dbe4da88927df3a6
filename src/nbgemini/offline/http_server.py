"""As much HTTP/1.1 as a Gemini service needs: requests in, plain or chunked answers out, over asyncio streams.

Invariants: a request that could be read in two ways is read in none; all bodies that are here at once have one largest size.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from http.client import responses
from urllib.parse import parse_qsl

import httptools
from msgspec import Struct

LARGEST_BODY = 64 * 1024 * 1024  # bytes of one body, and of all that are here at once
_LARGEST_HEAD = 2**16
_ORIGIN = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_ONCE = ("host", "transfer-encoding", "origin")  # said twice they contradict themselves
_HERE = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)


class BodyBudget:
    """Room for so many bytes of bodies."""

    def __init__(self, size: int = LARGEST_BODY) -> None:
        self._left = size

    def take(self, size: int) -> None:
        """Take room; a ValueError says that there is not enough."""
        if size > self._left:
            raise ValueError("too large")
        self._left -= size

    def give(self, size: int) -> None:
        """Give it back."""
        self._left += size


class HttpRequest(Struct, frozen=True):
    """One request; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    authority: str = ""  # whom the address names, if it does; browsers always name somebody

    @property
    def streams(self) -> bool:
        """Whether Gemini's answer is to come as a stream."""
        return self.path.endswith(":streamGenerateContent")

    @property
    def wants_array(self) -> bool:
        """Whether the frames of that stream are to stand in one JSON array."""
        return self.streams and self.query.get("alt") != "sse"

    @property
    def is_from_here(self) -> bool:
        """Whether a program on this machine asks: a page of another site says whose it is, or asks by another name."""
        names_somebody = any(map(str.isalnum, self.authority))
        asked = self.authority if names_somebody else self.headers.get("host", "")
        origin, site = self.headers.get("origin"), self.headers.get("sec-fetch-site", "none")
        own = origin is None or origin.lower() == f"http://{asked}".lower()
        return bool(not asked or _HERE.fullmatch(asked)) and own and site in ("none", "same-origin")


class ClientConnection(asyncio.StreamReaderProtocol):
    """A connection that knows at once when the client leaves, whether or not somebody reads; nothing sent is lost for it."""

    def __init__(self, talk: Callable[[ClientConnection, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        """Begin the talk once connected."""
        self.left = asyncio.Event()
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_LARGEST_HEAD, loop=loop)
        super().__init__(reader, lambda reader, writer: talk(self, reader, writer), loop=loop)

    def eof_received(self) -> bool | None:
        """Notice the orderly end."""
        self.left.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Notice the other one."""
        self.left.set()
        super().connection_lost(exc)


async def read_requests(reader: asyncio.StreamReader, room: BodyBudget | None = None) -> AsyncGenerator[HttpRequest, None]:
    """Yield the requests of a connection until the client goes, speaks something else or brings too much.

    A body takes its room until the next request is asked for.
    """
    incoming = _IncomingRequest(room or BodyBudget())
    try:
        while data := await reader.read(_LARGEST_HEAD):
            with suppress(httptools.HttpParserUpgrade):  # what it would change to is not spoken here
                incoming.feed(data)
            while incoming.complete:
                yield incoming.complete[0]
                incoming.give_back(len(incoming.complete.popleft().body))
    except (httptools.HttpParserError, ConnectionError, ValueError):
        return
    finally:
        incoming.give_back(incoming.taken)


class _IncomingRequest:
    """What httptools calls with the pieces of a request; whatever contradicts itself is a ValueError."""

    def __init__(self, room: BodyBudget) -> None:
        self.complete: deque[HttpRequest] = deque()
        self.taken = 0
        self._room = room
        self._parser = httptools.HttpRequestParser(self)
        self.on_message_begin()

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)
        self._head_size += 0 if self._in_body else len(data)
        if self._head_size > _LARGEST_HEAD:
            raise ValueError("too long")

    def give_back(self, size: int) -> None:
        self._room.give(size)
        self.taken -= size

    def on_message_begin(self) -> None:
        self._url, self._pieces = b"", list[bytes]()
        self._headers: dict[str, str] = {}
        self._head_size, self._in_body = 0, False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        if self._in_body or (key in _ONCE and key in self._headers):
            raise ValueError("twice")
        self._headers[key] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self._in_body = True
        coding = self._headers.get("transfer-encoding", "chunked").lower()
        if coding != "chunked" or self._parser.get_http_version() not in ("1.0", "1.1"):
            raise ValueError("no framing")

    def on_body(self, piece: bytes) -> None:
        self._room.take(len(piece))
        self.taken += len(piece)
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        target, method = self._url.decode("ascii"), self._parser.get_method().decode("ascii")
        named = _ORIGIN.match(target)
        path, _, query = target[named.end() if named else 0 :].partition("?")
        authority, body = named[1] if named else "", b"".join(self._pieces)
        self.complete.append(HttpRequest(method, path, dict(parse_qsl(query)), self._headers, body, authority))


def head(status: int, content_type: str, *, length: int | None = None, more: Mapping[str, str] | None = None) -> bytes:
    """Return the head of an answer: with a length, or chunked."""
    own = "".join(f"{name}: {value}\r\n" for name, value in (more or {}).items())
    framing = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
    return (
        f"HTTP/1.1 {status} {responses.get(status, '')}\r\nContent-Type: {content_type}\r\n{framing}\r\n{own}"
        "Server: nbgemini-offline\r\nVary: Origin, X-Origin, Referer\r\n\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked answer; empty data ends it."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
