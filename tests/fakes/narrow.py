"""A line to the service that takes so many bytes from the client and then, once, breaks, keeps silent, or loses the answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


class NarrowLine:
    """Forwards to `target`; its first connection fails after `after` bytes.

    Attributes:
        url: where it listens.
        full: the first connection has taken all it takes.
        left: the client has gone away from the first connection.
    """

    def __init__(self, target, after, how):
        self._target, self._after, self._how = urlsplit(target), after, how
        self._taken = 0
        self.full, self.left = asyncio.Event(), asyncio.Event()
        self._talks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _connected(self, reader, writer):
        self._talks.add(asyncio.current_task())
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        copying = asyncio.ensure_future(self._copy_back(there, writer))
        try:
            await self._copy(reader, back)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            copying.cancel()
            for end in (back, writer):
                end.close()
                with suppress(ConnectionError):
                    await end.wait_closed()

    async def _copy(self, reader, back):
        while data := await reader.read(65536):
            if not self.full.is_set() and self._taken + len(data) > self._after:
                await self._fail(reader)
                if self._how != "lose":
                    return
            self._taken += len(data)
            back.write(data)
            await back.drain()

    async def _fail(self, reader):
        self.full.set()
        if self._how == "stall":
            while await reader.read(65536):
                pass
            self.left.set()

    async def _copy_back(self, there, writer):
        with suppress(ConnectionError):
            while data := await there.read(65536):
                if self._how == "lose" and self.full.is_set():
                    self._how = ""
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()
