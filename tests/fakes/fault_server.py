"""A Gemini service on a raw loopback socket that does to an answer exactly what a test scripted.

The scripts are played one for a request; when there are none any more, every request is answered well. Each request is recorded
as it came and checked as Google checks it: what Google would refuse is answered with its 400, whatever the script, and stands
in `refused`.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from nbgemini.errors import NbGeminiError
from nbgemini.offline.http_server import ClientConnection, HttpRequest, read_requests
from nbgemini.offline.requests import InvalidRequest, decode_json
from nbgemini.offline.thought_signatures import place
from nbgemini.offline.validation import validate
from nbgemini.replay.fingerprint import normalized
from nbgemini.transport.framing import Framer
from tests.fakes.script import (
    FINE,
    Chunk,
    Close,
    Drip,
    HalfClose,
    Pause,
    ReadNothing,
    Reset,
    Script,
    Send,
    Stall,
    Step,
    Until,
    refusal,
)


@dataclass(frozen=True)
class Hit:
    """A request as it came: when (monotonic), over which connection, and with what."""

    at: float
    connection: int
    request: HttpRequest

    @property
    def body(self) -> Any:
        """Return what it says."""
        return json.loads(self.request.body or b"null")


@dataclass
class FaultServer:
    """Plays scripts to whoever asks.

    Attributes:
        after: what is played when there is no script any more.
        hits: every request, in order.
        refused: what Google would have refused, and why.
        open: how many connections are open now.
        connections: how many there were.
        gone: a client has gone away while the server stalled or dripped.
        on_hit: called with every request before it is answered.
    """

    scripts: deque[Script] = field(default_factory=deque)
    after: Script = FINE
    hits: list[Hit] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    open: int = 0
    connections: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    on_hit: Callable[[Hit], None] = lambda _: None
    url: str = ""

    def __post_init__(self) -> None:
        """Know no signature yet, serve nobody yet."""
        self._sent: list[dict[str, Any]] = []
        self._talks: set[asyncio.Task[None]] = set()
        self._next_play = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: ClientConnection(self._talk), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def play(self, *scripts: Script, after: Script | None = None) -> None:
        """Play these scripts from now on, and then `after` for ever: a good answer, unless said otherwise."""
        self.scripts = deque(scripts)
        self.after = after or FINE
        self._next_play.set()
        self._next_play = asyncio.Event()

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """Return the server's own tasks: they are no leak of the client's."""
        return set(self._talks)

    async def _talk(self, connection: ClientConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._talks.add(task)
            task.add_done_callback(self._talks.discard)
        self.open, self.connections, number = self.open + 1, self.connections + 1, self.connections
        requests = read_requests(reader)
        try:
            with suppress(asyncio.CancelledError, ConnectionError):
                while await self._answer(connection, number, requests, reader, writer):
                    pass
        finally:
            self.open -= 1
            writer.close()

    async def _answer(
        self,
        connection: ClientConnection,
        number: int,
        requests: AsyncGenerator[HttpRequest, None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer one request; return whether there may be another one."""
        if self.scripts and self.scripts[0][:1] == (ReadNothing(),):
            self.scripts.popleft()
            await reader.readuntil(b"\r\n\r\n")
            await self._next_play.wait()  # what is never read fills the buffers; nor would the client's leaving be read
            return False
        request = await anext(requests, None)
        if request is None:
            return False
        hit = Hit(time.monotonic(), number, request)
        self.hits.append(hit)
        self.on_hit(hit)
        script = self._checked(request) or (self.scripts.popleft() if self.scripts else self.after)
        self._remember(script)
        for step in script:
            await self._play(step, connection, writer)
        return True

    async def _play(self, step: Step, connection: ClientConnection, writer: asyncio.StreamWriter) -> None:
        match step:
            case Send(data):
                writer.write(data)
            case Chunk(data):
                writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            case Until(event_):
                await event_.wait()
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Stall():
                await connection.left.wait()
                self.gone.set()
            case Drip(data, pause):
                await self._drip(Chunk(data), pause, connection, writer)
            case Reset():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case HalfClose():
                writer.write_eof()
                await connection.left.wait()
        if isinstance(step, Stall | Drip | Reset | Close | HalfClose):
            raise ConnectionResetError
        await writer.drain()

    async def _drip(self, step: Step, pause: float, connection: ClientConnection, writer: asyncio.StreamWriter) -> None:
        while not connection.left.is_set():
            await self._play(step, connection, writer)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await connection.left.wait()
        self.gone.set()

    def _checked(self, request: HttpRequest) -> Script:
        """Return the refusal of a request that Google would not take, or nothing."""
        model = re.search(r"models/([^:/]+):streamGenerateContent", request.path)
        if not model:
            return ()
        try:
            issued = {place(part) for part in self._sent if "thoughtSignature" in part}
            validate(self._known(decode_json(request.body)), model[1], issued)
        except InvalidRequest as invalid:
            self.refused.append(str(invalid))
            return refusal(400, status="INVALID_ARGUMENT", message=str(invalid))
        return ()

    def _remember(self, script: Script) -> None:
        """What the service sent may come back: its signatures, each in its part, and what is newer than our schema."""
        framer = Framer()
        for step in script:
            if isinstance(step, Chunk) and len(step.data) < _SMALL:
                with suppress(ValueError, NbGeminiError):
                    for found in framer.feed(step.data):
                        self._sent += _parts(json.loads(found))

    def _known(self, body: Any) -> Any:
        """Return the request with those parts of the model that are just as they were sent, calls apart, in known words."""
        for content in body["contents"]:
            parts = content["parts"] if content.get("role") == "model" else []
            for number, part in enumerate(parts):
                if part in self._sent and "functionCall" not in part:
                    parts[number] = {"text": "as it was sent"}
        return normalized(body)


_SMALL = 2**20


def _parts(data: Any) -> list[dict[str, Any]]:
    candidates = data.get("candidates") if isinstance(data, dict) else None
    contents = [candidate.get("content") for candidate in candidates or () if isinstance(candidate, dict)]
    return [
        part
        for content in contents
        if isinstance(content, dict)
        for part in content.get("parts") or ()
        if isinstance(part, dict)
    ]
