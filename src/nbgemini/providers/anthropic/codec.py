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
from nbgemini.messages.turns import ORIGIN, Options, Turn, merge_text
from nbgemini.providers.anthropic.decode import NAME, MessagesDecoder
from nbgemini.providers.anthropic.models import anthropic_instruction, anthropic_tools, output_format, sampling_fields
from nbgemini.providers.base import Model
from nbgemini.providers.common.decoder import BaseCodec
from nbgemini.providers.common.json import as_count, as_dict, dicts, load_frame, non_empty
from nbgemini.providers.common.parts import (
    File,
    arguments_of,
    file_of,
    files_of,
    is_error,
    is_thinking,
    own_block,
    part_as_text,
)
from nbgemini.transport.request import Request

_KINDS = {"application/pdf": "document", **dict.fromkeys(("image/jpeg", "image/png", "image/gif", "image/webp"), "image")}
_AT_GOOGLE = ("https://generativelanguage.googleapis.com/", "gs://")
_THINKING = ("thinking", "redacted_thinking")
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST = 64

_Block = dict[str, Any]


class AnthropicCodec(BaseCodec):
    """The codec of Anthropic's Messages API, and of services that speak like it."""

    name = NAME
    stream = MessagesDecoder

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:  # noqa: ARG002
        """Return the streaming request for these turns; if the last is the model's, it goes on with that."""
        if options.seed is not None:
            raise PromptError("Anthropic does not support --seed; leave it out")
        fields_of_model = sampling_fields(options)
        fields = {
            "system": anthropic_instruction(options),
            **fields_of_model,
            "output_config": non_empty({**fields_of_model.get("output_config", {}), "format": output_format(options)}) or None,
            "stop_sequences": list(options.stop_at),
            "tools": anthropic_tools(options),
            "container": container_of(turns),
        }
        body = {"stream": True, "model": options.model, "messages": anthropic_messages(turns)}
        return Request("v1/messages", {**body, **non_empty(fields)})

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


def anthropic_messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return the messages of a request (PromptError: the last prompt holds a file that the service does not take)."""
    writer, begin = _BlockWriter(turns), _beginning(turns)
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(turns):
        if turn.role == "model":
            role, content = "assistant", writer.spoken(turn, here=number > begin)
        else:
            role, content = "user", list(writer.asked(turn, last=number >= begin))
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
    prompts = [turn.role == "user" and not any("functionResponse" in part for part in turn.parts) for turn in turns]
    return max((number for number, is_prompt in enumerate(prompts) if is_prompt), default=-1)


class _BlockWriter:
    """The turns of one request as blocks."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._ids = _paired_ids(turns)
        blocks = [block for turn in turns for part in turn.parts if (block := own_block(NAME, part))]
        # The uses of the service's own tools and their results, which may come a round later, or never.
        self._uses = {str(block.get("id")) for block in blocks if block.get("type") == "server_tool_use"}
        self._results = {str(block["tool_use_id"]) for block in blocks if "tool_use_id" in block}

    def spoken(self, turn: Turn, *, here: bool) -> list[_Block]:
        """Return what the model said; `here`: behind the last prompt."""
        blocks: list[_Block] = []
        for part in merge_text(turn.parts):
            block, call = own_block(NAME, part), part.get("functionCall")
            if call is not None:
                if call_id := self._ids.get(id(part)):
                    named = {"id": call_id, "name": _FOREIGN.sub("_", str(call.get("name"))), "input": arguments_of(call)}
                    blocks.append({**(block or {}), "type": "tool_use", **named})
            elif block is None:
                blocks += _worded(part_as_text(part))
            elif block.get("type") == "text":
                _replace_text(blocks, block)
            elif self._goes_back(block, here=here):
                blocks.append(block)
        return blocks

    def asked(self, turn: Turn, *, last: bool) -> Iterator[_Block]:
        """Yield what we say, the answers to calls first (PromptError: the service can't read a file of the last prompt)."""
        for part in turn.parts:
            if call_id := self._ids.get(id(part)):
                yield _result(part["functionResponse"], call_id)
        for part in turn.parts:
            if file := file_of(part):
                block = _shown(file)
                if block is None and last:
                    raise PromptError(_refusal(file))
                yield block or {"type": "text", "text": file.in_words}
            elif isinstance(text := part.get("text"), str) and not is_thinking(part):
                yield from _worded(text)

    def _goes_back(self, block: _Block, *, here: bool) -> bool:
        """Whether a block goes back: a use with its result, or as long as that may come, and a result with its use."""
        if block.get("type") in _THINKING:
            return here
        if block.get("type") == "server_tool_use":
            return here or str(block.get("id")) in self._results
        return "tool_use_id" not in block or str(block["tool_use_id"]) in self._uses


def _paired_ids(turns: Sequence[Turn]) -> dict[int, str]:
    """Return the ids by which calls and their answers go, by the identity of the parts; one without the other has none."""
    ids: dict[int, str] = {}
    used: set[str] = set()
    for turn, following in pairwise(turns):
        answers = [(part, answer) for part in following.parts if isinstance(answer := part.get("functionResponse"), Mapping)]
        for part in turn.parts:
            if not isinstance(call := part.get("functionCall"), Mapping):
                continue
            mark = call.get("id"), call.get("name")
            found = next((pair for pair in answers if (pair[1].get("id"), pair[1].get("name")) == mark), None)
            if found:
                answers.remove(found)
                name = _FOREIGN.sub("_", str(call["id"]))[:_LONGEST] if call.get("id") else ""
                name = f"call_{len(used) + 1}" if not name or name in used else name
                used.add(name)
                ids[id(part)] = ids[id(found[0])] = name
    return ids


def _worded(text: str) -> list[_Block]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _replace_text(blocks: list[_Block], block: _Block) -> None:
    """Add a block of text that came before as bare text too: it also knows what it rests on."""
    text = str(block.get("text") or "")
    if blocks and blocks[-1].get("type") == "text" and "citations" not in blocks[-1]:
        before = str(blocks.pop()["text"])
        blocks += _worded(before.removesuffix(text))
    if text.strip():
        blocks.append(block)


def _result(answer: Mapping[str, Any], call_id: str) -> _Block:
    """Return the answer to a call: bare text where it is nothing else, and what the tool attached."""
    response = answer.get("response")
    match response:
        case {"output": str(text), **rest} | {"error": str(text), **rest} if text.strip() and not rest:
            pass
        case _:
            text = json.dumps(response, ensure_ascii=False)
    attached = [_shown(file) or {"type": "text", "text": file.in_words} for file in files_of(answer)]
    content = [{"type": "text", "text": text}, *attached]
    failed = {"is_error": True} if is_error(response) else {}
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **failed}


def _shown(file: File) -> _Block | None:
    """Return the block that shows a file; None if the service can't read it."""
    if file.address and (file.address.startswith(_AT_GOOGLE) or not file.address.startswith("https://")):
        return None
    if kind := _KINDS.get(file.mime):
        inside = {"type": "base64", "media_type": file.mime, "data": file.data}
        return {"type": kind, "source": {"type": "url", "url": file.address} if file.address else inside}
    text = file.text
    return (
        None
        if text is None
        else {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text or " "}}
    )


def _refusal(file: File) -> str:
    if file.address.startswith(_AT_GOOGLE):
        return "Anthropic can't read a file that was uploaded to Google; attach it again"
    return f"Anthropic takes text, PDF, JPEG, PNG, GIF and WebP, not {file.name}{' by its address' if file.address else ''}"


def _model(entry: dict[str, Any]) -> Model:
    thinking = as_dict(as_dict(entry.get("capabilities")).get("thinking"))
    return Model(
        str(entry.get("id") or ""),
        str(entry.get("display_name") or ""),
        "",
        as_count(entry.get("max_input_tokens")) or None,
        as_count(entry.get("max_tokens")) or None,
        thinking.get("supported") is True,
    )
