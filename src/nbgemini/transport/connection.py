"""One connection, as its event loop tells of it: bytes wait for their reader, and writing for the service to take them.

Invariants: no more than two reads of the loop wait; a connection at rest that hears anything is closed, for no answer is due;
`abort` closes the socket at once.
"""

from __future__ import annotations

import asyncio

from nbgemini.transport.forks import closed, keep_from_children

_ENOUGH = 131_072  # bytes that wait for the reader; then the loop reads no more
_PIECE = 32_768  # bytes that the reader gets at once: what is made of them before anyone else's turn takes half a millisecond


class Connection(asyncio.Protocol):
    """A connection that one request uses at a time.

    Attributes:
        resting: nobody uses it.
        full: the service takes too little of what was written.
    """

    def __init__(self, open_ones: set[Connection]) -> None:
        """Stand among the open connections for as long as it is one."""
        self.resting = False
        self.full = False
        self.gone = asyncio.get_running_loop().create_future()
        self._open_ones = open_ones
        self._pieces: list[bytes] = []
        self._held = 0
        self._stopped = False
        self._ended = False
        self._error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended

    @property
    def heard(self) -> bool:
        """Whether there is something to receive, be it the end."""
        return bool(self._pieces) or self._ended

    def write(self, data: bytes) -> None:
        """Send, if there is anybody."""
        if not self._ended:
            self._transport.write(data)

    def abort(self) -> None:
        """Close the socket now; harmless twice."""
        self._ended = True
        self._transport.abort()

    async def received(self) -> bytes:
        """Wait for the next bytes; none mean the end.

        Raises:
            OSError: the connection was lost.
        """
        while not self._pieces:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return b""
            await self._news()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        data, rest = data[:_PIECE], data[_PIECE:]
        self._pieces, self._held = [rest] if rest else [], len(rest)
        if self._stopped and self._held <= _ENOUGH:
            self._stopped = False
            self._transport.resume_reading()
        return data

    async def drained(self) -> None:
        """Wait until the service has taken most of what was written, or says something, or goes."""
        while self.full and not self.heard:
            await self._news()

    async def _news(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _tell(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._open_ones.add(self)
        keep_from_children(self, transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Keep what came for the reader."""
        if self.resting:
            self.abort()
            return
        self._pieces.append(data)
        self._held += len(data)
        if self._held > _ENOUGH and not self._stopped:
            self._stopped = True
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> None:
        """Take note that nothing more comes; the loop closes the socket."""
        self._ended = True
        self._tell()

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self._ended, self._error = True, error
        self._open_ones.discard(self)
        closed(self)
        if not self.gone.done():
            self.gone.set_result(None)
        self._tell()

    def pause_writing(self) -> None:
        """Take note that what was written waits."""
        self.full = True

    def resume_writing(self) -> None:
        """Take note that it was taken."""
        self.full = False
        self._tell()
