"""OpenAI's Responses dialect: turns to a list of items, stream events to events.

Nothing is stored at the service: the whole list of items goes with each request, encrypted reasoning too. Its own items go back
as they came, of others' parts what is neutral.

Invariants: the items stand in the order of the parts; each output names the id of its call; nothing that another provider
signed or thought is in them, and no reasoning of OpenAI's own goes to a model that doesn't reason (it refuses such items). What
the service can't take is refused in the last turn, which can be asked anew, and becomes words in those before.
Source: developers.openai.com/api/docs, the guides on reasoning, conversation state and the tools; the types of openai 3.52.
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
from nbgemini.providers.openai.responses_decode import NAME, ResponsesDecoder
from nbgemini.transport.request import Request

_OWN_TOOLS: dict[str, dict[str, Any]] = {
    "search": {"type": "web_search"},
    "run_code": {"type": "code_interpreter", "container": {"type": "auto"}},
}


class ResponsesCodec(ModelListMixin):
    """The codec of the Responses API."""

    name = NAME

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        _ = continuation  # it never cuts an answer in two
        _refuse(options)
        reminder = json_reminder(options)
        first = [{"type": "message", "role": "developer", "content": reminder}] if reminder else []
        said = {
            "instructions": openai_instruction(options),
            "tools": _tools(options),
            "reasoning": _reasoning(options),
            "include": _include(options),
            "text": _text(options),
            "max_output_tokens": options.max_tokens,
            "temperature": temperature_of(options),
        }
        body = {"model": options.model, "input": first + items_of(turns, options.model), "stream": True, "store": False}
        return Request("responses", {**body, **{key: value for key, value in said.items() if value not in (None, [])}})

    def decoder(self) -> Decoder:
        """Return what tells what the frames of one stream say: their items come in pieces, by their numbers."""
        return ResponsesDecoder().feed


def _refuse(options: Options) -> None:
    """Refuse what this API has no word for."""
    if options.seed is not None:
        raise PromptError("OpenAI's Responses API takes no seed; leave out --seed, or ask by -m openai-chat:MODEL")
    if options.stop_at:
        raise PromptError("OpenAI's Responses API takes no stop text; leave out --stop-at, or ask by -m openai-chat:MODEL")
    if options.urls and not options.search:
        raise PromptError("OpenAI has no tool that only reads pages; --search opens them too")


def _tools(options: Options) -> list[dict[str, Any]]:
    functions = [
        {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.schema, "strict": False}
        for tool in options.tools
    ]
    return functions + [tool for field, tool in _OWN_TOOLS.items() if getattr(options, field)]


def _reasoning(options: Options) -> dict[str, Any] | None:
    """Return how much to reason, and that a summary of it be told.

    Summaries are for who asks for thinking: without being verified, an organisation gets an error for them, not an answer.
    Source: BerriAI/litellm#16032.
    """
    effort = effort_of(options)
    if effort is None:
        return None
    return {"effort": effort} if options.think in ("off", 0) else {"effort": effort, "summary": "auto"}


def _include(options: Options) -> list[str]:
    """Return what the service leaves out unless asked; models that don't reason refuse to encrypt what they reasoned."""
    encrypted = ["reasoning.encrypted_content"] if reasons(options.model) else []
    return encrypted + (["code_interpreter_call.outputs"] if options.run_code else [])


def _text(options: Options) -> dict[str, Any] | None:
    if schema := named_schema(options):
        return {"format": {"type": "json_schema", **schema}}
    return {"format": {"type": "json_object"}} if json_reminder(options) else None


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
        block = own_block(NAME, part) or {}
        if isinstance(call := part.get("functionCall"), Mapping):
            yield from _message(said)
            yield {
                "type": "function_call",
                "call_id": ids.of_call(call),
                "name": str(call.get("name") or ""),
                "arguments": arguments_json(call),
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
    return [{"type": "input_text", "text": text}, *(_file_content(part) or _missed(part) for part in attached)]


def _missed(part: Part) -> _Item:
    return {"type": "input_text", "text": placeholder_text(part)}


def _content(part: Part, *, last: bool) -> _Item | None:
    """Return what a part of the prompt says or shows.

    Raises:
        PromptError: the service does not take it.
    """
    if isinstance(text := part.get("text"), str):
        return {"type": "input_text", "text": text} if text else None
    if (shown := _file_content(part)) or not is_file_part(part):
        return shown
    if last:
        raise PromptError(f"OpenAI's Responses API takes no {mime_name(part)}; attach pictures, PDF or text")
    return _missed(part)


def _file_content(part: Part) -> _Item | None:
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
    text = decode_text_file(mime, data)
    return None if text is None else {"type": "input_text", "text": text}
