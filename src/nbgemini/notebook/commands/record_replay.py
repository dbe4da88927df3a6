"""`%gemini record` and `replay`: record all prompts in a cassette, or answer them from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbgemini.errors import PromptError, nearest
from nbgemini.notebook.commands.common import show_line, split_words, usage_error
from nbgemini.notebook.settings import usual_speed
from nbgemini.replay.session import AT_ONCE, Record, Replay

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

_OPTIONS = ("--strict", "--live", "--speed")


async def record(session: Session, rest: str) -> None:
    """Record all prompts from now on in a cassette; `off` ends it."""
    words = split_words(rest)
    if len(words) != 1 or words[0].startswith("-"):
        raise usage_error("record")
    if words == ["off"]:
        if isinstance(session.client.services.taping, Record):
            await session.client.record(None)
        show_line("nothing is recorded from here on")
        return
    ended = _ended(session, Replay)
    held = await session.client.record(words[0])
    added = "; its earlier recordings are kept: delete the file to start over" if held else ""
    show_line(f"all prompts are recorded in {words[0]} from here on; %gemini record off ends it{added}{ended}")


async def replay(session: Session, rest: str) -> None:
    """Answer all prompts from a cassette: no key, no network, no cost; `off` ends it."""
    words, speed, strict = _parse_replay(split_words(rest), usual_speed(session.shell))
    if words == ["off"]:
        if isinstance(session.client.services.taping, Replay):
            await session.client.replay(None)
        show_line("nothing is replayed from here on")
        return
    ended = _ended(session, Record)
    count = await session.client.replay(words[0], strict=strict, speed=speed)
    missing = "a prompt that it does not hold is an error" if strict else "prompts that it does not hold go to the live service"
    show_line(f"answers come from {words[0]} from here on ({count} recorded); {missing}; %gemini replay off ends it{ended}")


def _ended(session: Session, kind: type[Record | Replay]) -> str:
    """Return what ends now, if anything: there is one cassette for all prompts."""
    taping = session.client.services.taping
    verb = "recorded in" if kind is Record else "replayed from"
    return f"; nothing more is {verb} {taping.path.name}" if isinstance(taping, kind) else ""


def _parse_replay(words: list[str], speed: float) -> tuple[list[str], float, bool]:
    """Return the words that are no options, the speed, and whether a miss is an error."""
    named: list[str] = []
    strict = True
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option == "--speed":
            speed = _speed(value if equals else next(rest, None))
        elif word in _OPTIONS:
            strict = word == "--strict"
        elif word.startswith("-"):
            raise usage_error("replay", f"unknown option {word}{nearest(word, _OPTIONS)}")
        else:
            named.append(word)
    if len(named) != 1:
        raise usage_error("replay")
    return named, speed, strict


def _speed(word: str | None) -> float:
    if word is None:
        raise usage_error("replay", "--speed: a value is missing")
    if word == "now":
        return AT_ONCE
    try:
        speed = float(word)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise PromptError(f"--speed takes now or a factor (2: twice as fast as recorded), not {word!r}")
    return speed
