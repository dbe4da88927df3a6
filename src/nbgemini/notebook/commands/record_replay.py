"""%gemini record and %gemini replay: all prompts into a cassette, or out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbgemini.errors import PromptError
from nbgemini.notebook.commands._args import words_of
from nbgemini.notebook.commands._output import show_line
from nbgemini.notebook.magics.parsing import nearest
from nbgemini.notebook.session import usual_speed
from nbgemini.replay.session import AT_ONCE, Record, Replay

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

_RECORD = "%gemini record FILE, or %gemini record off"
_REPLAY = "%gemini replay FILE [--strict | --live] [--speed X|now], or %gemini replay off"
_OPTIONS = ("--strict", "--live", "--speed")


async def record(session: Session, rest: str) -> None:
    """Record all prompts from now on into FILE, a cassette; `off` ends it."""
    words = words_of(rest)
    if len(words) != 1:
        raise PromptError(_RECORD)
    if words == ["off"]:
        if isinstance(session.client.services.taping, Record):
            await session.client.record(None)
        show_line("nothing is recorded from here on")
        return
    former = _former(session, Replay)
    held = await session.client.record(words[0])
    added = "; what it holds stays: delete the file to record it anew" if held else ""
    show_line(f"all prompts are recorded into {words[0]} from here on; %gemini record off ends it{added}{former}")


async def replay(session: Session, rest: str) -> None:
    """Answer all prompts from FILE, a cassette: no key, no network, nothing spent; `off` ends it."""
    words, speed, strict = _replay_words(words_of(rest), usual_speed(session.shell))
    if words == ["off"]:
        if isinstance(session.client.services.taping, Replay):
            await session.client.replay(None)
        show_line("nothing is replayed from here on")
        return
    former = _former(session, Record)
    count = await session.client.replay(words[0], strict=strict, speed=speed)
    missing = "what it does not hold is an error" if strict else "what it does not hold is asked live"
    show_line(f"answers come from {words[0]} from here on ({count} recorded); {missing}; %gemini replay off ends it{former}")


def _former(session: Session, kind: type[Record | Replay]) -> str:
    """Say what ends with this, if something does: one cassette serves all prompts."""
    taping = session.client.services.taping
    verb = "recorded into" if kind is Record else "replayed from"
    return f"; nothing more is {verb} {taping.path.name}" if isinstance(taping, kind) else ""


def _replay_words(words: list[str], speed: float) -> tuple[list[str], float, bool]:
    """Return the file, how fast, and whether nothing else may answer."""
    named: list[str] = []
    strict = True
    rest = iter(words)
    for word in rest:
        if word == "--speed":
            speed = _speed(next(rest, ""))
        elif word in _OPTIONS:
            strict = word == "--strict"
        elif word.startswith("-"):
            raise PromptError(f"unknown option {word}{nearest(word, _OPTIONS)}: {_REPLAY}")
        else:
            named.append(word)
    if len(named) != 1:
        raise PromptError(_REPLAY)
    return named, speed, strict


def _speed(word: str) -> float:
    if word == "now":
        return AT_ONCE
    try:
        speed = float(word)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise PromptError(f"--speed takes now, or how many times faster than recorded, not {word!r}")
    return speed
