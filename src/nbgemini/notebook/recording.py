"""What --record and --replay ask for: a cassette around one prompt."""

from __future__ import annotations

from typing import Any

from nbgemini.notebook import surroundings
from nbgemini.notebook.arguments import Ask
from nbgemini.taping import AT_ONCE, Record, Replay, Taping, place_of


def taping_of(ask: Ask, shell: Any) -> Taping | None:
    """Return what a prompt's line wants recorded or replayed, if it does."""
    if ask.record:
        return Record(place_of(ask.record))
    return Replay(place_of(ask.replay), speed=usual_speed(shell)) if ask.replay else None


def usual_speed(shell: Any) -> float:
    """Return how fast a cassette plays unless its user says: as it was recorded for a reader, at once for nobody."""
    headless = surroundings.kernel_of(shell) is not None and not surroundings.someone_sits_there(shell)
    return AT_ONCE if headless else 1.0
