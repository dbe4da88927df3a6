"""The parts of a transcript as every provider but Gemini's own codec writes and reads them: Gemini's shape, and an origin.

Invariant: what stands under `origin` is for the provider that it names, and for no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbgemini.messages.events import Event, InlineMedia, ToolCall
from nbgemini.messages.turns import NOTE, ORIGIN, Part
from nbgemini.providers.common.part_events import read_part
from nbgemini.providers.common.results import result_part

_NOTHING = {"text", "thoughtSignature", ORIGIN, NOTE}


class PartStoreMixin:
    """The half of a codec that is the same for every provider but Gemini: how calls and their answers are kept."""

    name: str

    def call_part(self, call: ToolCall, part: Part | None) -> Part:
        """Return the part in which a call is kept: with what `part`, the provider's own, says besides."""
        given = {**({"id": call.id} if call.id else {}), "name": call.name, "args": call.args}
        return {ORIGIN: {"provider": self.name}, **(part or {}), "functionCall": given}

    def result_part(self, call: ToolCall, response: dict[str, Any], media: Sequence[InlineMedia]) -> Part:
        """Return the part that answers a call."""
        return result_part(call, response, media)


def parts_to_events(parts: Iterable[Part]) -> list[Event]:
    """Return what stored parts say, as when they came."""
    events: list[Event] = []
    for part in parts:
        read_part(dict(part), events)
    return events


def kept_by(provider: str, part: Part) -> dict[str, Any] | None:
    """Return the block that this provider keeps in a part, to be sent back as it is; None if there is none of its own."""
    origin = part.get(ORIGIN)
    mine = isinstance(origin, Mapping) and origin.get("provider") == provider
    block = origin.get("block") if mine and isinstance(origin, Mapping) else None
    return dict(block) if isinstance(block, Mapping) else None


def is_thinking(part: Part) -> bool:
    """Whether a part is a thought or says nothing but a signature: another provider can do nothing with it."""
    return part.get("thought") in (True, "true") or (not part.get("text") and part.keys() <= _NOTHING)
