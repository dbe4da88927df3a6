"""What a provider must be able to do: turns to a request, frames to events.

Whatever the provider, the parts of a transcript have Gemini's shape: a chat may go on with another provider, and everything
that reads one knows one language. What a provider needs back verbatim (signed thoughts, ids of its own) it keeps in the
part under `origin`: `{"provider": NAME, "block": {...}}`; all others leave such a part out, or send what is neutral of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from nbgemini.messages.events import Event, InlineMedia, ToolCall
from nbgemini.messages.turns import Options, Part, Turn
from nbgemini.transport.request import Request


class Model(Struct, frozen=True):
    """One model as its service describes it; limits in tokens."""

    name: str
    title: str = ""
    description: str = ""
    input_limit: int | None = None
    output_limit: int | None = None
    thinking: bool = False
    answers: bool = True


ONWARD = "onward"  # the token of a service that goes on from what it has said, once it gets that back
OVER = b""  # what a decoder is given once the body has ended: it says then what it still holds back
Decoder: TypeAlias = Callable[[bytes], list[Event]]  # of one stream: it may remember what the frames before said


class Codec(Protocol):
    """The codec of one service's dialect."""

    name: str

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the request that asks for a streamed answer (PromptError: an option has no meaning for this model)."""
        ...

    def decoder(self) -> Decoder:
        """Return what tells, of the frames of one stream in turn, what each says, in its order.

        `[DONE]` is a frame too, by which a service says that this is all, and an empty one, by which we say that its body has
        ended. It raises WireError for any other that is not JSON.
        """
        ...

    def call_part(self, call: ToolCall, part: Part | None) -> Part:
        """Return the part in which a call goes back; `part` is the service's own, whose id and signature are kept."""
        ...

    def result_part(self, call: ToolCall, response: dict[str, Any], media: Sequence[InlineMedia]) -> Part:
        """Return the part that answers a call, with pictures and the like beside the response."""
        ...

    def list_request(self, page: str = "") -> Request:
        """Return the request for one page of the model list."""
        ...

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of one page and the token of the next page (empty at the end)."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A provider whose service counts tokens ahead of a prompt."""

    def count_request(self, turns: Sequence[Turn], model: str) -> Request:
        """Return the request that counts the tokens of these turns."""
        ...

    def decode_count(self, frame: bytes) -> int:
        """Return the number of tokens that the answer names."""
        ...


# Modules and classes by dialect; those of Google's API are told its version.
_CODECS: Mapping[str, tuple[str, str]] = {
    "gemini": ("nbgemini.providers.gemini.codec", "GeminiCodec"),
    "anthropic": ("nbgemini.providers.anthropic.codec", "AnthropicCodec"),
    "interactions": ("nbgemini.providers.interactions.codec", "InteractionsCodec"),
    "openai": ("nbgemini.providers.openai.responses", "ResponsesCodec"),
    "openai-chat": ("nbgemini.providers.openai.chat", "ChatCodec"),
}
_VERSIONED = {"gemini", "interactions"}


def codec_of(dialect: str, version: str) -> Codec:
    """Return the codec of a dialect; Google's API is spoken in this version."""
    module, name = _CODECS[dialect]
    codec: Callable[..., Codec] = getattr(import_module(module), name)
    return codec(version) if dialect in _VERSIONED else codec()
