"""As much HTTP/1.1 as a Gemini service needs: requests in, plain or chunked answers out, over asyncio streams."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from http.client import responses
from urllib.parse import parse_qsl

from msgspec import Struct

_LARGEST_BODY = 64 * 1024 * 1024
_LARGEST_HEAD = 2**20
_ORIGIN = re.compile(r"https?://[^/?]*", re.IGNORECASE)


class HttpRequest(Struct, frozen=True):
    """One request; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Connection(asyncio.StreamReaderProtocol):
    """A connection that knows at once when the client leaves, whether or not somebody reads; nothing sent is lost for it."""

    def __init__(self, talk: Callable[[Connection, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
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


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """Return the next request of a connection, or None when the client has gone or speaks something else."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await _read_body(reader, headers)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None
    address, _, query = _ORIGIN.sub("", target, count=1).partition("?")
    return HttpRequest(method, address, dict(parse_qsl(query)), headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = bytearray()
        while size := int(await reader.readline(), 16):
            if len(body) + size > _LARGEST_BODY:
                raise ValueError("too large")
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return bytes(body)
    length = int(headers.get("content-length", 0))
    if length > _LARGEST_BODY:
        raise ValueError("too large")
    return await reader.readexactly(length)


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
