"""Turns as the items that OpenAI's Responses API takes: its own as they came, of others' parts what is neutral.

Invariants: the items stand in the order of the parts; each output names the id of its call; nothing that another provider
signed or thought is in them, and no reasoning of OpenAI's own goes to a model that doesn't reason (it refuses such items). What
the service can't take is refused in the last turn, which can be asked anew, and becomes words in those before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Part, Turn, merge_text
from nbgemini.providers.common.call_ids import CallIds
from nbgemini.providers.common.parts import kept_by
from nbgemini.providers.common.text_fallback import as_text, is_file, kind_of, part_as_text, placeholder_text
from nbgemini.providers.openai.common import (
    arguments_of,
    attached_to,
    data_url,
    file_name,
    is_paper,
)
from nbgemini.providers.openai.models import efforts_of
from nbgemini.providers.openai.responses_speech import NAME

_Item = dict[str, Any]
_OWN = ("reasoning", "web_search_call")  # the items that go back as they came


def items_of(turns: Sequence[Turn], model: str) -> list[_Item]:
    """Return the items of these turns.

    Raises:
        PromptError: something in them is of a kind that the service does not take.
    """
    ids = CallIds()
    plain = efforts_of(model) == ()
    items: list[_Item] = []
    for number, turn in enumerate(turns, 1):
        parts, last = merge_text(turn.parts), number == len(turns)
        items += _answered(parts, ids, plain=plain) if turn.role == "model" else _asked(parts, ids, last=last)
    return items


def _asked(parts: Iterable[Part], ids: CallIds, *, last: bool) -> Iterator[_Item]:
    """Yield our side: the outputs of calls, which come first, and one message."""
    content: list[_Item] = []
    for part in parts:
        if isinstance(answer := part.get("functionResponse"), Mapping):
            yield {"type": "function_call_output", "call_id": ids.of_result(answer), "output": _output(answer)}
        elif piece := _content(part, last=last):
            content.append(piece)
    if content:
        yield {"type": "message", "role": "user", "content": content}


def _answered(parts: Iterable[Part], ids: CallIds, *, plain: bool) -> Iterator[_Item]:
    """Yield the model's side, all text between other items as one message; a `plain` model knows no reasoning."""
    said: list[str] = []
    for part in parts:
        block = kept_by(NAME, part) or {}
        if isinstance(call := part.get("functionCall"), Mapping):
            yield from _message(said)
            yield {
                "type": "function_call",
                "call_id": ids.of_call(call),
                "name": str(call.get("name") or ""),
                "arguments": arguments_of(call),
            }
        elif block.get("type") == "message":
            yield from _message(said, block.get("phase"))
        elif block.get("type") in _OWN:
            yield from _message(said)
            if not (plain and block["type"] == "reasoning"):
                yield block
        else:
            said.append(part_as_text(part))
    yield from _message(said)


def _message(said: list[str], phase: Any = None) -> Iterator[_Item]:
    """Yield what was said since the last item, if anything."""
    text = "".join(said)
    said.clear()
    if text:
        yield {"type": "message", "role": "assistant", "content": text, **({"phase": phase} if phase else {})}


def _output(answer: Mapping[str, Any]) -> str | list[_Item]:
    """Return a tool's answer: text, and beside it what it attached, as far as the service can see it."""
    text = json.dumps(answer.get("response"), ensure_ascii=False)
    attached = attached_to(answer)
    if not attached:
        return text
    return [{"type": "input_text", "text": text}, *(_shown(part) or _missed(part) for part in attached)]


def _missed(part: Part) -> _Item:
    return {"type": "input_text", "text": placeholder_text(part)}


def _content(part: Part, *, last: bool) -> _Item | None:
    """Return what a part of the prompt says or shows.

    Raises:
        PromptError: the service does not take it.
    """
    if isinstance(text := part.get("text"), str):
        return {"type": "input_text", "text": text} if text else None
    if (shown := _shown(part)) or not is_file(part):
        return shown
    if last:
        raise PromptError(f"OpenAI's Responses API takes no {kind_of(part)}; attach pictures, PDF or text")
    return _missed(part)


def _shown(part: Part) -> _Item | None:
    """Return a file as content; None if the service does not take its kind."""
    match part:
        case {"inlineData": {"mimeType": str(mime), "data": str(data)}}:
            return _inline(mime, data)
        case {"fileData": {"fileUri": str(uri), "mimeType": str(mime)}} if mime.startswith("image/"):
            return {"type": "input_image", "image_url": uri, "detail": "auto"}
        case {"fileData": {"fileUri": str(uri), "mimeType": str(mime)}} if is_paper(mime):
            return {"type": "input_file", "file_url": uri}
    return None


def _inline(mime: str, data: str) -> _Item | None:
    if mime.startswith("image/"):
        return {"type": "input_image", "image_url": data_url(mime, data), "detail": "auto"}
    if is_paper(mime):
        return {"type": "input_file", "filename": file_name(mime), "file_data": data_url(mime, data)}
    text = as_text(mime, data)
    return None if text is None else {"type": "input_text", "text": text}
