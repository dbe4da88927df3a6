"""A raw server in a thread of its own."""

from __future__ import annotations

import asyncio
import threading

from tests.fakes.raw import RawServer
from tests.kernel.conftest import (
    PATIENCE,
)


class Service(RawServer):
    """A raw server in a thread of its own that knows when nobody is connected."""

    def __init__(self, *scripts):
        super().__init__(*scripts)
        self.left = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="raw server")
        self._listening = threading.Event()

    def __enter__(self):
        self._thread.start()
        assert self._listening.wait(PATIENCE)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self):
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with self:
            self._listening.set()
            await self._over.wait()

    async def _play(self, reader, writer):
        self.left.clear()
        try:
            await super()._play(reader, writer)
        finally:
            if not self.open:
                self.left.set()
