"""What a stream says, one fact at a time, in no provider's dialect.

An event is a value: frozen, comparable, without behaviour. A provider's `decode` makes events out of a frame; everything
after it (segments, transcript, displays) knows only these. `PartReceived` carries the service's own part verbatim, for the
next request; every other content event is for the person who reads.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from nbgemini.errors import NbGeminiError
from nbgemini.turns import Part, Usage

EndState: TypeAlias = Literal["complete", "truncated", "blocked"]


class PartReceived(Struct, frozen=True):
    """One part of the model's turn exactly as the service sent it."""

    part: Part


class ThoughtDelta(Struct, frozen=True):
    """Text that continues the current thought."""

    text: str


class AnswerDelta(Struct, frozen=True):
    """Text that continues the current answer."""

    text: str


class ToolCall(Struct, frozen=True):
    """The model asks for one of our functions; `id` is absent in families that have none."""

    name: str
    args: dict[str, Any]
    id: str | None = None


class Media(Struct, frozen=True):
    """Inline bytes from the model: `data` is base64 as it came."""

    mime: str
    data: str


class Code(Struct, frozen=True):
    """Code that the model runs at the service."""

    source: str
    language: str = "python"


class CodeResult(Struct, frozen=True):
    """What that code printed; `ok` is false when it failed."""

    output: str
    ok: bool = True


class Citation(Struct, frozen=True):
    """One source that an answer rests on."""

    uri: str
    title: str = ""


class Citations(Struct, frozen=True):
    """The sources of the answer so far; a later report replaces it."""

    sources: tuple[Citation, ...]


class UsageReport(Struct, frozen=True):
    """Token counts so far: a running total, so the latest report replaces the former."""

    usage: Usage


class ResponseInfo(Struct, frozen=True):
    """Which model answered (it may differ from the alias asked for) and the response's id."""

    model: str
    response_id: str = ""


class Finish(Struct, frozen=True):
    """How the service says the answer ended. It may come more than once; the last one counts."""

    state: EndState
    reason: str
    message: str = ""


class Continuation(Struct, frozen=True):
    """The service cut the answer in two: the next round sends this token back."""

    token: str


class Fault(Struct, frozen=True):
    """The service reported an error inside a stream that had begun well."""

    error: NbGeminiError


class Unknown(Struct, frozen=True):
    """Something newer than this decoder: kept in the turn, counted, never fatal."""

    name: str


Event: TypeAlias = (
    PartReceived
    | ThoughtDelta
    | AnswerDelta
    | ToolCall
    | Media
    | Code
    | CodeResult
    | Citations
    | UsageReport
    | ResponseInfo
    | Finish
    | Continuation
    | Fault
    | Unknown
)
