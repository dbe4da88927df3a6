"""A server on a raw loopback socket that answers exactly the bytes a test scripted, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import enum
import json
import socket
import struct
from contextlib import suppress


class End(enum.Enum):
    """How a script ends; the names are those of parametrised tests too."""

    RESET = "a TCP reset"
    STALL = "silence until the client goes"
    CLOSE = "the connection is closed"


RESET, STALL, CLOSE = End.RESET, End.STALL, End.CLOSE


def head(status="200 OK", content_type="text/event-stream", extra=""):
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n{extra}\r\n".encode()


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(frame):
    return chunk(b"data: " + json.dumps(frame).encode() + b"\r\n\r\n")


def text_frame(text, *, finish=None, thought=False):
    part = {"text": text, "thought": True} if thought else {"text": text}
    candidate = {"content": {"parts": [part], "role": "model"}, "index": 0}
    return {"candidates": [{**candidate, "finishReason": finish} if finish else candidate], "modelVersion": "m"}


END = chunk(b"")


class RawServer:
    """Plays one script a connection; the last script repeats. A script is a list of bytes, RESET, STALL or CLOSE."""

    def __init__(self, *scripts):
        self._scripts = list(scripts)
        self.requests = []
        self.gone = asyncio.Event()  # a client went away during a stall
        self.open = 0

    def play(self, *scripts):
        """Answer the next requests with these scripts."""
        self._scripts = list(scripts)

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._play, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _play(self, reader, writer):
        self.open += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._answer(reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in request.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        self.requests.append((request, await reader.readexactly(length)))
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        for step in script:
            if step is STALL:
                await reader.read(1)
                self.gone.set()
                raise ConnectionError
            if step is CLOSE:
                raise ConnectionError
            if step is RESET:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise ConnectionError
            writer.write(step)
            await writer.drain()
