"""Turns as Gemini takes them back: its own parts as they came, and of other providers' parts what is neutral.

A call that Gemini has not made itself has no signature of its, which Gemini 3 and later miss at the first call of a turn; the
service takes a word instead, which is made for histories that come from elsewhere.
Source: ai.google.dev/gemini-api/docs/thought-signatures, its FAQ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nbgemini.messages.turns import ORIGIN, Part, Turn, merge_text
from nbgemini.providers.common.parts import is_thinking
from nbgemini.providers.common.results import fitting

_UNSIGNED = "skip_thought_signature_validator"
_WITHOUT_SIGNATURES = ("gemini-1", "gemini-2", "gemma-")


def content_of(turn: Turn, model: str) -> dict[str, Any]:
    """Return a turn as `model` takes it."""
    parts = map(_unspoken, _neutral(turn.parts, model)) if turn.role == "model" else turn.parts
    return {"role": turn.role, "parts": [fitting(part, model) for part in merge_text(parts)]}


def _neutral(parts: Iterable[Part], model: str) -> Iterator[Part]:
    """Yield the parts without what other providers keep in them, and leave out their thoughts."""
    called = False
    for part in parts:
        first, called = not called, called or "functionCall" in part
        if ORIGIN not in part:
            yield part
        elif not is_thinking(bare := {name: value for name, value in part.items() if name != ORIGIN}):
            yield {**bare, **_signature(model)} if "functionCall" in part and first else bare


def _signature(model: str) -> Part:
    return {} if model.rpartition("/")[2].startswith(_WITHOUT_SIGNATURES) else {"thoughtSignature": _UNSIGNED}


def _unspoken(part: Part) -> Part:
    """Return a part without the sound that the model made: speech models take text alone, and it is large."""
    data = part.get("inlineData")
    spoken = isinstance(data, dict) and str(data.get("mimeType")).startswith("audio/")
    return {"text": "(Sound.)"} if spoken else part
