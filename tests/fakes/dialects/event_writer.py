"""How a speech goes out in a protocol: as timed events in their order, or whole as one object; with the faults asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from nbgemini.offline.directive import Directive
from nbgemini.offline.requests import Refused
from nbgemini.offline.script import Script
from tests.fakes.dialects.answer_runs import Run, Speech
from tests.fakes.dialects.errors import RequestError

Event: TypeAlias = tuple[str, Any]  # its name, for the line `event:`, and its data

_OVERLOADED = "The model is overloaded."


class Writer(Protocol):
    """Writes one speech in one protocol."""

    names: bool
    """Whether its events have a line with their name."""

    def begin(self, speech: Speech) -> list[Event]:
        """Return what comes at once."""
        ...

    def opening(self, index: int, run: Run) -> list[Event]:
        """Return what begins a run."""
        ...

    def delta(self, index: int, run: Run, text: str) -> list[Event]:
        """Return what goes on with it."""
        ...

    def closing(self, index: int, run: Run) -> list[Event]:
        """Return what ends it."""
        ...

    def end(self, speech: Speech) -> list[Event]:
        """Return what follows the last run; nothing if the speech is not to have an end."""
        ...

    def fault(self, message: str) -> list[Event]:
        """Return what reports an error on the way."""
        ...

    def whole(self, speech: Speech) -> dict[str, Any]:
        """Return the one object that a client gets which does not stream."""
        ...


class Written(Struct, frozen=True):
    """An answer ready to go out: its script for time and faults, its pieces, and the object that it adds up to."""

    script: Script
    pieces: list[bytes]
    begin: bytes
    end: bytes
    whole: dict[str, Any]
    broken: bool = False  # by an error on the way


def written(speech: Speech, writer: Writer, directive: Directive) -> Written:
    """Return the speech as this writer writes it."""
    begin = _lines(writer.begin(speech), writer)
    broken = directive.fault is not None and directive.fault <= sum(len(run.pieces) for run in speech.runs)
    timed = list(islice(_timed(speech.runs, writer), directive.fault if broken else None))
    last = writer.fault(_OVERLOADED) if broken else writer.end(speech) if speech.finish is not None else []
    end = _lines(last, writer)
    script = Script([(wait, {}) for wait, _ in timed], natural=directive.gap is None, cut=directive.cut, stall=directive.stall)
    return Written(script, [_lines(events, writer) for _, events in timed], begin, end, writer.whole(speech), broken)


def overloaded() -> RequestError:
    """Return the error of a whole answer that broke on its way."""
    return RequestError(503, _OVERLOADED)


def refusal(refused: Refused) -> RequestError:
    """Return the error of a refused prompt; what it says in Google's words is left to Google's protocol."""
    said = {name: value for name, value in refused.error.items() if isinstance(value, str)}
    match refused.error.get("details"):
        case [{"retryDelay": str(delay)}]:
            headers = {"retry-after": delay.removesuffix("s")}
        case _:
            headers = {}
    return RequestError(
        refused.code,
        said["message"],
        kind=said.get("type", ""),
        param=said.get("param"),
        code=said.get("code"),
        headers=headers,
    )


def _timed(runs: list[Run], writer: Writer) -> Iterator[tuple[float, list[Event]]]:
    for index, run in enumerate(runs):
        for number, (wait, fragments) in enumerate(run.pieces):
            events = writer.opening(index, run) if number == 0 else []
            events = [*events, *(event for text in fragments for event in writer.delta(index, run, text))]
            yield wait, [*events, *(writer.closing(index, run) if number == len(run.pieces) - 1 else ())]


def _lines(events: list[Event], writer: Writer) -> bytes:
    lines = ((f"event: {name}\n" if writer.names else "") + f"data: {_data(data)}\n\n" for name, data in events)
    return "".join(lines).encode()


def _data(data: Any) -> str:
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
