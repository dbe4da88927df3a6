"""Anthropic's Messages dialect: turns to a request, frames to events.

Invariants: its own blocks go back as they came, and of other providers' parts what is neutral; the roles alternate; each call
goes with its answer, which stands first in the next message, or not at all; a text says something. Thinking goes back only
within the turn that it belongs to: there it must, and with later prompts newer models refuse it (400) once the instructions,
the tools or an earlier message have changed, which a notebook does all the time.
Source: platform.claude.com, the pages on tool use and on preserved thinking (prefix checks).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import ORIGIN, Options, Part, Turn, merge_text
from nbgemini.providers.anthropic.blocks import NAME
from nbgemini.providers.anthropic.decode import MessagesDecoder
from nbgemini.providers.anthropic.models import anthropic_instruction, anthropic_tools, output_format, sampling_fields
from nbgemini.providers.base import Decoder, Model
from nbgemini.providers.common.json import as_count, as_dict, dicts, load_frame
from nbgemini.providers.common.parts import (
    PartStoreMixin,
    decode_text_file,
    is_file_part,
    is_thinking,
    mime_name,
    own_block,
    part_as_text,
    placeholder_text,
)
from nbgemini.transport.request import Request


class AnthropicCodec(PartStoreMixin):
    """The codec of Anthropic's Messages API, and of services that speak like it."""

    name = NAME

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:  # noqa: ARG002
        """Return the streaming request for these turns; if the last is the model's, it goes on with that.

        Raises:
            PromptError: the service, or this model, does not do what the options ask for.
        """
        if options.seed is not None:
            raise PromptError("Anthropic makes no repeatable choices; leave out --seed")
        fields_of_model = sampling_fields(options)
        config = {**fields_of_model.pop("output_config", {}), "format": output_format(options)}
        fields = {
            "model": options.model,
            "messages": anthropic_messages(turns),
            "system": anthropic_instruction(options),
            **fields_of_model,
            "output_config": {name: value for name, value in config.items() if value} or None,
            "stop_sequences": list(options.stop_at) or None,
            "tools": anthropic_tools(options) or None,
            "container": container_of(turns),
        }
        return Request("v1/messages", {"stream": True, **_without_none(fields)})

    def decoder(self) -> Decoder:
        """Return what tells, of the frames of one stream in turn, what each says."""
        return MessagesDecoder().feed

    def list_request(self, page: str = "") -> Request:
        """Return the request for one page of the model list."""
        return Request("v1/models", None, {"limit": "1000", **({"after_id": page} if page else {})}, "GET")

    def count_request(self, turns: Sequence[Turn], model: str) -> Request:
        """Return the request that counts the tokens of these turns."""
        return Request("v1/messages/count_tokens", {"model": model, "messages": anthropic_messages(turns)})

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of one page and the id behind which the next page begins (empty at the end)."""
        data = as_dict(load_frame(frame))
        models = [_model(entry) for entry in dicts(data.get("data"))]
        return models, str(data.get("last_id") or "") if data.get("has_more") else ""

    def decode_count(self, frame: bytes) -> int:
        """Return the number of tokens that an answer to the request above names."""
        return as_count(as_dict(load_frame(frame)).get("input_tokens"))


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_TAKEN = "Anthropic takes text, PDF, JPEG, PNG, GIF and WebP"
_AT_GOOGLE = ("https://generativelanguage.googleapis.com/", "gs://")


def _file_block(part: Part, *, last: bool) -> dict[str, Any]:
    """Return the block that shows a file, or of an earlier prompt the words that something was attached.

    Raises:
        PromptError: the service can't read a file of the last prompt.
    """
    block = _block(part)
    if block is None and last:
        raise PromptError(_refusal(part))
    return block or _words(part)


def _words(part: Part) -> dict[str, Any]:
    return {"type": "text", "text": placeholder_text(part)}


def _refusal(part: Part) -> str:
    address = str((part.get("fileData") or {}).get("fileUri") or "")
    if address.startswith(_AT_GOOGLE):
        return "Anthropic can't read a file that was uploaded to Google; attach it again"
    return f"{_TAKEN}, not {mime_name(part)}{' by its address' if address else ''}"


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case {"inlineData": {"mimeType": str(mime), "data": str(data)}}:
            return _inline(mime, data)
        case {"fileData": {"fileUri": str(address), "mimeType": str(mime)}} if address.startswith("https://"):
            return None if address.startswith(_AT_GOOGLE) else _seen(mime, {"type": "url", "url": address})
    return None


def _inline(mime: str, data: str) -> dict[str, Any] | None:
    if seen := _seen(mime, {"type": "base64", "media_type": mime, "data": data}):
        return seen
    text = decode_text_file(mime, data)
    source = {"type": "text", "media_type": "text/plain", "data": text or " "}
    return None if text is None else {"type": "document", "source": source}


def _seen(mime: str, source: dict[str, Any]) -> dict[str, Any] | None:
    kind = "image" if mime in _PICTURES else "document" if mime == _PDF else ""
    return {"type": kind, "source": source} if kind else None


THINKING = ("thinking", "redacted_thinking")

_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST = 64


def anthropic_messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return the messages of a request.

    Raises:
        PromptError: the last prompt holds a file that the service does not take.
    """
    pairs, served, begin = _Pairs(turns), _Served(turns), _beginning(turns)
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(turns):
        if turn.role == "model":
            content = _spoken(turn, pairs, served, here=number > begin)
        else:
            content = list(_asked(turn, pairs, last=number >= begin))
        role = "assistant" if turn.role == "model" else "user"
        if content and messages and messages[-1]["role"] == role:
            messages[-1]["content"] += content
        elif content:
            messages.append({"role": role, "content": content})
    return messages


def container_of(turns: Sequence[Turn]) -> str | None:
    """Return where code has run in this turn, so that it finds its files again."""
    origins = [part.get(ORIGIN) for turn in turns[_beginning(turns) + 1 :] for part in turn.parts]
    mine = [origin for origin in origins if isinstance(origin, Mapping) and origin.get("provider") == NAME]
    return next((str(origin["container"]) for origin in reversed(mine) if origin.get("container")), None)


def _beginning(turns: Sequence[Turn]) -> int:
    """Return where the last prompt stands; what follows are answers to calls, and what the model said before."""
    prompts = [
        n for n, turn in enumerate(turns) if turn.role == "user" and not any("functionResponse" in p for p in turn.parts)
    ]
    return prompts[-1] if prompts else -1


class _Pairs:
    """Which call is answered by what, and the id by which both go; those that have no counterpart have none."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._ids: dict[int, str] = {}  # of parts, by their identity
        self._used: set[str] = set()
        for turn, following in pairwise(turns):
            answers = [part for part in following.parts if isinstance(part.get("functionResponse"), Mapping)]
            for part in turn.parts:
                self._pair(part, answers)

    def id_of(self, part: Part) -> str | None:
        """Return the id of a call or an answer."""
        return self._ids.get(id(part))

    def _pair(self, part: Part, answers: list[Part]) -> None:
        call = part.get("functionCall")
        if not isinstance(call, Mapping):
            return
        mark = (call.get("id"), call.get("name"))
        found = next((a for a in answers if (a["functionResponse"].get("id"), a["functionResponse"].get("name")) == mark), None)
        if found is not None:
            answers.remove(found)
            self._ids[id(part)] = self._ids[id(found)] = self._free(call.get("id"))

    def _free(self, wanted: Any) -> str:
        name = _FOREIGN.sub("_", str(wanted))[:_LONGEST] if wanted else ""
        if not name or name in self._used:
            name = f"call_{len(self._used) + 1}"
        self._used.add(name)
        return name


class _Served:
    """The uses of the service's own tools and their results, which may come a round later, or never."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        blocks = [block for turn in turns for part in turn.parts if (block := own_block(NAME, part))]
        self._uses = {str(block.get("id")) for block in blocks if block.get("type") == "server_tool_use"}
        self._results = {str(block["tool_use_id"]) for block in blocks if "tool_use_id" in block}

    def goes_back(self, block: dict[str, Any], *, here: bool) -> bool:
        """Whether a block goes back: a use with its result, or as long as that may come, and a result with its use."""
        if block.get("type") == "server_tool_use":
            return here or str(block.get("id")) in self._results
        return "tool_use_id" not in block or str(block["tool_use_id"]) in self._uses


def _spoken(turn: Turn, pairs: _Pairs, served: _Served, *, here: bool) -> list[dict[str, Any]]:
    """Return what the model said as its blocks; `here`: behind the last prompt."""
    blocks: list[dict[str, Any]] = []
    for part in merge_text(turn.parts):
        block = own_block(NAME, part)
        if "functionCall" in part:
            blocks += _called(part, block or {}, pairs.id_of(part))
        elif block is None:
            blocks += _worded(part_as_text(part))
        elif block.get("type") == "text":
            _replace_text(blocks, block)
        elif (here or block.get("type") not in THINKING) and served.goes_back(block, here=here):
            blocks.append(block)
    return blocks


def _called(part: Part, block: dict[str, Any], call_id: str | None) -> list[dict[str, Any]]:
    call = part["functionCall"]
    if call_id is None:
        return []
    args = call.get("args")
    given = {"name": _FOREIGN.sub("_", str(call.get("name"))), "input": dict(args) if isinstance(args, Mapping) else {}}
    return [{**block, "type": "tool_use", "id": call_id, **given}]


def _worded(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _replace_text(blocks: list[dict[str, Any]], block: dict[str, Any]) -> None:
    """Add a block of text that came before as bare text too: it also knows what it rests on."""
    text = str(block.get("text") or "")
    if blocks and blocks[-1].get("type") == "text" and "citations" not in blocks[-1]:
        before = str(blocks.pop()["text"])
        blocks += _worded(before.removesuffix(text))
    if text.strip():
        blocks.append(block)


def _asked(turn: Turn, pairs: _Pairs, *, last: bool) -> Iterator[dict[str, Any]]:
    """Yield what we say as blocks, the answers to calls first."""
    for part in turn.parts:
        if (call_id := pairs.id_of(part)) is not None:
            yield _answered(part["functionResponse"], call_id)
    for part in turn.parts:
        if is_file_part(part):
            yield _file_block(part, last=last)
        elif isinstance(text := part.get("text"), str) and not is_thinking(part):
            yield from _worded(text)


def _answered(answer: Mapping[str, Any], call_id: str) -> dict[str, Any]:
    response = answer.get("response")
    failed = isinstance(response, Mapping) and response.keys() == {"error"}
    attached = [_block(part) or _words(part) for part in dicts(answer.get("parts")) if is_file_part(part)]
    content = [{"type": "text", "text": _response_text(response)}, *attached]
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **({"is_error": True} if failed else {})}


def _response_text(response: Any) -> str:
    """Return a response as text: bare where it is nothing but a text."""
    match response:
        case {"output": str(text), **rest} | {"error": str(text), **rest} if text.strip() and not rest:
            return text
    return json.dumps(response, ensure_ascii=False)


def _model(entry: dict[str, Any]) -> Model:
    able = entry.get("capabilities")
    thinking = able.get("thinking") if isinstance(able, dict) else None
    return Model(
        str(entry.get("id") or ""),
        str(entry.get("display_name") or ""),
        "",
        as_count(entry.get("max_input_tokens")) or None,
        as_count(entry.get("max_tokens")) or None,
        isinstance(thinking, dict) and thinking.get("supported") is True,
    )
