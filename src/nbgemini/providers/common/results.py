"""Our answers to calls in Gemini's dialect: written, read again, and made to fit the model that is asked.

Pictures stand in `functionResponse.parts`, which models before Gemini 3 refuse (400); such a model is told how many it misses.
Source: google-gemini/gemini-cli#19436; pictures beside the answer are refused too where a turn has several calls (#16137).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from nbgemini.messages.events import Media, ToolAnswer, ToolCall
from nbgemini.messages.turns import NOTE, Part
from nbgemini.providers.common.json import dicts
from nbgemini.providers.common.models import BEFORE_GEMINI_3

_NOTED = ("state", "seconds", "unasked")


def result_part(call: ToolCall, response: dict[str, Any], media: Sequence[Media]) -> Part:
    """Return the part that answers a call."""
    answer: dict[str, Any] = {**({"id": call.id} if call.id else {}), "name": call.name, "response": response}
    if media:
        answer["parts"] = [{"inlineData": {"mimeType": item.mime, "data": item.data}} for item in media]
    return {"functionResponse": answer}


def read_result(part: Mapping[str, Any]) -> ToolAnswer:
    """Return a stored answer as its reader saw it."""
    value, note = part["functionResponse"], part.get(NOTE)
    inline = [item.get("inlineData") for item in dicts(value.get("parts"))]
    media = tuple(Media(str(data.get("mimeType") or ""), str(data.get("data") or "")) for data in dicts(inline))
    answer = ToolAnswer(
        str(value.get("name") or ""), str(value["id"]) if value.get("id") else None, value["response"], media=media
    )
    said = {name: note[name] for name in _NOTED if name in note} if isinstance(note, dict) else {}
    return structs.replace(answer, **said)


def fitting(part: Part, model: str) -> dict[str, Any]:
    """Return a part as `model` takes it."""
    answer = part.get("functionResponse")
    if not isinstance(answer, dict) or not answer.get("parts") or not model.rpartition("/")[2].startswith(BEFORE_GEMINI_3):
        return dict(part)
    missed = f"{len(answer['parts'])} attached, but this model can't see what tools attach"
    rest = {name: value for name, value in answer.items() if name != "parts"}
    return {**part, "functionResponse": {**rest, "response": {**answer["response"], "pictures": missed}}}
