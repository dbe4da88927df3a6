"""What goes back to the model: any Python value as JSON that is valid, small and honest about what it leaves out.

Invariants: `response` encodes to at most 64 KiB, whatever came; a value that can't be read becomes words about it, never an
error. Whatever was left out is counted where it was, and noted.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from nbgemini.messages.events import InlineMedia, ToolCall, ToolRun
from nbgemini.prompts.images import MEDIA_BYTES
from nbgemini.prompts.jsonable import RESPONSE_BYTES, cut

__all__ = ["MEDIA_BYTES", "RESPONSE_BYTES", "State", "ToolResult", "text_result"]

State: TypeAlias = Literal["done", "failed", "refused", "stopped", "timed out"]
ERROR_CHARACTERS = 4_000


class ToolResult(Struct, frozen=True):
    """What came of one tool call: `response` and `media` are what the model gets, the rest is its reader's."""

    call: ToolCall
    state: State
    response: dict[str, Any]
    media: tuple[InlineMedia, ...] = ()
    seconds: float = 0.0
    unasked: bool = False


def note_of(result: ToolResult) -> dict[str, Any]:
    """Return what its reader is to see again and the service has no word for."""
    note: dict[str, Any] = {"state": result.state, "seconds": round(result.seconds, 2)}
    return {**note, "unasked": True} if result.unasked else note


def text_result(call: ToolCall, text: str, state: State, seconds: float = 0.0) -> ToolResult:
    """Return a result in words: for a call that was refused, stopped, cut off or failed."""
    words = cut(text, ERROR_CHARACTERS)
    return ToolResult(call, state, {"output" if state == "done" else "error": words}, (), seconds)


def run_of(result: ToolResult) -> ToolRun:
    """Return what the reader sees of a call that is over."""
    return ToolRun(result.call, result.state, result.response, result.media, result.seconds, result.unasked)
