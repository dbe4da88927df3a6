"""What came of one prompt, growing while it streams, and the handle to wait for it or stop it.

The same events are folded twice and the two folds never mix: verbatim parts into the exchange (for the next request),
segments for the reader. Invariants: `state` becomes terminal exactly once; after that nothing changes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from time import monotonic
from typing import Any

from nbgemini.code_blocks import code_of
from nbgemini.errors import NbGeminiError, TransportError
from nbgemini.events import Citations, Event, Media, Queued, Retrying, ToolCall, ToolProgress, ToolRun, Uploading
from nbgemini.incoming import Incoming
from nbgemini.prices import shipped
from nbgemini.providers.protocol import Provider
from nbgemini.received import Received, received
from nbgemini.running import Running
from nbgemini.schema import read_answer, value_so_far
from nbgemini.segments import Change, Segment, Segmenter, last_text
from nbgemini.tool_result import ToolResult, run_of
from nbgemini.transcript import Exchange, Facts, State
from nbgemini.turns import Options, Usage, merge_text

OFFLINE_ID = "offline-"  # how response ids of the offline service begin


class Reply(Running):
    """One answer: live while it streams, complete when awaited.

    Attributes:
        chat: the chat's name; None for a one-shot.
        turn: the number of the exchange in its chat, from 0.
        state: `waiting` or `running`, then exactly one of `complete`, `truncated`, `interrupted`, `blocked`, `failed`.
        error: why it failed, was blocked or cut off; None otherwise.
        notice: what the request waits for before it goes out: a place, a file, or the next attempt; None while it is out.
        parsed: the object, where JSON was asked for, by a schema or without; None if the answer is none, and before its end.
        misfit: one line that says where the answer does not fit what was asked for, and what to do; empty if it fits.
        first_seconds: how long it took until the first segment began; None before that.
        purpose: what it was asked for, in a word: `prompt`, `fix`, `map` …
        retries: how often its requests were sent again.
        prices: what its cost is reckoned by.
        window: how many tokens the model takes at once; None where nobody asked.
        played: where it came from, in a word, if from no service just now: `replay` (a cassette), `cache`; else empty.
    """

    def __init__(self, exchange: Exchange, options: Options, codec: Provider, *, chat: str | None, turn: int) -> None:
        """Begin with nothing; `codec` is who asks and reads."""
        super().__init__()
        self.exchange = exchange
        self.options = options
        self.provider = codec.name
        self.chat = chat
        self.turn = turn
        self.incoming = Incoming(exchange, codec, options.model)
        self.error: NbGeminiError | None = None
        self.parsed: Any = None
        self.misfit = ""
        self.purpose = "prompt"
        self.prices = shipped()
        self.window: int | None = None
        self.retries = 0
        self.played = ""
        self.notice: Queued | Retrying | Uploading | None = None
        self._segmenter = Segmenter()
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
    def segments(self) -> list[Segment]:
        """All segments in the order of the wire."""
        return self._segmenter.segments

    @property
    def text(self) -> str:
        """The answer: all answer segments joined, never a thought."""
        return "".join(segment.text for segment in self.segments if segment.kind == "answer")

    @property
    def code(self) -> str:
        """The code in the answer: what its fences hold, a blank line between blocks."""
        return code_of(self.text, bare=self.options.format == "code")

    @property
    def partial(self) -> Any:
        """The JSON value as far as it has come, open texts and lists closed; None before it begins. Nothing is validated."""
        return value_so_far(last_text(self.segments))

    @property
    def thoughts(self) -> str:
        """All thought segments joined."""
        return "".join(segment.text for segment in self.segments if segment.kind == "thought")

    @property
    def media(self) -> list[Received]:
        """All pictures, sounds and other files that came, in order, drafts too; those of tools are in their results."""
        return [received(segment.content) for segment in self.segments if isinstance(segment.content, Media)]

    @property
    def images(self) -> list[Received]:
        """The pictures of the answer; a draft of the model's is none of them."""
        return [one for one in self.media if one.mime.startswith("image/") and not one.thought]

    @property
    def audio(self) -> list[Received]:
        """The sounds of the answer, raw ones as WAV."""
        return [one for one in self.media if one.mime.startswith("audio/") and not one.thought]

    @property
    def citations(self) -> Citations:
        """What the answer rests on: sources, places in the text, queries, pages that were read."""
        return self.incoming.citations

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls the model asked for, in order."""
        return [segment.content.call for segment in self._segmenter.runs if isinstance(segment.content, ToolRun)]

    def number_of(self, segment: Segment) -> int:
        """Return which of `tool_calls` a segment shows."""
        return self._segmenter.number_of(segment)

    @property
    def usage(self) -> Usage:
        """Tokens so far, over all rounds."""
        return self.incoming.usage

    @property
    def cost(self) -> float | None:
        """What it cost in USD; None where no price is known."""
        return self.prices.cost(self.model, self.usage) if self.usage.total else None

    @property
    def finish_reason(self) -> str | None:
        """The last reason the service gave for ending."""
        return self.incoming.finish.reason if self.incoming.finish else None

    @property
    def seconds(self) -> float:
        """How long it has taken, or took."""
        return monotonic() - self._began if self._seconds is None else self._seconds

    @property
    def badge(self) -> str:
        """What marks an answer that is no service's own, now; else empty."""
        return self.played or ("offline service" if self.offline else "")

    @property
    def offline(self) -> bool:
        """Whether no live service answered, so that nothing was spent: the offline one did, or a cassette, or a cache."""
        return bool(self.played) or self.incoming.response_id.startswith(OFFLINE_ID)

    def feed(self, events: list[Event]) -> list[Change]:
        """Fold events of ours into the reply and return what changed for the reader."""
        changes = self.show(self.take(events))
        self.exchange.state = "waiting" if self._segmenter.asks else "running"
        return changes

    def take(self, events: list[Event]) -> list[Event]:
        """Fold events for the service and return what they mean for the reader: each call once, and whole."""
        return self.incoming.take(events)

    def show(self, events: list[Event]) -> list[Change]:
        """Fold events for the reader and return what changed."""
        changes = self._segmenter.feed(events)
        if self.first_seconds is None and self.segments:
            self.first_seconds = self.seconds
        return changes

    def answer_calls(self, results: Sequence[ToolResult]) -> None:
        """Close the round with our answers; those that the reader has not seen are shown at the end."""
        first = self.incoming.answered
        seen: list[Event] = [ToolProgress(number, run_of(result)) for number, result in enumerate(results, first)]
        self._unshown += self._segmenter.feed(seen)
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
            self._began = self._began if self.segments else monotonic()
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
        return self.settle(*self.incoming.outcome_after(error, shown=bool(self.segments)))

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
        changes = [*self._unshown, *self._segmenter.close()]
        self.exchange.parts = list(merge_text(self.exchange.parts))
        if self.options.json and state not in ("failed", "blocked"):
            self.parsed, self.misfit = read_answer(self.options, last_text(self.segments), state)
        self.exchange.state, self.error = state, error
        self._seconds = monotonic() - self._began
        self.exchange.facts = self._facts()
        if error:
            error.reply, self.exchange.note = self, str(error)
            self.played = self.played or ("replay" if error.played else "")
        self.end_now()
        return changes

    def _facts(self) -> Facts:
        cost = None if self.offline else self.cost
        return Facts(self.model, self.provider, self.usage, self.incoming.context, cost, self.seconds, self.badge)

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

    def __str__(self) -> str:
        """Return the answer."""
        return self.text

    def __format__(self, spec: str) -> str:
        """Return the answer in a format of text."""
        return format(self.text, spec)

    def __repr__(self) -> str:
        """Show state and the beginning of the answer."""
        return f"<Reply {self.state}: {self.text[:60]!r}{'…' if len(self.text) > 60 else ''}>"  # noqa: PLR2004
