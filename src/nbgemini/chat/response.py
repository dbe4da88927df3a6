"""What a service has said in one reply, folded for the service: parts that go back, calls that wait for results, the end.

Invariants: parts are kept verbatim and in order; a call counts once however often it is sent, and its part with it; calls get
results only in a round that ended well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import to_builtins

from nbgemini.errors import BlockedError, NbGeminiError, ToolError, TransportError, WireError
from nbgemini.messages.citations import CitationTracker
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
    ToolRun,
    Unknown,
    UsageReport,
    describe_stop_reason,
    is_known,
)
from nbgemini.messages.tool_call_assembler import ToolCallAssembler, weight
from nbgemini.messages.transcript import Exchange, State
from nbgemini.messages.turns import NOTE, Usage
from nbgemini.providers.base import Codec
from nbgemini.tools.tool import note_of

MOST_CALLS = 256  # in one round, copies and incomplete ones counted too
MOST_ARGUMENTS = 2**20  # characters of all calls of a round; a model's longest answer is shorter
_TEXT = (AnswerDelta, ThoughtDelta)
_GROWTH = 9 / 8  # citations are stored again when there are so many more


class Outcome(NamedTuple):
    """How a reply ends: its terminal state, the error that says why, and a note where words are needed but nothing failed."""

    state: State
    error: NbGeminiError | None = None
    note: str = ""


class _Round:
    """One request of the model for tool calls, until they have their results; replaced as a whole."""

    def __init__(self) -> None:
        self.assembler = ToolCallAssembler()
        self.calls: list[ToolCall] = []
        self.incomplete: list[ToolCallGrowing] = []  # calls that ended before their arguments were complete
        self._count = self._weight = 0

    def excess(self, event: Event) -> str:
        """Count a call, or a piece of one; return in words why it is too much, or nothing."""
        match event:
            case ToolCall(_, args):
                self._count, self._weight = self._count + 1, self._weight + weight(args, MOST_ARGUMENTS)
            case ToolCallStart():
                self._count += 1
            case ToolArgsDelta(_, text) | ToolArgsText(_, text):
                self._weight += len(text)
            case ToolArgsPiece(_, path, value):
                self._weight += len(path) + weight(value, MOST_ARGUMENTS)
        what = f"more than {MOST_CALLS} tool calls at once" if self._count > MOST_CALLS else ""
        if self._weight > MOST_ARGUMENTS:
            what = f"tool calls with more than {MOST_ARGUMENTS >> 20} MiB of arguments"
        return what and f"the model asked for {what}; none was run → ask for fewer steps at a time"

    def add(self, news: Sequence[Event]) -> list[ToolCall]:
        """Take in what came of the assembler; return the calls that are complete by it."""
        completed = [event for event in news if isinstance(event, ToolCall)]
        self.calls += completed
        self.incomplete += [event for event in news if isinstance(event, ToolCallGrowing) and event.state == "broken"]
        return completed

    def close(self) -> None:
        """Give up the calls that are not complete."""
        self.add(self.assembler.close())


class _StoredCitations:
    """What the answer rests on, and where it is stored among the parts of the model's turn."""

    def __init__(self, exchange: Exchange) -> None:
        self.tracker = CitationTracker()
        self._exchange = exchange
        self._changed = False  # since they were stored
        self.begin_turn()

    def begin_turn(self) -> None:
        """Store what comes from now on in a note of its own."""
        self._at: int | None = None
        self._enough = 0.0  # so many are worth storing again

    def fold(self, citations: Citations) -> Citations:
        """Take them in; they may come again with every frame, and are stored once they have grown."""
        known, self._changed = self.tracker.update(citations), True
        if len(known.sources) + len(known.passages) >= self._enough:
            self.store()
        return known

    def store(self) -> None:
        """Store them beside the parts, for those who read the answer again."""
        known, parts = self.tracker.all, self._exchange.parts
        if not self._changed:
            return
        self._changed = False
        self._at = len(parts) if self._at is None else self._at
        parts[self._at : self._at + 1] = [{NOTE: {"citations": to_builtins(known)}}]
        self._enough = (len(known.sources) + len(known.passages)) * _GROWTH


class _Attempt:
    """One time that a request was sent, and what its response has said so far; replaced as a whole."""

    def __init__(self, parts: int = 0, usage: Usage | None = None) -> None:
        self.parts_before = parts
        self.usage = usage or Usage()
        self.finish: Finish | None = None
        self.continuation: str | None = None
        self.fault: NbGeminiError | None = None
        self.call_began = False
        self.done = False  # the service said that this is all


class ResponseAccumulator:
    """The service's side of a reply, over all its rounds.

    Attributes:
        model: the model that answers, or the one asked for until the service names one.
        response_id: the service's name for its response.
        answered: how many calls of earlier rounds have their results.
        unknown: names of what this decoder is too old for, and how often each came.
    """

    def __init__(self, exchange: Exchange, codec: Codec, model: str) -> None:
        self.model = model
        self.response_id = ""
        self.answered = 0
        self.unknown: Counter[str] = Counter()
        self._exchange = exchange
        self._codec = codec
        self._round = _Round()
        self._attempt = _Attempt()
        self._earlier = Usage()  # of the requests before this one
        self._citations = _StoredCitations(exchange)
        self._frame = 0  # how many came

    @property
    def finish(self) -> Finish | None:
        """How the service said that this response ends, if it did; the last time counts."""
        return self._attempt.finish

    @property
    def usage(self) -> Usage:
        """Tokens so far, over all rounds."""
        return self._earlier + self._attempt.usage

    @property
    def context(self) -> int:
        """Tokens of the last round: what was asked, with all that came before, and what was answered."""
        usage = self._attempt.usage
        return usage.input + usage.tool + usage.output

    @property
    def citations(self) -> Citations:
        """What the answer rests on, over all rounds."""
        return self._citations.tracker.all

    @property
    def untouched(self) -> bool:
        """Whether the attempt has brought nothing of an answer yet, so that the request may be sent again."""
        attempt = self._attempt
        return len(self._exchange.parts) == attempt.parts_before and not attempt.call_began and attempt.finish is None

    def begin_attempt(self) -> None:
        """Send a request, maybe again."""
        self._attempt = _Attempt(len(self._exchange.parts), self._attempt.usage)

    def fold(self, events: Iterable[Event], *, first: bool = True) -> list[Event]:
        """Fold events and return what they mean for the user: each call once, and complete.

        They are those of one frame, or some of them: `first` says whether they are its first.
        """
        self._frame += first
        meant: list[Event] = []
        for event in events:  # what comes with every frame goes first; a `match` takes five times as long
            if isinstance(event, PartReceived):
                self._exchange.parts.append(event.part)
            elif isinstance(event, UsageReport):
                self._attempt.usage = event.usage
            elif isinstance(event, ResponseInfo):
                self.model, self.response_id = event.model, event.response_id or self.response_id
            elif not isinstance(event, _TEXT):
                meant += self._fold_rare(event)
                continue
            meant.append(event)
        return meant

    def _fold_rare(self, event: Event) -> Sequence[Event]:
        match event:
            case ToolCall() | ToolCallStart() | ToolArgsDelta() | ToolArgsText() | ToolArgsPiece() | ToolCallEnd():
                return self._fold_call(event)
            case Citations():
                return (self._citations.fold(event),)
            case Finish() | Continuation() | Done():
                return self._fold_end(event)
            case Fault(error):
                self._attempt.fault = self._attempt.fault or error
            case Unknown(name):
                self.unknown[name] += 1
        return (event,)

    def _fold_end(self, event: Finish | Continuation | Done) -> Sequence[Event]:
        match event:
            case Done():
                self._attempt.done = True
                return () if self.finish or self.untouched else self._fold_end(WHOLE)
            case Finish():
                self._attempt.finish = event
            case _:
                self._attempt.continuation = event.token
        return (event,)

    def store_citations(self) -> None:
        """Store what the answer rests on beside its parts, for those who read it again."""
        self._citations.store()

    def _fold_call(self, event: Event) -> Sequence[Event]:
        """Keep each call once, and its part with it."""
        attempt, parts, assembler = self._attempt, self._exchange.parts, self._round.assembler
        attempt.call_began = True
        if too_much := self._round.excess(event):
            attempt.fault = attempt.fault or ToolError(too_much)
            return ()
        news = assembler.feed(event, self._frame)
        completed = self._round.add(news)
        if not isinstance(event, ToolCall):
            parts += [self._codec.call_part(call, assembler.part) for call in completed]
        elif not completed and parts:
            parts.pop()  # a copy; its part came just before it
        return news

    def raise_fault(self) -> None:
        """Raise the error that the service reported inside the stream, if it did."""
        if self._attempt.fault:
            raise self._attempt.fault

    def raise_if_empty(self) -> None:
        """Raise if the stream ended without anything of an answer.

        Raises:
            TransportError: it did; the request may be sent again, unless the response is complete or has cost tokens.
        """
        if self.untouched:
            usage = self._attempt.usage
            paid = self._attempt.done or usage.output or usage.thought
            raise TransportError("the service sent an empty answer → ask again", passing=not paid)

    def continuation(self) -> str | None:
        """Return the token to go on with if the service cut its answer in two, once; its calls may go on too."""
        token, self._attempt.continuation = self._attempt.continuation, None
        if token and self.finish and self.finish.reason == "CONTINUATION":
            self._begin_response()
            return token
        self._round.close()
        return None

    def calls(self) -> list[ToolCall]:
        """Return the calls of this round, if it ended well, or in a way that is unknown here."""
        match self.finish:
            case Finish("truncated", reason):
                well = not is_known(reason)
            case finish:
                well = finish is not None and finish.state == "complete"
        return self._round.calls if well and self._attempt.fault is None and not self._round.incomplete else []

    def add_results(self, results: Iterable[ToolRun]) -> None:
        """Close the round with the results of its calls."""
        self._citations.store()
        parts = ((result, self._codec.result_part(result.call, result.response or {}, result.media)) for result in results)
        self._exchange.answer({**part, NOTE: note_of(result)} for result, part in parts)
        self.answered += len(self._round.calls)
        self._round = _Round()
        self._citations.begin_turn()
        self._begin_response()

    def _begin_response(self) -> None:
        self._earlier, self._attempt = self.usage, _Attempt(len(self._exchange.parts))
        self._citations.tracker.begin_round()

    def outcome(self) -> Outcome:
        """Return how the reply ends if the stream ran to its end."""
        return _outcome(self.finish, self._round.incomplete)

    def outcome_after(self, error: NbGeminiError, *, shown: bool) -> Outcome:
        """Return how the reply ends after an error; `shown` says whether the user has seen anything of an answer."""
        if not isinstance(error, ToolError):
            self._round.close()
        calls = bool(self._round.calls or self._round.incomplete)
        return _outcome_after(error, self.finish, reported=self._attempt.fault is not None, shown=shown, calls=calls)


def _outcome(finish: Finish | None, incomplete: Sequence[ToolCallGrowing] = ()) -> Outcome:
    """Return how a reply ends by what the service said last; calls that came incomplete cut it short."""
    match finish:
        case Finish("blocked", reason, message):
            return Outcome("blocked", BlockedError(_why_blocked(reason, message)))
        case Finish("complete") if incomplete:
            name = incomplete[0].name
            return Outcome("truncated", ToolError(f"the call of {name!r} arrived incomplete and was not run → ask again"))
        case Finish("truncated", reason, message):
            return Outcome("truncated", None, _why_ended(reason, message))
        case Finish(state):
            return Outcome(state)
        case _:
            return Outcome("truncated", TransportError("the service cut the answer off before its end"))


def _outcome_after(error: NbGeminiError, finish: Finish | None, *, reported: bool, shown: bool, calls: bool) -> Outcome:
    """Return how a reply ends after an error: a complete answer stays complete, a broken connection leaves a truncated one.

    Calls make it incomplete, as nobody knows whether more of them would have come; an error that the service `reported` inside
    the stream is its own word, whatever it is.
    """
    if isinstance(error, ToolError):
        return Outcome("truncated", error)
    network = not reported and isinstance(error, TransportError | WireError)
    if network and finish and finish.state == "complete" and not calls:
        return Outcome("complete")
    return Outcome("truncated" if isinstance(error, TransportError) and network and shown else "failed", error)


def _why_blocked(reason: str, message: str) -> str:
    """Return why nothing came, with the name that the service has for it."""
    name = reason.rpartition(" ")[2]
    return _why_ended(reason, f"{name}; {message}" if message else name)


def _why_ended(reason: str, message: str) -> str:
    """Return why an answer ended, in our words and in the service's own."""
    words = describe_stop_reason(reason)
    return f"{words} ({message})" if message and not words.endswith(message) else words
