"""OpenAI's Chat Completions dialect, which many servers speak: turns to messages, chunks to events.

What a server of one's own takes is not known, so what OpenAI's models are known to refuse is refused for these alone.
Sources: the types of openai 3.52; developers.openai.com, the deployment checklist (tools and reasoning, GPT-6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Turn
from nbgemini.providers.base import Decoder
from nbgemini.providers.openai.chat_decode import NAME, Stream
from nbgemini.providers.openai.chat_encode import messages_of
from nbgemini.providers.openai.common import json_reminder, schema_of, system_of
from nbgemini.providers.openai.models import ModelListMixin, effort_of, reasons, temperature_of
from nbgemini.transport.request import Request

_NOT_OFFERED = ("search", "run_code", "urls")


class OpenAIChat(ModelListMixin):
    """The codec of the Chat Completions API."""

    name = NAME

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        _ = continuation  # it never cuts an answer in two
        _refuse(options)
        system = "\n\n".join(filter(None, (system_of(options), json_reminder(options))))
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
            "messages": first + messages_of(turns, options.model),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        given = {key: value for key, value in said.items() if value is not None and value != []}
        return Request("chat/completions", {**body, **given})

    def decoder(self) -> Decoder:
        """Return what tells what the frames of one stream say: its calls come in pieces, by their numbers."""
        return Stream().feed


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
    if schema := schema_of(options):
        return {"type": "json_schema", "json_schema": schema}
    return {"type": "json_object"} if json_reminder(options) else None
