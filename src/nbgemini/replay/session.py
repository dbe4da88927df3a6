"""What is recorded and what is replayed: cassettes around a client's source, and the source that plays them.

Invariants: no cassette is recorded and replayed at once; an answer is replayed in the same pieces, with the same end; without a
recording of the very request nothing is made up: it is an error that names the nearest one, or, if so wished, the live service
answers; every frame and every error says that it was played.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from nbgemini._storage import user_path
from nbgemini.errors import ConfigurationError, TransportError
from nbgemini.replay.cassette import Player, Recording, error_of, read_cassette
from nbgemini.replay.fingerprint import request_fingerprint
from nbgemini.replay.recorder import CassetteFile, RecordingSource, when_written
from nbgemini.secrets import Secret
from nbgemini.transport.request import ReplayedFrame, Request, Source

AT_ONCE = math.inf


class Record(Struct, frozen=True):
    """Answers are recorded into `path`."""

    path: Path


class Replay(Struct, frozen=True):
    """Answers come from `path`, `speed` times as fast as they came; unless it is strict, the live service answers the rest."""

    path: Path
    strict: bool = True
    speed: float = AT_ONCE


Taping: TypeAlias = Record | Replay


class Cassettes:
    """The cassettes of a client: those it records into, and how far each has been played."""

    def __init__(self) -> None:
        self._recorded: dict[Path, CassetteFile] = {}
        self._played: dict[Path, tuple[tuple[int, int], Player]] = {}  # with the state of the file that was read

    def recorded(self, source: Source, record: Record, provider: str, key: Secret) -> RecordingSource:
        """Return a source that is recorded; the key is never written."""
        file = self._recorded.setdefault(record.path, CassetteFile(record.path))
        file.hide(key)
        return RecordingSource(source, file, provider)

    def replayed(self, replay: Replay, live: Callable[[], Source]) -> ReplaySource:
        """Return a source that plays; `live` answers what the cassette does not hold, unless it is strict."""
        if replay.path in self._recorded and self._recorded[replay.path].open:
            raise ConfigurationError(f"{replay.path.name} is being recorded → replay it once the answers have ended")
        return ReplaySource(replay, lambda: self._player(replay.path), live)

    async def _player(self, path: Path) -> Player:
        """Return who plays a cassette, from its beginning once the file changes."""

        def up_to_date() -> Player:
            try:
                found = path.stat()
            except OSError as error:
                raise ConfigurationError(f"can't read the cassette {path}: {error.strerror}") from None
            state = (found.st_mtime_ns, found.st_size)
            known = self._played.get(path)
            if known is None or known[0] != state:
                known = self._played[path] = state, Player(read_cassette(path))
            return known[1]

        return await when_written(up_to_date)  # another client of this process may have recorded it a moment ago

    def rewind(self, path: Path) -> None:
        """Play a cassette from its beginning again."""
        self._played.pop(path, None)

    async def answers(self, path: Path) -> int:
        """Return how many answers a cassette holds, if it can be read."""
        return len(await self._player(path))

    async def prepare(self, path: Path) -> int:
        """Make sure that a cassette can be recorded into; return its size in bytes."""
        return await self._recorded.setdefault(path, CassetteFile(path)).prepare()

    async def written(self) -> None:
        """Return when all that came is written."""
        for file in self._recorded.values():
            await file.written()


def check_cassettes(taping: Taping | None, other: Taping | None) -> None:
    """Refuse to record and to replay the same cassette."""
    if taping and other and taping.path == other.path and type(taping) is not type(other):
        way_out = "end one of them first, or name another file"
        raise ConfigurationError(f"{taping.path.name} can't be recorded and replayed at once → {way_out}")


def resolve_path(path: str | Path) -> Path:
    """Return a path as one name for one file."""
    return user_path(path).resolve()


class ReplaySource:
    """What a cassette holds, `speed` times as fast as it came (infinity: at once); unless strict, `live` answers the rest."""

    def __init__(self, replay: Replay, player: Callable[[], Awaitable[Player]], live: Callable[[], Source]) -> None:
        self._replay = replay
        self._player = player
        self._live = live

    async def frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the recorded answer when they are due."""
        player = await self._player()
        recording = player.next(await asyncio.to_thread(request_fingerprint, request))
        if recording is not None:
            answer = self._play(recording)
        elif not self._replay.strict:
            answer = self._live().frames(request)
        else:
            nearest = await asyncio.to_thread(player.explain_miss, request)
            error = ConfigurationError(f"{self._replay.path.name} has no recording of this request; {nearest} → record it")
            error.played = True
            raise error
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
        if recording.trouble or recording.end != "complete":
            ended = "it was stopped" if recording.end == "left" else "it broke off"
            trouble = recording.trouble
            error = error_of(trouble) if trouble else TransportError(f"the recording ends here: {ended}")
            error.played = True
            raise error

    async def _until(self, began: float, seconds: float) -> None:
        wait = began + seconds / self._replay.speed - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)
