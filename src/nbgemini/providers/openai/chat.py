"""OpenAI's Chat Completions dialect, which many servers speak: turns to messages, chunks to events.

What a server of one's own takes is not known, so what OpenAI's models are known to refuse is refused for these alone, and
messages have the plain form that all servers understand.

What was reasoned where tools were called goes back beside the calls and the answer after them, under the names under which it
came: DeepSeek and OpenRouter want it there in every later request, and elsewhere it is ignored or refused. OpenAI's own models,
which never send any, refuse it always.
Sources: the types of openai 3.52; developers.openai.com, the deployment checklist (tools and reasoning, GPT-6);
api-docs.deepseek.com/guides/thinking_mode; openrouter.ai/docs, reasoning tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Part, Turn, merge_text
from nbgemini.providers.base import Decoder
from nbgemini.providers.common.parts import (
    CallIds,
    decode_text_file,
    is_file_part,
    mime_name,
    own_block,
    part_as_text,
    placeholder_text,
)
from nbgemini.providers.openai.chat_decode import NAME, ChatDecoder
from nbgemini.providers.openai.common import (
    ModelListMixin,
    arguments_json,
    attached_to,
    data_url,
    effort_of,
    efforts_of,
    file_name,
    is_paper,
    json_reminder,
    named_schema,
    openai_instruction,
    reasons,
    temperature_of,
)
from nbgemini.transport.request import Request

_NOT_OFFERED = ("search", "run_code", "urls")


class ChatCodec(ModelListMixin):
    """The codec of the Chat Completions API."""

    name = NAME

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        _ = continuation  # it never cuts an answer in two
        _refuse(options)
        system = "\n\n".join(filter(None, (openai_instruction(options), json_reminder(options))))
        first = [{"role": "system", "content": system}] if system else []
        said = {
            "tools": _tools(options),
            "response_format": _response_format(options),
            "reasoning_effort": effort_of(options),
            "max_completion_tokens" if reasons(options.model) else "max_tokens": options.max_tokens,
            "temperature": temperature_of(options),
            "seed": options.seed,
            "stop": list(options.stop_at),
        }
        body = {
            "model": options.model,
            "messages": first + chat_messages(turns, options.model),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        given = {key: value for key, value in said.items() if value is not None and value != []}
        return Request("chat/completions", {**body, **given})

    def decoder(self) -> Decoder:
        """Return what tells what the frames of one stream say: its calls come in pieces, by their numbers."""
        return ChatDecoder().feed


def _refuse(options: Options) -> None:
    """Refuse what this API has no word for, and what the model is known to refuse."""
    model = options.model
    asked = [f"--{field.replace('_', '-')}" for field in _NOT_OFFERED if getattr(options, field)]
    if asked:
        raise PromptError(f"Chat Completions has no {' and no '.join(asked)}; OpenAI's Responses API has: -m openai:MODEL")
    if options.stop_at and reasons(model):
        raise PromptError(f"{model} takes no stop text; leave out --stop-at")
    if options.tools and model.startswith("gpt-6") and effort_of(options) != "none":
        raise PromptError(f"{model} calls tools by OpenAI's Responses API alone: -m openai:{model}")


def _tools(options: Options) -> list[dict[str, Any]]:
    return [
        {"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema}}
        for tool in options.tools
    ]


def _response_format(options: Options) -> dict[str, Any] | None:
    if schema := named_schema(options):
        return {"type": "json_schema", "json_schema": schema}
    return {"type": "json_object"} if json_reminder(options) else None


_Message = dict[str, Any]
_SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def chat_messages(turns: Sequence[Turn], model: str) -> list[_Message]:
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
        block = (own_block(NAME, part) or {}) if own else {}
        if isinstance(call := part.get("functionCall"), Mapping):
            function = {"name": str(call.get("name") or ""), "arguments": arguments_json(call)}
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
    shown = [_file_content(part) or {"type": "text", "text": placeholder_text(part)} for part in attached]
    return [{"type": "text", "text": f"(attached by {answer.get('name')}:)\n"}, *shown] if shown else []


def _content(part: Part, *, last: bool) -> dict[str, Any] | None:
    """Return what a part of the prompt says or shows.

    Raises:
        PromptError: there is no way to send it.
    """
    if isinstance(text := part.get("text"), str):
        return {"type": "text", "text": text} if text else None
    if (shown := _file_content(part)) or not is_file_part(part):
        return shown
    if last:
        raise PromptError(f"Chat Completions takes no {mime_name(part)}; attach pictures, WAV, MP3, PDF or text")
    return {"type": "text", "text": placeholder_text(part)}


def _file_content(part: Part) -> dict[str, Any] | None:
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
    text = decode_text_file(mime, data)
    return None if text is None else {"type": "text", "text": text}
