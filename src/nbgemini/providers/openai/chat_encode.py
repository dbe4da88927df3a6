"""Turns as the messages that Chat Completions takes, in the plain form that all its servers understand.

What was reasoned where tools were called goes back beside the calls and the answer after them, under the names under which it
came: DeepSeek and OpenRouter want it there in every later request, and elsewhere it is ignored or refused. OpenAI's own models,
which never send any, refuse it always.
Sources: api-docs.deepseek.com/guides/thinking_mode; openrouter.ai/docs, reasoning tokens.
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
from nbgemini.providers.openai.chat_decode import NAME
from nbgemini.providers.openai.common import (
    arguments_of,
    attached_to,
    data_url,
    file_name,
    is_paper,
)
from nbgemini.providers.openai.models import efforts_of

_Message = dict[str, Any]
_SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def messages_of(turns: Sequence[Turn], model: str) -> list[_Message]:
    """Return the messages of these turns.

    Raises:
        PromptError: something in the last of them is of a kind that can't be sent.
    """
    ids = CallIds()
    own = efforts_of(model) is None
    messages: list[_Message] = []
    called = False
    for number, turn in enumerate(turns, 1):
        parts = merge_text(turn.parts)
        if turn.role == "model":
            messages += _answered(parts, ids, own=own, called=called)
        else:
            messages += _asked(parts, ids, last=number == len(turns))
        called = any("functionResponse" in part for part in parts)
    return messages


def _asked(parts: Iterable[Part], ids: CallIds, *, last: bool) -> Iterator[_Message]:
    """Yield our side: the answers to calls, which come first, and one message, with what tools attached."""
    content: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(answer := part.get("functionResponse"), Mapping):
            text = json.dumps(answer.get("response"), ensure_ascii=False)
            yield {"role": "tool", "tool_call_id": ids.of_result(answer), "content": text}
            content += _attached(answer)
        elif piece := _content(part, last=last):
            content.append(piece)
    if content:
        yield {"role": "user", "content": _plain(content)}


def _plain(content: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return content as one text where it is nothing else: small servers know no other."""
    return content if any(piece["type"] != "text" for piece in content) else "".join(piece["text"] for piece in content)


def _answered(parts: Iterable[Part], ids: CallIds, *, own: bool, called: bool) -> Iterator[_Message]:
    """Yield the model's side as one message, with what was reasoned if that is its `own`, and if it calls or has `called`."""
    said: list[str] = []
    calls: list[dict[str, Any]] = []
    thoughts: dict[str, Any] = {}
    for part in parts:
        block = (kept_by(NAME, part) or {}) if own else {}
        if isinstance(call := part.get("functionCall"), Mapping):
            function = {"name": str(call.get("name") or ""), "arguments": arguments_of(call)}
            calls.append({**block, "id": ids.of_call(call), "type": "function", "function": function})
        else:
            thoughts |= block
            said.append(part_as_text(part))
    text = "".join(said)
    if text or calls:
        kept = {**(thoughts if calls or called else {}), **({"tool_calls": calls} if calls else {})}
        yield {"role": "assistant", "content": text or None, **kept}


def _attached(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a tool attached to its answer: answers are text alone, so the user shows it."""
    attached = attached_to(answer)
    shown = [_shown(part) or {"type": "text", "text": placeholder_text(part)} for part in attached]
    return [{"type": "text", "text": f"(attached by {answer.get('name')}:)\n"}, *shown] if shown else []


def _content(part: Part, *, last: bool) -> dict[str, Any] | None:
    """Return what a part of the prompt says or shows.

    Raises:
        PromptError: there is no way to send it.
    """
    if isinstance(text := part.get("text"), str):
        return {"type": "text", "text": text} if text else None
    if (shown := _shown(part)) or not is_file(part):
        return shown
    if last:
        raise PromptError(f"Chat Completions takes no {kind_of(part)}; attach pictures, WAV, MP3, PDF or text")
    return {"type": "text", "text": placeholder_text(part)}


def _shown(part: Part) -> dict[str, Any] | None:
    """Return a file as content; None if there is no form for its kind."""
    match part:
        case {"inlineData": {"mimeType": str(mime), "data": str(data)}}:
            return _inline(mime, data)
        case {"fileData": {"fileUri": str(uri), "mimeType": str(mime)}} if mime.startswith("image/"):
            return {"type": "image_url", "image_url": {"url": uri}}
    return None


def _inline(mime: str, data: str) -> dict[str, Any] | None:
    if mime.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": data_url(mime, data)}}
    if sound := _SOUNDS.get(mime):
        return {"type": "input_audio", "input_audio": {"data": data, "format": sound}}
    if is_paper(mime):
        return {"type": "file", "file": {"filename": file_name(mime), "file_data": data_url(mime, data)}}
    text = as_text(mime, data)
    return None if text is None else {"type": "text", "text": text}
