"""What is recorded and what is replayed: cassettes around a client's source.

Invariant: no cassette is recorded and replayed at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from nbgemini.errors import ConfigurationError
from nbgemini.replay.recorder import CassetteFile, Recorded
from nbgemini.replay.source import PlayedFile, Replayed
from nbgemini.secrets import Secret
from nbgemini.transport.request import Source

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
        """Begin with none."""
        self._recorded: dict[Path, CassetteFile] = {}
        self._played: dict[Path, PlayedFile] = {}

    def recorded(self, source: Source, record: Record, provider: str, key: Secret) -> Recorded:
        """Return a source that is recorded; the key is never written."""
        file = self._recorded.setdefault(record.path, CassetteFile(record.path))
        file.hide(key)
        return Recorded(source, file, provider)

    def replayed(self, replay: Replay, live: Callable[[], Source]) -> Replayed:
        """Return a source that plays; `live` answers what the cassette does not hold, unless it is strict.

        Raises:
            ConfigurationError: answers are being recorded there.
        """
        if replay.path in self._recorded and self._recorded[replay.path].open:
            raise ConfigurationError(f"{replay.path.name} is being recorded → replay it once the answers have ended")
        file = self._played.setdefault(replay.path, PlayedFile(replay.path))
        return Replayed(file, speed=replay.speed, live=None if replay.strict else live)

    def rewind(self, path: Path) -> None:
        """Play a cassette from its beginning again."""
        self._played.pop(path, None)

    async def answers(self, path: Path) -> int:
        """Return how many answers a cassette holds.

        Raises:
            ConfigurationError: it can't be read.
        """
        return len(await self._played.setdefault(path, PlayedFile(path)).player())

    async def prepare(self, path: Path) -> int:
        """Make sure that a cassette can be recorded into; return its size in bytes.

        Raises:
            ConfigurationError: it can't.
        """
        return await self._recorded.setdefault(path, CassetteFile(path)).prepare()

    async def written(self) -> None:
        """Return when all that came is written."""
        for file in self._recorded.values():
            await file.written()


def refuse_both(taping: Taping | None, other: Taping | None) -> None:
    """Let two wishes pass that don't want the same cassette recorded and replayed.

    Raises:
        ConfigurationError: they do.
    """
    if taping and other and taping.path == other.path and type(taping) is not type(other):
        raise ConfigurationError(f"{taping.path.name} can't be recorded and replayed at once → name another file")


def place_of(path: str | Path) -> Path:
    """Return a path as one name for one file."""
    return Path(path).expanduser().resolve()
