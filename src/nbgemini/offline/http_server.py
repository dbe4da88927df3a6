"""As much HTTP/1.1 as a Gemini service needs: requests in, plain or chunked answers out, over asyncio streams.

Invariants: a request that could be read in two ways is read in none; all bodies that are here at once have one largest size.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from http.client import responses
from urllib.parse import parse_qsl

from msgspec import Struct

LARGEST_BODY = 64 * 1024 * 1024  # bytes of one body, and of all that are here at once
_LARGEST_HEAD = 2**16
_PIECE = 2**16  # bytes of a body that are read at once
_ORIGIN = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*)")
_LINE = re.compile(r"([A-Z]+) ([\x21-\x7e]+) HTTP/1\.[01]")
_SIZE, _LENGTH = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n"), re.compile(r"[0-9]{1,15}")
_ONCE = ("host", "content-length", "transfer-encoding", "origin")  # said twice they contradict themselves
_HERE = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)


class BodyBudget:
    """Room for bodies."""

    def __init__(self, size: int = LARGEST_BODY) -> None:
        """Have so many bytes."""
        self._left = size

    def take(self, size: int) -> None:
        """Take room.

        Raises:
            ValueError: there is not enough.
        """
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


async def read_request(reader: asyncio.StreamReader, room: BodyBudget | None = None) -> HttpRequest | None:
    """Return the next request of a connection, or None when the client has gone, speaks something else or brings too much.

    Its body has taken its room; without one given, that of this body alone.
    """
    try:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        line, headers = _matched(_LINE, first), _headers(lines)
        body = await _read_body(reader, headers, room or BodyBudget())
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None
    named = _ORIGIN.match(line[2])
    address, _, query = line[2][named.end() if named else 0 :].partition("?")
    return HttpRequest(line[1], address, dict(parse_qsl(query)), headers, body, named[1] if named else "")


def _matched(form: re.Pattern[str], text: str) -> re.Match[str]:
    found = form.fullmatch(text)
    if found is None:
        raise ValueError("it is none")
    return found


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        field = _matched(_FIELD, line)
        name = field[1].lower()
        if name in _ONCE and name in headers:
            raise ValueError("twice")
        headers[name] = field[2].strip()
    return headers


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str], room: BodyBudget) -> bytes:
    """Return the body as it is framed.

    Raises:
        ValueError: in no way, or in two, or there is no room for it.
    """
    coding, length = headers.get("transfer-encoding"), headers.get("content-length", "0")
    if (coding is not None and (coding.lower() != "chunked" or "content-length" in headers)) or not _LENGTH.fullmatch(length):
        raise ValueError("no framing")
    pieces: list[bytes] = []
    try:
        await _read_into(pieces, reader, room, chunked=coding is not None, length=int(length))
    except BaseException:
        room.give(sum(map(len, pieces)))
        raise
    return b"".join(pieces)


async def _read_into(
    pieces: list[bytes], reader: asyncio.StreamReader, room: BodyBudget, *, chunked: bool, length: int
) -> None:
    while True:
        if chunked:
            size = _SIZE.fullmatch(await reader.readline())
            if size is None:
                raise ValueError("no size")
            length = int(size[1], 16)
        left = length
        while left:
            piece = await reader.readexactly(min(left, _PIECE))
            room.take(len(piece))
            pieces.append(piece)
            left -= len(piece)
        if not chunked:
            return
        if await reader.readexactly(2) != b"\r\n":
            raise ValueError("no end")
        if not length:
            return


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
