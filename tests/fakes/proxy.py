"""A TCP proxy on loopback that treats what comes from the server as a bad network would; the toxics are toxiproxy's."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Latency:
    """Each piece comes later, by a time and some jitter."""

    seconds: float = 0.02
    jitter: float = 0.01


@dataclass(frozen=True)
class Down:
    """Nobody listens: each connection is closed at once."""


@dataclass(frozen=True)
class Bandwidth:
    """So many bytes a second."""

    rate: int = 1000


@dataclass(frozen=True)
class SlowClose:
    """The end of the connection comes later."""

    seconds: float = 0.1


@dataclass(frozen=True)
class Timeout:
    """Nothing comes through; after some time the connection is closed."""

    seconds: float = 0.1


@dataclass(frozen=True)
class ResetPeer:
    """After so many bytes the connection is reset."""

    bytes: int = 0


@dataclass(frozen=True)
class Slicer:
    """The bytes come in slices, with pauses."""

    size: int = 1
    pause: float = 0.0


@dataclass(frozen=True)
class LimitData:
    """After so many bytes the connection is closed."""

    bytes: int = 100


Toxic = Latency | Down | Bandwidth | SlowClose | Timeout | ResetPeer | Slicer | LimitData


@dataclass
class Proxy:
    """Stands before the server at `target`; `url` is where it listens."""

    target: str
    toxics: tuple[Toxic, ...] = ()
    url: str = ""
    _talks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _toxic(self, kind: type[Toxic]) -> Toxic | None:
        return next((toxic for toxic in self.toxics if isinstance(toxic, kind)), None)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._talks.add(task)
            task.add_done_callback(self._talks.discard)
        with suppress(ConnectionError, asyncio.CancelledError):
            if not self._toxic(Down):
                await self._relay(reader, writer)
        writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self.target)
        server_reader, server_writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, server_writer))
                await self._downstream(server_reader, writer)
                raise ConnectionResetError  # the answer is over: the other direction too
        except* ConnectionError:
            pass
        finally:
            server_writer.close()

    async def _downstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(toxic := self._toxic(Timeout), Timeout):
            await asyncio.sleep(toxic.seconds)
            return
        passed = 0
        while data := await reader.read(65_536):
            for piece in self._sliced(data):
                passed += len(piece)
                await self._pass(piece, passed, writer)
        if isinstance(toxic := self._toxic(SlowClose), SlowClose):
            await asyncio.sleep(toxic.seconds)

    def _sliced(self, data: bytes) -> list[bytes]:
        toxic = self._toxic(Slicer)
        size = toxic.size if isinstance(toxic, Slicer) else len(data)
        return [data[at : at + size] for at in range(0, len(data), size)]

    async def _pass(self, piece: bytes, passed: int, writer: asyncio.StreamWriter) -> None:
        """Let one piece through as the toxics allow; `passed` counts the bytes up to its end."""
        end = False
        for toxic in self.toxics:
            match toxic:
                case Latency(seconds, jitter):
                    await asyncio.sleep(seconds + random.uniform(0, jitter))
                case Bandwidth(rate):
                    await asyncio.sleep(len(piece) / rate)
                case Slicer(_, pause) if pause:
                    await asyncio.sleep(pause)
                case LimitData(most) | ResetPeer(most) if passed > most:
                    piece, end = piece[: max(0, len(piece) - (passed - most))], True
        writer.write(piece)
        await writer.drain()
        if end:
            if self._toxic(ResetPeer):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            raise ConnectionResetError


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError
