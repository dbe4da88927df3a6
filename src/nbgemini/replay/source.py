"""A source that plays a cassette: what was recorded, in the same pieces, with the same end.

Invariants: without a recording of the very request nothing is made up: it is an error that names the nearest one, or, if so
wished, the live service answers; every frame and every error says that it was played.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from nbgemini.errors import ConfigurationError, NbGeminiError, TransportError
from nbgemini.replay.cassette import Recording, error_of, read
from nbgemini.replay.fingerprint import fingerprint
from nbgemini.replay.player import Player
from nbgemini.transport.request import ReplayedFrame, Request, Source


class PlayedFile:
    """A cassette on disk and how far it has been played; once the file changes, it plays from its beginning."""

    def __init__(self, path: Path) -> None:
        """Play `path`, which is read at the first request."""
        self.path = path
        self._player = Player([])
        self._state: tuple[int, int] | None = None
        self._one_at_a_time = threading.Lock()

    async def player(self) -> Player:
        """Return who plays it.

        Raises:
            ConfigurationError: it can't be read.
        """
        return await asyncio.to_thread(self._up_to_date)

    def _up_to_date(self) -> Player:
        with self._one_at_a_time:
            self._look()
            return self._player

    def _look(self) -> None:
        try:
            found = self.path.stat()
        except OSError as error:
            raise ConfigurationError(f"can't read the cassette {self.path}: {error.strerror}") from None
        state = (found.st_mtime_ns, found.st_size)
        if state != self._state:
            self._player, self._state = Player(read(self.path)), state


class Replayed:
    """What a cassette holds, `speed` times as fast as it came (infinity: at once); `live` answers what it does not hold."""

    def __init__(self, file: PlayedFile, *, speed: float, live: Callable[[], Source] | None = None) -> None:
        """Play `file`."""
        self._file = file
        self._speed = speed
        self._live = live

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the recorded answer when they are due."""
        player = await self._file.player()
        recording = player.next(await asyncio.to_thread(fingerprint, request))
        if recording is not None:
            answer = self._play(recording)
        elif self._live is not None:
            answer = self._live().frames(request)
        else:
            raise _miss(self._file.path, await asyncio.to_thread(player.explain_miss, request))
        async with aclosing(answer) as frames:
            async for frame in frames:
                yield frame

    async def aclose(self) -> None:
        """Nothing is open."""

    def retire(self) -> None:
        """Nothing is open."""

    async def _play(self, recording: Recording) -> AsyncGenerator[bytes, None]:
        began = asyncio.get_running_loop().time()
        for seconds, frame in recording.frames:
            await self._until(began, seconds)
            yield ReplayedFrame(frame)
        await self._until(began, recording.seconds)
        error = _end_of(recording)
        if error:
            error.played = True
            raise error

    async def _until(self, began: float, seconds: float) -> None:
        wait = began + seconds / self._speed - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)


def _miss(path: Path, nearest: str) -> NbGeminiError:
    error = ConfigurationError(f"{path.name} has no recording of this request; {nearest} → record it anew")
    error.played = True
    return error


def _end_of(recording: Recording) -> NbGeminiError | None:
    """Return the error that an answer ended with, if it did not end well."""
    if recording.trouble:
        return error_of(recording.trouble)
    if recording.end == "complete":
        return None
    return TransportError("the recording ends here: " + ("it was stopped" if recording.end == "left" else "it broke off"))
