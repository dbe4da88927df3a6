"""What came of one prompt, growing while it streams, and the handle to wait for it or stop it.

The same events are folded twice and the two folds never mix: verbatim parts into the exchange (for the next request),
segments for the reader. Invariants: `state` becomes terminal exactly once; after that nothing changes; what is whole only then
is never read before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from time import monotonic
from typing import Any, ClassVar

from nbgemini._async import callers
from nbgemini._async.handle import Running
from nbgemini.chat.response import Incoming
from nbgemini.chat.so_far import SoFar
from nbgemini.chat.structured_output import read_answer
from nbgemini.errors import NbGeminiError, TransportError
from nbgemini.messages.events import Citations, Event, Queued, Retrying, ToolCall, ToolProgress, Uploading
from nbgemini.messages.media import Received
from nbgemini.messages.segments import Change, Segment, last_text
from nbgemini.messages.transcript import Exchange, Facts, State
from nbgemini.messages.turns import Options, Usage, merge_text
from nbgemini.providers.base import Provider
from nbgemini.tools.result import ToolResult, run_of

_SHOWN = 60  # characters of the answer


class Answer(Running):
    """What is whole only at the end of a reply: whoever reads a value before waits for it, or is told how to.

    Attributes:
        so_far: the same values as they stand, and reading those never waits.
    """

    so_far: SoFar

    @property
    def whole(self) -> SoFar:
        """The values, once the reply is over.

        Raises:
            UnfinishedError: it is not, and can't be waited for here.
        """
        self.wait_here()
        return self.so_far

    @property
    def segments(self) -> list[Segment]:
        """All segments in the order of the wire."""
        return self.whole.segments

    @property
    def text(self) -> str:
        """The answer: all answer segments joined, never a thought."""
        return self.whole.text

    @property
    def thoughts(self) -> str:
        """All thought segments joined."""
        return self.whole.thoughts

    @property
    def code(self) -> str:
        """The code in the answer: what its fences hold, a blank line between blocks."""
        return self.whole.code

    @property
    def parsed(self) -> Any:
        """The object, where JSON was asked for, by a schema or without; None if the answer is none."""
        return self.whole.parsed

    @property
    def misfit(self) -> str:
        """Where the answer does not fit what was asked for, and what to do, in one line; empty if it fits."""
        return self.whole.misfit

    @property
    def error(self) -> NbGeminiError | None:
        """Why it failed, was blocked or cut off; None otherwise."""
        return self.whole.error

    @property
    def media(self) -> list[Received]:
        """All pictures, sounds and other files that came, in order, drafts too; those of tools are in their results."""
        return self.whole.media

    @property
    def images(self) -> list[Received]:
        """The pictures of the answer; a draft of the model's is none of them."""
        return self.whole.images

    @property
    def audio(self) -> list[Received]:
        """The sounds of the answer, raw ones as WAV."""
        return self.whole.audio

    @property
    def citations(self) -> Citations:
        """What the answer rests on: sources, places in the text, queries, pages that were read."""
        return self.whole.citations

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls the model asked for, in order."""
        return self.whole.tool_calls

    @property
    def usage(self) -> Usage:
        """Tokens, over all rounds."""
        return self.whole.usage

    @property
    def cost(self) -> float | None:
        """What it cost in USD; None where no price is known."""
        return self.whole.cost

    @property
    def finish_reason(self) -> str | None:
        """The last reason the service gave for ending."""
        return self.whole.finish_reason

    @property
    def badge(self) -> str:
        """What marks an answer that is no service's own, now; else empty."""
        return self.whole.badge

    @property
    def played(self) -> str:
        """Where it came from, in a word, if from no service just now: `replay` (a cassette), `cache`; else empty."""
        return self.whole.played

    @property
    def offline(self) -> bool:
        """Whether no live service answered, so that nothing was spent: the offline one did, or a cassette, or a cache."""
        return self.whole.offline

    def __str__(self) -> str:
        """Return the answer; a tool that only looks gets what `repr` says."""
        return repr(self) if not self.done and callers.reader() == "looks" else self.text

    def __format__(self, spec: str) -> str:
        """Return the answer in a format of text."""
        return format(str(self), spec)


class Reply(Answer):
    """One answer: live while it streams, complete when awaited.

    Attributes:
        chat: the chat's name; None for a one-shot.
        turn: the number of the exchange in its chat, from 0.
        state: `waiting` or `running`, then exactly one of `complete`, `truncated`, `interrupted`, `blocked`, `failed`.
        notice: what the request waits for before it goes out: a place, a file, or the next attempt; None while it is out.
        first_seconds: how long it took until the first segment began; None before that.
        purpose: what it was asked for, in a word: `prompt`, `fix`, `map` …
        retries: how often its requests were sent again.
        window: how many tokens the model takes at once; None where nobody asked.
    """

    page: ClassVar[Callable[[Reply], dict[str, str]] | None] = None  # who shows replies stands above them, and says so here

    def __init__(self, exchange: Exchange, options: Options, codec: Provider, *, chat: str | None, turn: int) -> None:
        """Begin with nothing; `codec` is who asks and reads."""
        super().__init__()
        self.exchange = exchange
        self.options = options
        self.provider = codec.name
        self.chat = chat
        self.turn = turn
        self.incoming = Incoming(exchange, codec, options.model)
        self.so_far = SoFar(self.incoming, options)
        self.purpose = "prompt"
        self.window: int | None = None
        self.retries = 0
        self.notice: Queued | Retrying | Uploading | None = None
        self._unshown: list[Change] = []
        self._cut: tuple[State, NbGeminiError | None] = ("interrupted", None)
        self._began = self._noticed = monotonic()
        self._seconds: float | None = None
        self.first_seconds: float | None = None

    @property
    def state(self) -> State:
        """Where the reply stands."""
        return self.exchange.state

    @property
    def model(self) -> str:
        """The model that answered, or the one asked for as long as it is silent."""
        return self.incoming.model

    @property
    def partial(self) -> Any:
        """The JSON value as far as it has come, open texts and lists closed; None before it begins. Nothing is validated."""
        return self.so_far.partial

    def number_of(self, segment: Segment) -> int:
        """Return which of `tool_calls` a segment shows."""
        return self.so_far.segmenter.number_of(segment)

    @property
    def seconds(self) -> float:
        """How long it has taken, or took."""
        return monotonic() - self._began if self._seconds is None else self._seconds

    def feed(self, events: list[Event]) -> list[Change]:
        """Fold events of ours into the reply and return what changed for the reader."""
        changes = self.show(self.take(events))
        self.exchange.state = "waiting" if self.so_far.segmenter.asks else "running"
        return changes

    def take(self, events: list[Event], *, begins: bool = True) -> list[Event]:
        """Fold events for the service and return what they mean for the reader: each call once, and whole.

        `begins` says whether they are the first of their frame.
        """
        return self.incoming.take(events, begins=begins)

    def show(self, events: list[Event]) -> list[Change]:
        """Fold events for the reader and return what changed."""
        changes = self.so_far.segmenter.feed(events)
        if self.first_seconds is None and self.so_far.segments:
            self.first_seconds = self.seconds
        return changes

    def answer_calls(self, results: Sequence[ToolResult]) -> None:
        """Close the round with our answers; those that the reader has not seen are shown at the end."""
        first = self.incoming.answered
        seen: list[Event] = [ToolProgress(number, run_of(result)) for number, result in enumerate(results, first)]
        self._unshown += self.so_far.segmenter.feed(seen)
        self.incoming.answer(results)

    def hold(self, notice: Queued | Retrying | Uploading) -> None:
        """Say what the request waits for before it goes out."""
        self.notice, self._noticed = notice, monotonic()
        if isinstance(notice, Retrying):
            self.retries += 1
        elif isinstance(notice, Queued):
            self.exchange.state = "waiting"

    def go_on(self) -> None:
        """The request goes out: its answer counts from nothing."""
        if isinstance(self.notice, Queued):
            self.exchange.state = "running"
            self._began = self._began if self.so_far.segments else monotonic()
        self.notice = None
        self.incoming.begin_attempt()

    @property
    def wait_left(self) -> float:
        """Seconds until the request goes out again, if it waits for that."""
        left = self._noticed + self.notice.seconds - monotonic() if isinstance(self.notice, Retrying) else 0.0
        return max(0.0, left)

    def start(self) -> None:
        """Leave the queue: from here the time counts."""
        self.exchange.state = "running"
        self._began = monotonic()

    def end(self) -> list[Change]:
        """Settle by what the service said last: the stream ran to its end."""
        return self.settle(*self.incoming.outcome())

    def end_broken(self, error: NbGeminiError) -> list[Change]:
        """Settle after an error."""
        return self.settle(*self.incoming.outcome_after(error, shown=bool(self.so_far.segments)))

    def end_cut(self) -> list[Change]:
        """Settle after it was stopped or its time was over."""
        return self.settle(*self._cut)

    def end_unexpected(self, error: BaseException) -> list[Change]:
        """Settle after an error that is nobody's on purpose."""
        return self.settle("failed", NbGeminiError(f"unexpected {type(error).__name__}: {error}"))

    def settle(self, state: State, error: NbGeminiError | None = None) -> list[Change]:
        """Enter the terminal state, once; return the last changes."""
        if self.done:
            return []
        self.incoming.keep_citations()
        changes = [*self._unshown, *self.so_far.segmenter.close()]
        self.exchange.parts = list(merge_text(self.exchange.parts))
        if self.options.json and state not in ("failed", "blocked"):
            self.so_far.parsed, self.so_far.misfit = read_answer(self.options, last_text(self.so_far.segments), state)
        self.exchange.state, self.so_far.error = state, error
        self._seconds = monotonic() - self._began
        self.exchange.facts = self._facts()
        if error:
            error.reply, self.exchange.note = self, str(error)
            self.so_far.played = self.so_far.played or ("replay" if error.played else "")
        self.end_now()
        return changes

    def _facts(self) -> Facts:
        came = self.so_far
        cost = None if came.offline else came.cost
        return Facts(self.model, self.provider, came.usage, self.incoming.context, cost, self.seconds, came.badge)

    def time_out(self, seconds: float) -> None:
        """Stop because the whole-answer limit is over."""
        if not self.stopping:
            self._cut = ("truncated", TransportError(f"not finished after {seconds:g} s (--timeout)"))
        self.stop()

    def __await__(self) -> Generator[Any, None, Reply]:
        """Wait for the end and return the reply.

        Raises:
            NbGeminiError: the reply failed or was blocked; `error.reply` holds what had arrived.
        """
        yield from self.ended().__await__()
        return self._outcome()

    def result(self, timeout: float | None = None) -> Reply:
        """Wait for the end in code that is not async, the loop staying alive, and return the reply.

        Raises:
            TimeoutError: it took longer than `timeout` seconds; the stream goes on.
            ConfigurationError: the running loop can't be entered again (uvloop).
            NbGeminiError: the reply failed or was blocked.
        """
        self.wait(timeout)
        return self._outcome()

    def _outcome(self) -> Reply:
        if self.error and self.state in ("failed", "blocked"):
            raise self.error
        return self

    def __repr__(self) -> str:
        """Show state and the beginning of the answer, as far as it has come."""
        text = self.so_far.text
        came = f": {text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}" if text or self.done else ""
        return f"<Reply {self.state}{'' if self.done or not came else ', so far'}{came}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what IPython shows, and what documents made of a notebook hold."""
        page = type(self).page
        return {} if page is None else page(self)

    def _repr_html_(self) -> str | None:
        """Return the reply as sanitised HTML, as it stands at rest."""
        return self._repr_mimebundle_().get("text/html")

    def _mime_(self) -> tuple[str, str]:
        """Return what marimo shows."""
        html = self._repr_html_()
        return ("text/plain", repr(self)) if html is None else ("text/html", html)
