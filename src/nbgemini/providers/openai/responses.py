"""OpenAI's Responses dialect: turns to a list of items, stream events to events.

Nothing is stored at the service: the whole list of items goes with each request, encrypted reasoning too.
Source: developers.openai.com/api/docs, the guides on reasoning, conversation state and the tools; the types of openai 3.52.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Turn
from nbgemini.providers.base import Decoder
from nbgemini.providers.openai.common import json_reminder, schema_of, system_of
from nbgemini.providers.openai.models import ModelListMixin, effort_of, reasons, temperature_of
from nbgemini.providers.openai.responses_decode import Stream
from nbgemini.providers.openai.responses_encode import items_of
from nbgemini.providers.openai.responses_speech import NAME
from nbgemini.transport.request import Request

_OWN_TOOLS: dict[str, dict[str, Any]] = {
    "search": {"type": "web_search"},
    "run_code": {"type": "code_interpreter", "container": {"type": "auto"}},
}


class OpenAI(ModelListMixin):
    """The codec of the Responses API."""

    name = NAME

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        _ = continuation  # it never cuts an answer in two
        _refuse(options)
        reminder = json_reminder(options)
        first = [{"type": "message", "role": "developer", "content": reminder}] if reminder else []
        said = {
            "instructions": system_of(options),
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
        return Stream().feed


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
    if schema := schema_of(options):
        return {"format": {"type": "json_schema", **schema}}
    return {"format": {"type": "json_object"}} if json_reminder(options) else None
