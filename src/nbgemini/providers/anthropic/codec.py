"""Anthropic's Messages dialect: turns to a request, frames to events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Turn
from nbgemini.providers.anthropic.decode import Reading, count_of, models_of
from nbgemini.providers.anthropic.encode import NAME, container_of, messages_of
from nbgemini.providers.anthropic.models import sampling_fields
from nbgemini.providers.anthropic.tools import offered_tools, output_format, system_of
from nbgemini.providers.base import Decoder, Model
from nbgemini.providers.common.parts import PartStoreMixin
from nbgemini.transport.request import Request


class Anthropic(PartStoreMixin):
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
            "messages": messages_of(turns),
            "system": system_of(options),
            **fields_of_model,
            "output_config": {name: value for name, value in config.items() if value} or None,
            "stop_sequences": list(options.stop_at) or None,
            "tools": offered_tools(options) or None,
            "container": container_of(turns),
        }
        return Request("v1/messages", {"stream": True, **_told(fields)})

    def decoder(self) -> Decoder:
        """Return what tells, of the frames of one stream in turn, what each says."""
        return Reading().feed

    def list_request(self, page: str = "") -> Request:
        """Return the request for one page of the model list."""
        return Request("v1/models", None, {"limit": "1000", **({"after_id": page} if page else {})}, "GET")

    def count_request(self, turns: Sequence[Turn], model: str) -> Request:
        """Return the request that counts the tokens of these turns."""
        return Request("v1/messages/count_tokens", {"model": model, "messages": messages_of(turns)})

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of one page and the id behind which the next page begins (empty at the end)."""
        return models_of(frame)

    def decode_count(self, frame: bytes) -> int:
        """Return the number of tokens that an answer to the request above names."""
        return count_of(frame)


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
