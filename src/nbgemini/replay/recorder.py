"""A source whose frames are written into a cassette as they come.

Invariants: what goes over the wire is recorded, each attempt by itself, errors too; no key and no header is written; the loop
never waits for the disk, but a stream does while too much of it is unwritten; trouble with the file costs the recording, not
the answer, and is said.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar
from uuid import uuid4

from nbgemini._storage import open_regular
from nbgemini.errors import ConfigurationError, NbGeminiError
from nbgemini.replay.cassette import End, end_line, frame_line, is_cassette, opening_line, reports_error
from nbgemini.secrets import Mask, Secret
from nbgemini.transport.request import Request, Source

T = TypeVar("T")

_MOST_WAITING = 8 * 1024 * 1024  # bytes of frames that the disk has not taken yet

_writing = ThreadPoolExecutor(1, thread_name_prefix="nbgemini-recording")  # its queue is emptied before Python ends


class CassetteFile:
    """A cassette that is written to; other kernels may write to it too.

    Attributes:
        path: where it is.
        open: how many answers are being recorded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open = 0
        self._keys: frozenset[Secret] = frozenset()
        self._mask = Mask()
        self._lines: deque[tuple[Callable[[], bytes], int]] = deque()
        self._added = self._taken = 0  # bytes; each is counted up in one thread alone
        self._due = False
        self._trouble = ""

    def hide(self, key: Secret) -> None:
        """Never write this key, nor those before."""
        if key not in self._keys:
            self._keys |= {key}
            self._mask = Mask(*self._keys)

    async def prepare(self) -> int:
        """Make sure that it can be written to, and holds recordings alone; return how large it is."""
        return await when_written(self._prepared)

    def add(self, line: Callable[[], bytes], size: int = 0) -> None:
        """Write what `line` returns, some time soon; it is called in the thread."""
        self._added += size
        self._lines.append((line, size))
        if not self._due:
            self._due = True
            _writing.submit(self._append)

    async def caught_up(self) -> None:
        """Return at once, unless too much waits for the disk."""
        if self._added - self._taken > _MOST_WAITING:
            await self.written()

    async def written(self) -> None:
        """Return when all that was added is written; warn if it can't be."""
        await when_written(lambda: None)
        trouble, self._trouble = self._trouble, ""
        if trouble:
            warnings.warn(f"can't record into {self.path}: {trouble}; the recording is not whole", RuntimeWarning, stacklevel=2)

    def _prepared(self) -> int:
        try:
            with open_regular(self.path, "ab+") as file:
                size = file.tell()
                file.seek(0)
                if not is_cassette(file.readline(_MOST_WAITING)):
                    raise ConfigurationError(f"{self.path} is not a cassette → record into another file")
                file.seek(max(0, size - 1))
                if file.read() not in (b"", b"\n"):
                    file.write(b"\n")  # the last line was cut off
        except OSError as error:
            raise ConfigurationError(f"can't record into {self.path}: {error.strerror}") from None
        return size

    def _append(self) -> None:
        """Write all lines that wait by one call, so that those of several kernels don't mix."""
        self._due = False  # first: what is added from here on is written next time, if not now
        try:
            with open_regular(self.path, "ab", buffered=False) as file:
                lines: list[bytes] = []
                while self._lines:
                    line, size = self._lines.popleft()
                    self._taken += size
                    lines.append(self._mask.hide(line()))
                data = b"".join(lines)
                while data:
                    data = data[file.write(data) :]  # all at once, but on a disk that is full
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and the answer goes on
            self._trouble = getattr(error, "strerror", None) or str(error)
            self._taken = self._added


class RecordingSource:
    """Another source, recorded."""

    def __init__(self, source: Source, file: CassetteFile, provider: str) -> None:
        """Record what `source` answers in the words of `provider`."""
        self._source = source
        self._file = file
        self._provider = provider

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the answer as they come."""
        await self._file.prepare()
        name, began, last = uuid4().hex[:12], monotonic(), b""
        self._file.add(partial(opening_line, name, self._provider, request))
        self._file.open += 1
        is_whole, trouble = False, None
        try:
            async with aclosing(self._source.frames(request)) as frames:
                async for last in frames:
                    self._file.add(partial(frame_line, name, monotonic() - began, last), len(last))
                    await self._file.caught_up()
                    yield last
            is_whole = True
        except NbGeminiError as error:
            trouble = error
            raise
        finally:
            self._file.open -= 1
            is_over = is_whole or reports_error(last)  # what follows an error is not read
            end: End = "error" if trouble else "complete" if is_over else "left"
            self._file.add(partial(end_line, name, monotonic() - began, end, trouble))
            if is_whole or trouble:
                await self._file.written()

    async def aclose(self) -> None:
        """Let go of the connections of the running loop."""
        await self._source.aclose()

    def retire(self) -> None:
        """Let go of the connections as soon as no stream needs them."""
        self._source.retire()


async def when_written(work: Callable[[], T]) -> T:
    """Do this in the writing thread, after all that this process has recorded by now is written."""
    return await asyncio.wrap_future(_writing.submit(work))
