"""What goes back to the model: any Python value as JSON that is valid, small and honest about what it leaves out.

Invariants: `response` encodes to at most 64 KiB, whatever came; a value that can't be read becomes words about it, never an
error. Whatever was left out is counted where it was, and noted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from nbgemini.messages.events import Media, ToolCall, ToolRun
from nbgemini.prompts.images import MEDIA_BYTES, Gallery
from nbgemini.prompts.jsonable import ITEMS, RESPONSE_BYTES, Plain, TooMuchError, cut

__all__ = ["MEDIA_BYTES", "RESPONSE_BYTES", "State", "ToolResult", "answer", "converted"]

State: TypeAlias = Literal["done", "failed", "refused", "stopped", "timed out"]
ERROR_CHARACTERS = 4_000
STEPS = 14  # halvings until anything fits


class ToolResult(Struct, frozen=True):
    """What came of one tool call: `response` and `media` are what the model gets, the rest is its reader's."""

    call: ToolCall
    state: State
    response: dict[str, Any]
    media: tuple[Media, ...] = ()
    seconds: float = 0.0
    unasked: bool = False


def note_of(result: ToolResult) -> dict[str, Any]:
    """Return what its reader is to see again and the service has no word for."""
    note: dict[str, Any] = {"state": result.state, "seconds": round(result.seconds, 2)}
    return {**note, "unasked": True} if result.unasked else note


def answer(call: ToolCall, text: str, state: State, seconds: float = 0.0) -> ToolResult:
    """Return a result in words: for a call that was refused, stopped, cut off or failed."""
    words = cut(text, ERROR_CHARACTERS)
    return ToolResult(call, state, {"output" if state == "done" else "error": words}, (), seconds)


def converted(value: Any) -> tuple[dict[str, Any], tuple[Media, ...]]:
    """Return what a tool returned as the response and the pictures that go beside it."""
    gallery = Gallery()
    value = gallery.hang_all(value)
    notes: list[str] = []
    if isinstance(value, Iterator):
        value = list(islice(value, ITEMS))
        notes = [f"at most the first {ITEMS:,} items were taken"] if len(value) == ITEMS else []
    return _fitting(value, notes), tuple(gallery.media)


def _fitting(value: Any, notes: list[str]) -> dict[str, Any]:
    for step in range(STEPS):
        plain = Plain(step, notes)
        with suppress(TooMuchError):
            response = {"output": plain.said(value)}
            if plain.notes:
                response["note"] = "; ".join(plain.notes)
            if len(json.dumps(response, allow_nan=False)) <= RESPONSE_BYTES:
                return response
    return {"output": f"a value of type {type(value).__name__}, too large to send"}


def run_of(result: ToolResult) -> ToolRun:
    """Return what the reader sees of a call that is over."""
    return ToolRun(result.call, result.state, result.response, result.media, result.seconds, result.unasked)
