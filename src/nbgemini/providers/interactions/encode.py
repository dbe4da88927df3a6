"""Turns as the steps that the Interactions API takes: its own as they came, of others' parts what is neutral.

Invariants: the steps stand in the order of the parts; each result names the id of its call; nothing that another provider
signed or thought is in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Part, Turn, merge_text
from nbgemini.providers.common.call_ids import CallIds
from nbgemini.providers.common.json import dicts
from nbgemini.providers.common.parts import is_thinking, kept_by
from nbgemini.providers.common.text_fallback import as_text, part_as_text

NAME = "interactions"
_Step = dict[str, Any]

_SPOKEN = {"user": "user_input", "model": "model_output"}
_DOCUMENTS = ("application/pdf", "application/msword", "application/vnd.", "text/csv")


def steps_of(turns: Iterable[Turn]) -> list[_Step]:
    """Return the steps of these turns.

    Raises:
        PromptError: something in them is of a kind that the service does not take.
    """
    ids = CallIds()
    steps = [step for turn in turns for part in merge_text(turn.parts) for step in _steps(part, turn.role, ids)]
    return list(_together(steps))


def _steps(part: Part, role: str, ids: CallIds) -> Iterator[_Step]:
    """Yield what a part says to the service: at most one step, whose content may go on in the next."""
    block = kept_by(NAME, part)
    if isinstance(call := part.get("functionCall"), Mapping):
        yield {**(block or {}), **_call(call, ids)}
    elif isinstance(answer := part.get("functionResponse"), Mapping):
        yield _result(answer, ids)
    elif block:
        yield block
    elif not is_thinking(part) and (content := _content(part, role)):
        yield {"type": _SPOKEN[role], "content": [content]}


def _together(steps: Iterable[_Step]) -> Iterator[_Step]:
    """Yield the steps, those of one side that only say something joined to one."""
    spoken = _SPOKEN.values()
    for kind, run in groupby(steps, key=lambda step: step.get("type")):
        if kind in spoken:
            yield {"type": kind, "content": [content for step in run for content in dicts(step.get("content"))]}
        else:
            yield from run


def _call(call: Mapping[str, Any], ids: CallIds) -> _Step:
    args = call.get("args")
    name = str(call.get("name") or "")
    return {
        "type": "function_call",
        "id": ids.of_call(call),
        "name": name,
        "arguments": args if isinstance(args, Mapping) else {},
    }


def _result(answer: Mapping[str, Any], ids: CallIds) -> _Step:
    response, attached = answer.get("response"), answer.get("parts")
    failed = {"is_error": True} if isinstance(response, Mapping) and response.keys() == {"error"} else {}
    media = [_content(part, "user") for part in attached if isinstance(part, Mapping)] if isinstance(attached, Sequence) else []
    text = {"type": "text", "text": json.dumps(response, ensure_ascii=False)}
    named = {"type": "function_result", "call_id": ids.of_result(answer), "name": str(answer.get("name") or "")}
    return {**named, "result": [text, *filter(None, media)] if media else response, **failed}


def _content(part: Part, role: str) -> _Step | None:
    """Return what a part shows or says as content of a step; None if there is nothing that this service could read."""
    match part:
        case {"text": str(text)}:
            return {"type": "text", "text": text} if text else None
        case {"inlineData": {"mimeType": str(mime)}} if role == "model" and mime.startswith("audio/"):
            return {"type": "text", "text": "(Sound.)"}  # models take no sound of their own back, and it is large
        case {"inlineData": {"mimeType": str(mime), "data": str(data)}}:
            return _inline(mime, data)
        case {"fileData": {"fileUri": str(uri), **rest}}:
            mime = str(rest.get("mimeType") or "")
            return {
                "type": _kind(mime) or ("document" if mime else "video"),
                "uri": uri,
                **({"mime_type": mime} if mime else {}),
            }
    said = part_as_text(part)  # code that another API ran, or what it printed
    return {"type": "text", "text": said.strip("\n")} if said else None


def _inline(mime: str, data: str) -> _Step:
    if kind := _kind(mime):
        return {"type": kind, "data": data, "mime_type": mime}
    if (text := as_text(mime, data)) is not None:
        return {"type": "text", "text": text}
    raise PromptError(f"the Interactions API takes no {mime} inside a prompt; attach pictures, sound, video, PDF or text")


def _kind(mime: str) -> str | None:
    if mime.startswith(_DOCUMENTS):
        return "document"
    return next((kind for kind in ("image", "audio", "video") if mime.startswith(f"{kind}/")), None)
