"""What tells two requests apart, in a few words: kept with every recording, so that a miss can name the nearest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from msgspec import Struct

from nbgemini.replay.fingerprint import digest, essence_of, query_of, subject_of
from nbgemini.transport.request import Request

_TURNS = ("contents", "messages", "input")  # where services keep the conversation
_DIGITS = 8  # of a digest: enough to see that something differs
_LONGEST = 2000  # characters of a prompt that are kept
_COMPARED = 300  # characters of a prompt that say how near it is
_AROUND = 20  # characters shown on either side of the first difference
_MOST = 3  # differences that are told
_NOTHING = "nothing"
_MODEL = re.compile(r"^models/([^:]+):")


class Facts(Struct, frozen=True, omit_defaults=True):
    """A request in short.

    Attributes:
        of: what its path names.
        prompt: the text of the last turn; answers to calls as JSON.
        turns: a digest of each turn.
        rest: everything else, by name: short values as they are, long ones as a digest.
    """

    of: str
    prompt: str = ""
    turns: tuple[str, ...] = ()
    rest: dict[str, str] = {}


def facts_of(request: Request) -> Facts:
    """Return a request in short."""
    essence = essence_of(request)
    body = essence if isinstance(essence, dict) else {}
    name = next((name for name in _TURNS if isinstance(body.get(name), list)), "")
    turns = body.get(name) or []
    rest = {key: value for key, value in body.items() if key != name}
    return Facts(
        subject_of(request),
        _prompt(turns[-1]).strip()[:_LONGEST] if turns else "",
        tuple(digest(turn)[:_DIGITS] for turn in turns),
        {**dict(_short(rest)), **query_of(request)},
    )


def likeness(one: Facts, other: Facts) -> float:
    """Return how near two requests are; what was asked counts most."""
    prompts = SequenceMatcher(None, one.prompt[:_COMPARED], other.prompt[:_COMPARED], autojunk=False).ratio()
    turns = sum(mine == theirs for mine, theirs in zip(one.turns, other.turns, strict=False))
    most = max(len(one.turns), len(other.turns), 1)
    return 3 * prompts + 2 * (one.of == other.of) + turns / most + (one.rest == other.rest)


def differences(recorded: Facts, asked: Facts) -> str:
    """Return in a few words what differs."""
    told = list(_differences(recorded, asked))
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return "; ".join(told[:_MOST]) + more


def _differences(recorded: Facts, asked: Facts) -> Iterator[str]:
    if recorded.of != asked.of:
        yield _told("model", _model(recorded.of), _model(asked.of))
    if recorded.prompt != asked.prompt:
        yield _told("prompt", *_windows(recorded.prompt, asked.prompt))
    elif recorded.turns[-1:] != asked.turns[-1:]:
        yield "attachments or blanks of the prompt differ"
    if recorded.turns[:-1] != asked.turns[:-1]:
        yield _history(recorded.turns[:-1], asked.turns[:-1])
    for name in sorted(recorded.rest.keys() | asked.rest.keys()):
        before, now = recorded.rest.get(name, _NOTHING), asked.rest.get(name, _NOTHING)
        if before != now:
            yield _told(name, before, now)


def _told(name: str, before: str, now: str) -> str:
    return f"{name} {before} there, {now} here"


def _model(of: str) -> str:
    found = _MODEL.match(of)
    return found[1] if found else of


def _history(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    if len(before) != len(now):
        return f"{len(before)} earlier turns there, {len(now)} here"
    number = next(n for n, (mine, theirs) in enumerate(zip(before, now, strict=True), 1) if mine != theirs)
    return f"turn {number} of the history differs"


def _windows(before: str, now: str) -> tuple[str, str]:
    """Return both texts around the first letter in which they differ."""
    pairs = enumerate(zip(before, now, strict=False))
    at = next((number for number, (mine, theirs) in pairs if mine != theirs), min(len(before), len(now)))
    return _window(before, at), _window(now, at)


def _window(text: str, at: int) -> str:
    start, end = max(0, at - _AROUND), at + _AROUND
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"


def _prompt(turn: Any) -> str:
    """Return what a turn says: all its texts, or, of answers to calls, their JSON."""
    return "".join(_texts(turn)) or json.dumps(turn, ensure_ascii=False, sort_keys=True)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name in ("parts", "content", "text"):
            yield from _texts(value.get(name))


def _short(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every value with its name; those of objects one by one."""
    for name, value in values.items():
        if name == "generationConfig" and isinstance(value, dict):
            yield from _short(value)
        else:
            text = json.dumps(value, ensure_ascii=False, sort_keys=True)
            yield name, text if len(text) <= 2 * _AROUND else digest(value)[:_DIGITS]
