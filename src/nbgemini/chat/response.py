"""What the service said in one reply, folded for the service: parts that go back, calls that wait for an answer, the end.

Invariants: parts are kept verbatim and in order; a call counts once however often it is sent, and its part with it; calls are
answered only of a round that ended well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import to_builtins

from nbgemini.errors import BlockedError, NbGeminiError, ToolError, TransportError, WireError
from nbgemini.messages.citations import Citing
from nbgemini.messages.events import (
    WHOLE,
    AnswerDelta,
    Citations,
    Continuation,
    Done,
    Event,
    Fault,
    Finish,
    PartReceived,
    ResponseInfo,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallGrowing,
    ToolCallStart,
    Unknown,
    UsageReport,
)
from nbgemini.messages.stop_reasons import ending_words, is_known
from nbgemini.messages.tool_call_assembler import GrowingCalls, weight
from nbgemini.messages.transcript import Exchange, State
from nbgemini.messages.turns import NOTE, Part, Usage
from nbgemini.providers.base import Provider
from nbgemini.tools.result import ToolResult, note_of

MOST_CALLS = 256  # of one round, those that are copies or broken counted too
MOST_ARGUMENTS = 2**20  # characters of all calls of a round; a model's longest answer is shorter
_GROWTH = 9 / 8  # citations are kept again when there are so many more
Outcome: TypeAlias = tuple[State, NbGeminiError | None]

_EMPTY = "the service sent an empty answer → ask again"


class _Load:
    """The calls of one round, and the characters of their arguments."""

    def __init__(self) -> None:
        self._calls = self._weight = 0

    def with_one_more(self, event: Event) -> str:
        """Count a call or a piece of one; return why it is too much, in words, or nothing."""
        match event:
            case ToolCall(_, args):
                self._calls, self._weight = self._calls + 1, self._weight + weight(args, MOST_ARGUMENTS)
            case ToolCallStart():
                self._calls += 1
            case ToolArgsDelta(_, text) | ToolArgsText(_, text):
                self._weight += len(text)
            case ToolArgsPiece(_, path, value):
                self._weight += len(path) + weight(value, MOST_ARGUMENTS)
        what = f"more than {MOST_CALLS} tool calls at once" if self._calls > MOST_CALLS else ""
        if self._weight > MOST_ARGUMENTS:
            what = f"tool calls with more than {MOST_ARGUMENTS >> 20} MiB of arguments"
        return what and f"the model asked for {what}; none was run → ask for fewer steps at a time"


class Incoming:
    """The service's side of a reply, over all its rounds.

    Attributes:
        model: the model that answers, or the one asked for as long as it is silent.
        answered: how many calls of earlier rounds have their answer.
        finish: how the service said that this round ends, if it did; the last time counts.
        unknown: names of what this decoder is too old for, and how often each came.
    """

    def __init__(self, exchange: Exchange, codec: Provider, model: str) -> None:
        """Store what comes in `exchange`."""
        self.model = model
        self.response_id = ""
        self.answered = 0
        self.finish: Finish | None = None
        self.unknown: Counter[str] = Counter()
        self._exchange = exchange
        self._codec = codec
        self._growing = GrowingCalls()
        self._calls: list[ToolCall] = []  # of this round
        self._broken: list[ToolCallGrowing] = []  # those whose arguments are not whole
        self._usage = Usage()
        self._earlier_rounds = Usage()
        self._continuation: str | None = None
        self._citing = Citing()
        self._cite_due = False  # whether more was cited than is kept
        self._cited = 0.0  # how many citations are so many more
        self._note_at: int | None = None  # where they are among the parts
        self._load = _Load()
        self._fault: NbGeminiError | None = None
        self._before = 0  # parts, when the request went out
        self._frame = 0  # how many came
        self._call_began = False
        self._done = False  # the service said that this is all

    @property
    def usage(self) -> Usage:
        """Tokens so far, over all rounds."""
        return self._earlier_rounds + self._usage

    @property
    def context(self) -> int:
        """Tokens of the last round: what was asked, with all that came before, and what was answered."""
        return self._usage.input + self._usage.tool + self._usage.output

    @property
    def citations(self) -> Citations:
        """What the answer rests on, over all rounds."""
        return self._citing.all

    @property
    def untouched(self) -> bool:
        """Whether the request that was sent last has brought nothing yet: it may be sent again."""
        return len(self._exchange.parts) == self._before and not self._call_began and self.finish is None

    def begin_attempt(self) -> None:
        """A request goes out, maybe again."""
        self._before = len(self._exchange.parts)
        self._call_began, self._fault, self._done = False, None, False

    def take(self, events: Iterable[Event], *, begins: bool = True) -> list[Event]:
        """Fold events and return what they mean for the reader: each call once, and whole.

        They are those of one frame, or some of them: `begins` says whether they are its first.
        """
        self._frame += begins
        return [meant for event in events for meant in self._take(event)]

    def _take(self, event: Event) -> Sequence[Event]:
        """Fold one event; what comes with every frame goes first."""
        match event:
            case AnswerDelta() | ThoughtDelta():
                pass
            case PartReceived(part):
                self._exchange.parts.append(part)
            case UsageReport(usage):
                self._usage = usage
            case ResponseInfo(model, response_id):
                self.model, self.response_id = model, response_id or self.response_id
            case ToolCall() | ToolCallStart() | ToolArgsDelta() | ToolArgsText() | ToolArgsPiece() | ToolCallEnd():
                return self._take_call(event)
            case Citations():
                return (self._cite(event),)
            case Finish() | Continuation() | Done():
                return self._take_end(event)
            case Fault(error):
                self._fault = self._fault or error
            case Unknown(name):
                self.unknown[name] += 1
        return (event,)

    def _take_end(self, event: Finish | Continuation | Done) -> Sequence[Event]:
        match event:
            case Done():
                self._done = True
                return () if self.finish or self.untouched else self._take_end(WHOLE)
            case Finish():
                self.finish = event
            case _:
                self._continuation = event.token
        return (event,)

    def _cite(self, said: Citations) -> Citations:
        """Take what the answer rests on; it may be said anew with every frame, and is kept when it has grown."""
        known, self._cite_due = self._citing.take(said), True
        if len(known.sources) + len(known.passages) >= self._cited:
            self.keep_citations()
        return known

    def keep_citations(self) -> None:
        """Keep what the answer rests on beside its parts, for whoever reads it again."""
        known, parts = self._citing.all, self._exchange.parts
        if not self._cite_due:
            return
        self._cite_due = False
        self._note_at = len(parts) if self._note_at is None else self._note_at
        parts[self._note_at : self._note_at + 1] = [{NOTE: {"citations": to_builtins(known)}}]
        self._cited = (len(known.sources) + len(known.passages)) * _GROWTH

    def _take_call(self, event: Event) -> Sequence[Event]:
        """Keep each call once, and its part with it."""
        self._call_began = True
        if too_much := self._load.with_one_more(event):
            self._fault = self._fault or ToolError(too_much)
            return ()
        news = self._growing.feed(event, self._frame)
        made = [call for call in news if isinstance(call, ToolCall)]
        self._calls += made
        self._broken += _broken_off(news)
        if not isinstance(event, ToolCall):
            self._exchange.parts += [self._codec.call_part(call, self._growing.part) for call in made]
        elif not made and self._exchange.parts:
            self._exchange.parts.pop()  # a copy; its part came just before it
        return news

    def raise_fault(self) -> None:
        """Raise the error that the service reported inside the stream, if it did."""
        if self._fault:
            raise self._fault

    def raise_if_empty(self) -> None:
        """Raise if the stream ended without a word.

        Raises:
            TransportError: it did; it may be sent again, unless the service calls it whole or counted tokens: it is paid.
        """
        if self.untouched:
            raise TransportError(_EMPTY, passing=not (self._done or self._usage.output or self._usage.thought))

    def next_request(self) -> str | None:
        """Return the token to go on with if the service cut the answer in two: its calls may go on too."""
        token, self._continuation = self._continuation, None
        if token and self.finish and self.finish.reason == "CONTINUATION":
            self._begin_round()
            return token
        self._give_up_growing()
        return None

    def _give_up_growing(self) -> None:
        self._broken += _broken_off(self._growing.close())

    def calls(self) -> list[ToolCall]:
        """Return the calls of this round, if it ended well, or in a way that nobody knows here."""
        match self.finish:
            case Finish("truncated", reason):
                well = not is_known(reason)
            case finish:
                well = finish is not None and finish.state == "complete"
        return self._calls if well and self._fault is None and not self._broken else []

    def answer(self, results: Iterable[ToolResult]) -> None:
        """Close the round with our answers to its calls."""
        self.keep_citations()
        self._exchange.answer(self._answer_part(result) for result in results)
        self.answered += len(self._calls)
        self._growing, self._calls = GrowingCalls(), []
        self._note_at, self._cited, self._load = None, 0.0, _Load()
        self._begin_round()

    def _answer_part(self, result: ToolResult) -> Part:
        part = self._codec.result_part(result.call, result.response, result.media)
        return {**part, NOTE: note_of(result)}

    def _begin_round(self) -> None:
        self._earlier_rounds, self._usage = self.usage, Usage()
        self._citing.begin_round()
        self.finish = None

    def outcome(self) -> Outcome:
        """Return how the reply ends if the stream ran to its end: by what the service said last."""
        match self.finish:
            case Finish("blocked", reason, message):
                return "blocked", BlockedError(_withheld(reason, message))
            case Finish("complete") if self._broken:
                name = self._broken[0].name
                return "truncated", ToolError(f"the call of {name!r} came incomplete; nothing was run → ask again")
            case Finish("truncated", reason, message):
                self._exchange.note = _in_words(reason, message)
                return "truncated", None
            case Finish(state):
                return state, None
            case _:
                return "truncated", TransportError("the service cut the answer off before its end")

    def outcome_after(self, error: NbGeminiError, *, shown: bool) -> Outcome:
        """Return how the reply ends after an error: a whole answer stays complete, a broken connection leaves a truncated one.

        Calls make it incomplete, as nobody knows whether more of them would have come.
        """
        if isinstance(error, ToolError):
            return "truncated", error
        self._give_up_growing()
        network = not self._fault and isinstance(error, TransportError | WireError)
        if network and self.finish and self.finish.state == "complete" and not (self._calls or self._broken):
            return "complete", None
        return "truncated" if isinstance(error, TransportError) and network and shown else "failed", error


def _withheld(reason: str, message: str) -> str:
    """Return why nothing came, with the name that the service has for it."""
    name = reason.rpartition(" ")[2]
    return _in_words(reason, f"{name}; {message}" if message else name)


def _in_words(reason: str, message: str) -> str:
    """Return why an answer ended, in words and in the service's own."""
    words = ending_words(reason)
    return f"{words} ({message})" if message and not words.endswith(message) else words


def _broken_off(news: Sequence[Event]) -> list[ToolCallGrowing]:
    """Return the calls that have ended without their arguments being whole."""
    return [call for call in news if isinstance(call, ToolCallGrowing) and call.state == "broken"]
