"""Google's Interactions dialect: turns to a list of steps, step events to events.

Nothing is stored at the service: the whole list of steps goes with each request, signed thoughts too.
Source: ai.google.dev/api/interactions; the types of google-genai 3.4, which the tests hold the requests against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Turn
from nbgemini.providers.base import Decoder, Model
from nbgemini.providers.common.output_format import form_of, instruction_of
from nbgemini.providers.common.parts import PartStoreMixin
from nbgemini.providers.gemini.codec import Gemini
from nbgemini.providers.gemini.models import thinking_config
from nbgemini.providers.gemini.tools import modalities, offered_tools
from nbgemini.providers.interactions.decode import Stream
from nbgemini.providers.interactions.encode import NAME, steps_of
from nbgemini.transport.request import Request

_OWN_TOOLS = {"search": "google_search", "run_code": "code_execution", "urls": "url_context"}


class Interactions(PartStoreMixin):
    """The codec of the Interactions API."""

    name = NAME

    def __init__(self, version: str = "v1beta") -> None:
        """Speak API version `version`."""
        self._version = version
        self._models = Gemini(version)

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        said = {
            "system_instruction": instruction_of(options),
            "generation_config": _generation_config(options),
            "tools": _tools(options),
            "response_format": _response_format(options),
            "continuation_token": continuation,
        }
        body = {"model": options.model.removeprefix("models/"), "input": steps_of(turns), "stream": True, "store": False}
        return Request(f"{self._version}/interactions", {**body, **{key: value for key, value in said.items() if value}})

    def decoder(self) -> Decoder:
        """Return what tells what the frames of one stream say: their steps come in pieces, by their numbers."""
        return Stream().feed

    def list_request(self, page: str = "") -> Request:
        """Return the request for one page of the model list, which is Gemini's."""
        return self._models.list_request(page)

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of one page and the token of the next page (empty at the end)."""
        return self._models.decode_models(frame)


def _generation_config(options: Options) -> dict[str, Any]:
    config = {
        "temperature": options.temperature,
        "max_output_tokens": options.max_tokens,
        "seed": options.seed,
        "stop_sequences": list(options.stop_at) or None,
        **_thinking(options),
    }
    return {key: value for key, value in config.items() if value is not None}


def _thinking(options: Options) -> dict[str, str]:
    """Return how much to think and whether to tell of it; this API knows levels only, for models that take budgets too."""
    if isinstance(options.think, int):
        raise PromptError("the Interactions API takes a thinking level, not a budget: --think low, medium or high")
    config = thinking_config(options.model, options.think)
    if config is None:
        return {}
    summaries = {"thinking_summaries": "auto" if config["includeThoughts"] else "none"}
    if options.think is None:
        return summaries
    level = config.get("thinkingLevel") or ("minimal" if options.think == "off" else options.think)
    return {**summaries, "thinking_level": level.lower()}


def _tools(options: Options) -> list[dict[str, Any]]:
    """Return what the model may use; what it doesn't take together is refused as in Gemini's other API."""
    offered_tools(options)
    functions = [
        {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.schema}
        for tool in options.tools
    ]
    return functions + [{"type": name} for field, name in _OWN_TOOLS.items() if getattr(options, field)]


def _response_format(options: Options) -> dict[str, Any] | list[dict[str, str]] | None:
    if form := form_of(options):
        schema = {"schema": form["responseJsonSchema"]} if "responseJsonSchema" in form else {}
        return {"type": "text", "mime_type": form["responseMimeType"], **schema}
    kinds = modalities(options.model)
    return [{"type": kind.lower()} for kind in kinds] if kinds else None
