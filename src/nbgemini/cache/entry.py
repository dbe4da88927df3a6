"""What is kept of an answer, and which answers are worth keeping.

Invariants: what comes out of a store is judged as what goes in is, so nobody who can write there can make a tool run, an
error appear, or half an answer pass as one; an entry is data and nothing that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from nbgemini.errors import NbGeminiError
from nbgemini.messages.events import (
    WHOLE,
    Continuation,
    Done,
    Event,
    Fault,
    Finish,
    ResponseInfo,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)
from nbgemini.messages.turns import Usage

LARGEST = 8 * 1024 * 1024  # bytes of an answer that is kept

Decode: TypeAlias = Callable[[bytes], list[Event]]

_VERSION = 1
_UNFIT = (ToolCall, ToolCallStart, ToolArgsDelta, ToolArgsText, ToolArgsPiece, ToolCallEnd, Fault, Continuation)


class Entry(Struct, frozen=True):
    """One whole answer: its frames as they came, who gave it, and what it took."""

    frames: tuple[bytes, ...]
    model: str = ""
    usage: Usage = Usage()


class _Packed(Struct, frozen=True, array_like=True):
    version: int
    frames: tuple[bytes, ...]


def judged(frames: Sequence[bytes], decode: Decode) -> Entry | None:
    """Return the entry of an answer that is complete, without calls and faults; None for any other."""
    model, usage = "", Usage()
    finish: Finish | None = None
    for event in _events(frames, decode):
        match event:
            case Finish():
                finish = event
            case Done():
                finish = finish or WHOLE
            case UsageReport(usage):
                pass
            case ResponseInfo(model):
                pass
            case _ if isinstance(event, _UNFIT):
                return None
    return Entry(tuple(frames), model, usage) if finish is not None and finish.state == "complete" else None


def packed(frames: Sequence[bytes]) -> bytes:
    """Return the frames as the bytes that a store keeps."""
    return msgspec.msgpack.encode(_Packed(_VERSION, tuple(frames)))


def unpacked(data: bytes, decode: Decode) -> Entry | None:
    """Return the entry that bytes of a store hold; None if they hold none that may be played."""
    try:
        found = msgspec.msgpack.decode(data, type=_Packed)
    except msgspec.DecodeError:
        return None
    return judged(found.frames, decode) if found.version == _VERSION else None


def _events(frames: Sequence[bytes], decode: Decode) -> Iterable[Event]:
    for frame in frames:
        try:
            yield from decode(frame)
        except NbGeminiError as error:
            yield Fault(error)
