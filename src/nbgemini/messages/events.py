"""What a stream says, one fact at a time, in no provider's dialect.

An event is a value: frozen, comparable, without behaviour. A provider's `decode` makes events out of a frame; everything
after it (segments, transcript, displays) knows only these. `PartReceived` carries the service's own part verbatim, for the
next request; every other content event is for the person who reads.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from nbgemini.errors import NbGeminiError, adapt
from nbgemini.messages.turns import Part, Usage

EndState: TypeAlias = Literal["complete", "truncated", "blocked"]


class Event(Struct, frozen=True):
    """One fact of a stream."""


class PartReceived(Event, frozen=True):
    """One part of the model's turn exactly as the service sent it."""

    part: Part


class ThoughtDelta(Event, frozen=True):
    """Text that continues the current thought."""

    text: str


class AnswerDelta(Event, frozen=True):
    """Text that continues the current answer."""

    text: str


class ToolCall(Event, frozen=True):
    """The model asks for one of our functions; `id` is absent in families that have none."""

    name: str
    args: dict[str, Any]
    id: str | None = None


class ToolCallStart(Event, frozen=True):
    """A call begins whose arguments come in pieces; `key` tells calls that grow side by side apart.

    `part` is the service's own part, all but the arguments: the call goes back in it, for its signature.
    """

    key: str
    name: str
    id: str | None = None
    part: Part | None = None


class ToolArgsDelta(Event, frozen=True):
    """Text that continues the JSON text of a call's arguments."""

    key: str
    text: str


class ToolArgsText(Event, frozen=True):
    """The whole JSON text of a call's arguments: it replaces what came of them."""

    key: str
    text: str


class ToolArgsPiece(Event, frozen=True):
    """One value of a call's arguments at a path like `$.flight.seats[0]`; while there is `more`, texts at one path append."""

    key: str
    path: str
    value: Any
    more: bool = False


class ToolCallEnd(Event, frozen=True):
    """The service ends a growing call; `part` is what its last part holds besides the arguments, if anything."""

    key: str
    part: Part | None = None


class ToolCallGrowing(Event, frozen=True):
    """What is known so far of a call that is not complete: the arguments as JSON text, maybe broken off.

    `state` says how it ended without becoming a call: `broken`, its arguments are not whole, or `again`, it had been made.
    """

    key: str
    name: str
    text: str
    id: str | None = None
    state: Literal["growing", "broken", "again"] = "growing"

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it as it is."""
        return self.state != "growing"


class InlineMedia(Event, frozen=True):
    """Inline bytes: `data` is base64 as it came; a thought is a draft of the model's, not its answer."""

    mime: str
    data: str
    thought: bool = False


RunState: TypeAlias = Literal["proposed", "asking", "running", "done", "failed", "refused", "stopped", "timed out"]


class ToolRun(Struct, frozen=True):
    """What became of a call so far."""

    call: ToolCall
    state: RunState = "proposed"
    response: dict[str, Any] | None = None  # what goes back to the model, once there is something
    media: tuple[InlineMedia, ...] = ()
    seconds: float = 0.0
    unasked: bool = False  # it ran because its user had said that nobody need be asked
    about: str = ""  # what the tool says of itself, in one line
    printed: str = ""  # what it has printed, where a notebook shows that on its card

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state not in ("proposed", "asking", "running")


class ToolProgress(Event, frozen=True):
    """The n-th call of the reply, from 0, is further than it was."""

    number: int
    run: ToolRun


class ToolAnswer(Event, frozen=True):
    """Our stored answer to a call, read again; without a state it is older than notes, or another program's."""

    name: str
    id: str | None
    response: dict[str, Any]
    state: RunState | None = None
    media: tuple[InlineMedia, ...] = ()
    seconds: float = 0.0
    unasked: bool = False
    about: str = ""
    printed: str = ""

    def of(self, call: ToolCall) -> ToolRun:
        """Return what became of the call that this answers."""
        state = self.state or ("failed" if self.response.keys() == {"error"} else "done")
        return ToolRun(call, state, self.response, self.media, self.seconds, self.unasked, self.about, self.printed)


class ExecutedCode(Event, frozen=True):
    """Code that the model runs at the service."""

    source: str
    language: str = "python"


class CodeResult(Event, frozen=True):
    """What that code printed; `ok` is false when it failed, `late` is true when it was stopped for taking too long."""

    output: str
    ok: bool = True
    late: bool = False


class Citation(Struct, frozen=True):
    """One source that an answer rests on."""

    uri: str
    title: str = ""


class Passage(Struct, frozen=True):
    """These bytes of the answer, which are `text`, rest on these sources, counted from 0."""

    start: int
    end: int
    text: str
    sources: tuple[int, ...]


class Page(Struct, frozen=True):
    """A page that the service was to read, and why it could not, if so."""

    url: str
    trouble: str = ""


class Citations(Event, frozen=True):
    """What the answer so far rests on: sources, where they are cited, what was searched for, pages that were read.

    A later report replaces it.
    """

    sources: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    queries: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()


class UsageReport(Event, frozen=True):
    """Token counts so far: a running total, so the latest report replaces the former."""

    usage: Usage


class ResponseInfo(Event, frozen=True):
    """Which model answered (it may differ from the alias asked for) and the response's id."""

    model: str
    response_id: str = ""


class Finish(Event, frozen=True):
    """How the service says the answer ended. It may come more than once; the last one counts."""

    state: EndState
    reason: str
    message: str = ""


class Done(Event, frozen=True):
    """The service said that this is all, perhaps without a reason: what came is whole, if anything did."""


WHOLE = Finish("complete", "done")  # the end of an answer that is whole, and for which no reason was given


class Continuation(Event, frozen=True):
    """The service cut the answer in two: the next round sends this token back."""

    token: str


class Queued(Event, frozen=True):
    """The request waits for a place; so many others come before it."""

    ahead: int


class Retrying(Event, frozen=True):
    """The request goes out again after trouble that passes: in how many seconds, and as which attempt of how many."""

    why: str
    seconds: float
    attempt: int
    attempts: int


class Uploading(Event, frozen=True):
    """A file goes out ahead of the request: so many of its bytes are there; with all of them, the service looks at it."""

    name: str
    sent: int
    size: int


class Fault(Event, frozen=True):
    """The service reported an error inside a stream that had begun well."""

    error: NbGeminiError


class Unknown(Event, frozen=True):
    """Something newer than this decoder: kept in the turn, counted, never fatal."""

    name: str


_LIMIT = "cut at the token limit → --max-tokens"
_FULL = "cut: the chat fills the context window → %gemini drop, reset or fork the chat"
_MALFORMED = "the model called a tool in a form that can't be read → ask again"
_STOP_REASONS = {  # why the service ended an answer, or let none begin, and the way out; dated 2026-11-21
    **dict.fromkeys(("max_tokens", "max_output_tokens", "max_completion_tokens", "length", "token_limit"), _LIMIT),
    **dict.fromkeys(("model_context_window_exceeded", "model_length"), _FULL),
    **dict.fromkeys(("malformed_function_call", "malformed_tool_call"), _MALFORMED),
    "safety": "blocked: the service considers it unsafe → ask in other words",
    "recitation": "blocked: too similar to a text in the training data → ask for a summary, or in other words",
    "language": "blocked: a language that the model does not support → ask in another",
    "blocklist": "blocked: it contains a forbidden word → ask in other words",
    "prohibited_content": "blocked: its content is not allowed, whatever the settings",
    "spii": "blocked: it may contain personal data → leave that out",
    "model_armor": "blocked by the filter of your organisation (Model Armor)",
    "jailbreak": "blocked: it looks like an attempt to get round the rules",
    "escalation": "blocked: the service wants a person to look at it",
    "image_safety": "no image: the service considers it unsafe → describe another",
    "image_prohibited_content": "no image: its content is not allowed → describe another",
    "image_recitation": "no image: too similar to an image in the training data → describe another",
    "image_other": "no image came, and the service does not say why → ask again",
    "no_image": "no image came → say that you want one",
    "malformed_response": "the model's answer can't be read → ask again",
    "unexpected_tool_call": "the model called a tool that it was not offered → offer it with -t, or ask again",
    "too_many_tool_calls": "the model made too many tool calls → ask for less at once",
    "missing_thought_signature": "a thought signature is missing in this chat → %gemini drop, or begin another chat",
    "pup_limited_disabled": "the service has limited this use of the model",
    "content_blocked": "blocked: against the rules of the service → ask in other words",
    "incomplete": "cut before its end, mostly at the token limit → --max-tokens",
    "budget_exceeded": "cut: it exceeded its budget → ask for less at once",
    "cancelled": "cancelled at the service → ask again",
    "insufficient_system_resource": "cut: the service ran out of room → ask again",
    "content_filter": "blocked by the service's content filter → ask in other words",
    "refusal": "blocked: the model declines to answer this → ask in other words, or -m another model",
    "other": "ended by the service, which does not say why → ask again",
}
_PROMPT = "prompt: "  # how the reason begins if the prompt itself was refused


def describe_stop_reason(reason: str) -> str:
    """Return a reason in words, itself where none are known."""
    bare = reason.removeprefix(_PROMPT)
    words = adapt(_STOP_REASONS.get(bare.lower(), bare))
    return words if bare == reason else f"the prompt was {words if words.startswith('blocked') else f'refused: {words}'}"


def is_known(reason: str) -> bool:
    """Whether it is known what a reason says: one that is newer does not say that whole calls should not run."""
    return reason.removeprefix(_PROMPT).lower() in _STOP_REASONS
