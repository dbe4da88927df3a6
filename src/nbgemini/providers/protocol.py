"""What a provider must be able to do: two pure functions and a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from nbgemini.events import Event, Media, ToolCall
from nbgemini.request import Request
from nbgemini.turns import Options, Part, Turn


class Model(Struct, frozen=True):
    """One model as its service describes it; limits in tokens."""

    name: str
    title: str = ""
    description: str = ""
    input_limit: int | None = None
    output_limit: int | None = None
    thinking: bool = False
    answers: bool = True


class Provider(Protocol):
    """The codec of one service's dialect."""

    name: str

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the request that asks for a streamed answer.

        Raises:
            PromptError: an option has no meaning for this model.
        """
        ...

    def decode(self, frame: bytes) -> list[Event]:
        """Return what a frame says, in its order.

        Raises:
            WireError: the frame is not JSON.
        """
        ...

    def recall(self, parts: Iterable[Part]) -> list[Event]:
        """Return what stored parts say, as when they came."""
        ...

    def call_part(self, call: ToolCall, part: Part | None) -> Part:
        """Return the part in which a call goes back; `part` is the service's own, whose id and signature are kept."""
        ...

    def result_part(self, call: ToolCall, response: dict[str, Any], media: Sequence[Media]) -> Part:
        """Return the part that answers a call, with pictures and the like beside the response."""
        ...
