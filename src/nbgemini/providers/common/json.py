"""What services write in more ways than one: objects, lists, counts, or their absence, and the words for how an answer ended.

Gateways mix the stop reasons of the services behind them, in any case, and Vertex AI may send the number of its enum.
Sources: the APIs' references; Candidate.FinishReason, whose first five numbers Vertex AI and the Gemini API share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbgemini.messages.events import EndState
from nbgemini.messages.turns import Usage
from nbgemini.providers.base import OVER
from nbgemini.transport.framing import DONE, load_json

_ENDS = (OVER, DONE)
_LARGEST = 2**63
_DIGITS = 18


def load_frame(frame: bytes) -> Any:
    """Decode a frame; what says that a stream is at its end stays bytes (WireError: it is not JSON)."""
    return frame if frame in _ENDS else load_json(frame)


def as_dict(value: Any) -> dict[str, Any]:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list, an empty one for anything else."""
    return value if isinstance(value, list) else []


def non_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that say something: not None, and no empty text or list."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects in what should be a list of them."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_count(value: Any) -> int:
    """Return a count, which some write as text or as a float; 0 for anything else."""
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value) if 0 <= value < _LARGEST else 0
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS
    return int(value) if digits else 0


def usage_in(counts: Mapping[str, Any], names: Sequence[str]) -> Usage:
    """Return token counts, by their names for what was asked, thought, said, cached, used by tools, and the total."""
    asked, thought, said, cached, by_tools, total = (as_count(counts.get(name)) for name in names)
    return Usage(asked, thought, said, cached, by_tools, total or asked + thought + said + by_tools)


_NUMBERED = ("", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
_NONE = ("null", "none")  # how some write that there is no reason yet
_WELL = (
    "stop", "tool_calls", "tool_call", "function_call", "eos", "eos_token", "end_turn", "tool_use", "stop_sequence", "complete",
    "completed", "done", "end", "succeeded", "success", "ok",
)  # fmt: skip
_CUT = (
    "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length", "token_limit",
    "model_context_window_exceeded", "insufficient_system_resource",
)  # fmt: skip
_WITHHELD = (
    "content_filter", "safety", "refusal", "sensitive", "prohibited_content", "recitation", "blocklist", "spii", "language",
    "model_armor", "image_safety", "image_prohibited_content", "image_recitation",
)  # fmt: skip
_STATES: dict[str, EndState] = {
    **dict.fromkeys(_WELL, "complete"), **dict.fromkeys(_CUT, "truncated"), **dict.fromkeys(_WITHHELD, "blocked"),
}  # fmt: skip


def stop_word(reason: Any) -> str:
    """Return a reason as its service names it; empty where there is none yet."""
    if type(reason) is int and 0 <= reason < len(_NUMBERED):
        reason = _NUMBERED[reason]
    word = str(reason or "").strip().removeprefix("FinishReason.")  # as Python writes an enum
    return "" if word.lower() in _NONE else word


def end_state(word: str) -> EndState | None:
    """Return what a reason says of the answer; None for one that is not known."""
    return _STATES.get(word.lower())


def is_limit(word: str) -> bool:
    """Whether a reason says that the answer was cut at a limit."""
    return word.lower() in _CUT
