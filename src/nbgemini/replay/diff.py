"""A request in short, kept with every recording, and the difference of two as a unified diff of their canonical JSON texts."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff
from itertools import islice
from typing import Any

from msgspec import Struct

from nbgemini.replay.fingerprint import canonical_body, digest, query_of, subject_of
from nbgemini.transport.request import Request

_TURNS = ("contents", "messages", "input")  # where services keep the conversation
_DIGITS = 8  # of a digest: enough to see that something differs
_LONGEST = 2000  # characters of a prompt that are kept
_COMPARED = 300  # characters of a prompt that are compared
_SHORT = 40  # characters of a value that is kept as it is
_WIDTH = 60  # characters of a line of the prompt
_MOST = 6  # lines of a diff
_MODEL = re.compile(r"^models/([^:]+):")


class RequestSummary(Struct, frozen=True, omit_defaults=True):
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


def summarize(request: Request) -> RequestSummary:
    """Return a request in short."""
    canonical = canonical_body(request)
    body = canonical if isinstance(canonical, dict) else {}
    name = next((name for name in _TURNS if isinstance(body.get(name), list)), "")
    turns = body.get(name) or []
    rest = {key: value for key, value in body.items() if key != name}
    return RequestSummary(
        subject_of(request),
        _prompt(turns[-1]).strip()[:_LONGEST] if turns else "",
        tuple(digest(turn)[:_DIGITS] for turn in turns),
        {**dict(_short(rest)), **query_of(request)},
    )


def likeness(one: RequestSummary, other: RequestSummary) -> float:
    """Return how near two requests are; the prompt counts most."""
    prompts = SequenceMatcher(None, one.prompt[:_COMPARED], other.prompt[:_COMPARED], autojunk=False).ratio()
    ours, theirs = set(_lines(one)), set(_lines(other))
    return 3 * prompts + len(ours & theirs) / len(ours | theirs)


def difference(recorded: RequestSummary, asked: RequestSummary) -> str:
    """Return in one line what differs: a unified diff, `-` before what was recorded, `+` before what is asked."""
    former, latter = list(_lines(recorded)), list(_lines(asked))
    if recorded.prompt != asked.prompt:  # then the digests of these turns say nothing new
        former, latter = ([line for line in lines if not line.startswith('"last turn"')] for lines in (former, latter))
    changes = [line for line in islice(unified_diff(former, latter, n=0, lineterm=""), 2, None) if not line.startswith("@@")]
    more = f" and {len(changes) - _MOST} more" if len(changes) > _MOST else ""
    return " ".join(changes[:_MOST]) + more


def _lines(summary: RequestSummary) -> Iterator[str]:
    """Yield the canonical text of a request in short: a value a line, of the prompt a few words a line."""
    model = _MODEL.match(summary.of)
    yield _line("model" if model else "path", model[1] if model else summary.of)
    for words in textwrap.wrap(summary.prompt, _WIDTH):
        yield _line("prompt", words)
    for number, turn in enumerate(summary.turns[:-1], 1):
        yield _line(f"turn {number}", turn)
    for turn in summary.turns[-1:]:
        yield _line("last turn", turn)
    for name, value in sorted(summary.rest.items()):
        yield f"{json.dumps(name)}: {value}"


def _line(name: str, value: str) -> str:
    return f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"


def _prompt(turn: Any) -> str:
    """Return the text of a turn: all its texts, or, of answers to calls, their JSON."""
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
    """Yield every value with its name; those of generationConfig one by one."""
    for name, value in values.items():
        if name == "generationConfig" and isinstance(value, dict):
            yield from _short(value)
        else:
            text = json.dumps(value, ensure_ascii=False, sort_keys=True)
            yield name, text if len(text) <= _SHORT else digest(value)[:_DIGITS]
