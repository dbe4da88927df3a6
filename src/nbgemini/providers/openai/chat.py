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
from nbgemini.messages.turns import Options, Part, Turn
from nbgemini.providers.common.json import non_empty
from nbgemini.providers.common.parts import CallIds, File, files_of, own_block, part_as_text
from nbgemini.providers.openai import common
from nbgemini.providers.openai.chat_decode import NAME, ChatDecoder
from nbgemini.providers.openai.common import Item
from nbgemini.transport.request import Request

_NOT_OFFERED = ("search", "run_code", "urls")
_SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


class ChatCodec(common.OpenAICodec):
    """The codec of the Chat Completions API."""

    name = NAME
    stream = ChatDecoder
    title = "Chat Completions"
    files = "pictures, WAV, MP3, PDF or text"
    text_type = "text"

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:  # noqa: ARG002
        """Return the streaming request for these turns."""
        _refuse(options)
        system = "\n\n".join(filter(None, (common.openai_instruction(options), common.json_reminder(options))))
        first = [{"role": "system", "content": system}] if system else []
        body = {
            "model": options.model,
            "messages": first + self.items_of(turns, options.model),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        fields = {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
                }
                for tool in options.tools
            ],
            "response_format": common.response_format(options, nested=True),
            "reasoning_effort": common.effort_of(options),
            "max_completion_tokens" if common.reasons(options.model) else "max_tokens": options.max_tokens,
            "temperature": common.temperature_of(options),
            "seed": options.seed,
            "stop": list(options.stop_at),
        }
        return Request("chat/completions", {**body, **non_empty(fields)})

    def _result(self, answer: Mapping[str, Any], call_id: str) -> Item:
        return {"role": "tool", "tool_call_id": call_id, "content": json.dumps(answer.get("response"), ensure_ascii=False)}

    def _beside_results(self, answer: Mapping[str, Any]) -> list[Item]:
        shown = [self._show(file) or self._text(file.in_words) for file in files_of(answer)]
        return [self._text(f"(attached by {answer.get('name')}:)\n"), *shown] if shown else []

    def _user_message(self, content: list[Item]) -> Item:
        """Return a message, as one text where it is nothing else: small servers know no other."""
        plain = all(piece["type"] == "text" for piece in content)
        return {"role": "user", "content": "".join(piece["text"] for piece in content) if plain else content}

    def _answered(self, parts: Iterable[Part], ids: CallIds, model: str, *, called: bool) -> Iterator[Item]:
        wants_thoughts = common.efforts_of(model) is None
        said: list[str] = []
        calls: list[Item] = []
        thoughts: Item = {}
        for part in parts:
            block = (own_block(NAME, part) or {}) if wants_thoughts else {}
            if isinstance(call := part.get("functionCall"), Mapping):
                function = {"name": str(call.get("name") or ""), "arguments": common.arguments_json(call)}
                calls.append({**block, "id": ids.of_call(call), "type": "function", "function": function})
            else:
                thoughts |= block
                said.append(part_as_text(part))
        text = "".join(said)
        if text or calls:
            beside = {**(thoughts if calls or called else {}), **({"tool_calls": calls} if calls else {})}
            yield {"role": "assistant", "content": text or None, **beside}

    def _show(self, file: File) -> Item | None:
        if file.kind == "image":
            return {"type": "image_url", "image_url": {"url": file.url}}
        if not file.address and (sound := _SOUNDS.get(file.mime)):
            return {"type": "input_audio", "input_audio": {"data": file.data, "format": sound}}
        if not file.address and common.is_paper(file):
            return {"type": "file", "file": {"filename": common.file_name(file), "file_data": file.url}}
        return self._show_text(file)


def _refuse(options: Options) -> None:
    """Refuse what this API has no word for, and what the model is known to refuse."""
    model = options.model
    asked = [f"--{field.replace('_', '-')}" for field in _NOT_OFFERED if getattr(options, field)]
    if asked:
        raise PromptError(f"Chat Completions does not support {' or '.join(asked)}; the Responses API does: -m openai:MODEL")
    if options.stop_at and common.reasons(model):
        raise PromptError(f"{model} takes no stop text; leave out --stop-at")
    if options.tools and model.startswith("gpt-6") and common.effort_of(options) != "none":
        raise PromptError(f"{model} calls tools by OpenAI's Responses API alone: -m openai:{model}")
