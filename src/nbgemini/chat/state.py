"""What has come of one prompt: written by the request loop that asks, read by the reply that users hold.

The same events are folded twice and the two folds never mix: parts verbatim into the exchange (for the next request), segments
for the user. Invariant: `finish` enters the terminal state, exactly once; after that nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

from nbgemini._async.handle import Lifecycle
from nbgemini.chat.response import ResponseAccumulator
from nbgemini.chat.structured_output import read_answer
from nbgemini.errors import NbGeminiError, WireError
from nbgemini.messages.events import Event, Queued, Retrying, ToolProgress, ToolRun, Uploading
from nbgemini.messages.segments import Change, Segmenter, last_text
from nbgemini.messages.transcript import Exchange, ExchangeStats, State
from nbgemini.messages.turns import Options, Usage, merge_text
from nbgemini.prices import Prices, bundled_prices
from nbgemini.providers.base import Codec

MOST_SEGMENTS = 2_000  # of one reply
OFFLINE_ID = "offline-"  # how response ids of the offline service begin


class ReplyState:
    """One answer as it grows.

    Attributes:
        exchange: the prompt and the answer's parts, as they stand in the transcript.
        options: how the answer is made.
        provider: the service that answers.
        chat: the chat's name; None for a one-shot.
        turn: the number of the exchange in its chat, from 0.
        purpose: what it was asked for, in a word: `prompt`, `fix`, `map` …
        prices: what the cost is computed by.
        offline: whether no live service is asked.
        retries: how often requests were sent again.
        origin: where the answer comes from, in a word, if not from the service just now: `replay`, `cache`.
        response: the service's side.
        segmenter: the user's side.
        notice: what the request waits for before it goes out: a place, an upload, or the next attempt.
        lifecycle: where it runs, and that it has ended.
        first_seconds: how long it took until the first segment began.
    """

    def __init__(
        self, exchange: Exchange, options: Options, codec: Codec, *, prices: Prices | None = None, offline: bool = False
    ) -> None:
        self.exchange = exchange
        self.options = options
        self.provider = codec.name
        self.chat: str | None = None
        self.turn = 0
        self.purpose = "prompt"
        self.prices = prices or bundled_prices()
        self.offline = offline
        self.retries = 0
        self.origin = ""
        self.response = ResponseAccumulator(exchange, codec, options.model)
        self.segmenter = Segmenter()
        self.parsed: Any = None
        self.misfit = ""
        self.error: NbGeminiError | None = None
        self.notice: Queued | Retrying | Uploading | None = None
        self.lifecycle = Lifecycle()
        self.first_seconds: float | None = None
        self._began = monotonic()
        self._total: float | None = None
        self._retry_at = 0.0
        self._unshown: list[Change] = []

    def feed(self, events: list[Event]) -> list[Change]:
        """Fold events of our own and return what changed for the user."""
        changes = self.show(self.response.fold(events))
        self.exchange.state = "waiting" if self.segmenter.asks else "running"
        return changes

    def show(self, events: list[Event]) -> list[Change]:
        """Fold events for the user and return what changed."""
        changes = self.segmenter.feed(events)
        if self.first_seconds is None and self.segmenter.segments:
            self.first_seconds = self.seconds
        return changes

    def raise_fault(self) -> None:
        """Raise what is wrong with the answer so far, if anything.

        Raises:
            NbGeminiError: the service reported it inside the stream.
            WireError: nobody can be shown so many pieces.
        """
        self.response.raise_fault()
        if len(self.segmenter.segments) > MOST_SEGMENTS:
            raise WireError(f"an answer in more than {MOST_SEGMENTS:,} pieces of different kinds can't be shown → ask for less")

    def add_results(self, results: Sequence[ToolRun]) -> None:
        """Close the round with the results of its calls; those that the user has not seen are shown at the end."""
        first = self.response.answered
        seen: list[Event] = [ToolProgress(number, result) for number, result in enumerate(results, first)]
        self._unshown += self.segmenter.feed(seen)
        self.response.add_results(results)

    def start(self) -> None:
        """Leave the queue of the chat: the time counts from here."""
        self.exchange.state = "running"
        self._began = monotonic()

    def wait_for(self, notice: Queued | Retrying | Uploading) -> None:
        """Say what the request waits for before it goes out."""
        self.notice = notice
        if isinstance(notice, Retrying):
            self.retries += 1
            self._retry_at = monotonic() + notice.seconds
        elif isinstance(notice, Queued):
            self.exchange.state = "waiting"

    def begin_attempt(self) -> None:
        """Send the request; in a reply that has shown nothing, the time counts from here."""
        if isinstance(self.notice, Queued):
            self.exchange.state = "running"
            if not self.segmenter.segments:
                self._began = monotonic()
        self.notice = None
        self.response.begin_attempt()

    @property
    def seconds(self) -> float:
        """How long it has taken, or took."""
        return monotonic() - self._began if self._total is None else self._total

    @property
    def wait_left(self) -> float:
        """Seconds until the request goes out again, if it waits for that."""
        return max(0.0, self._retry_at - monotonic()) if isinstance(self.notice, Retrying) else 0.0

    @property
    def spends_nothing(self) -> bool:
        """Whether no live service answers: the offline one does, or a cassette, or a cache."""
        return self.offline or bool(self.origin) or self.response.response_id.startswith(OFFLINE_ID)

    @property
    def badge(self) -> str:
        """What marks an answer that is no service's own, now; else empty."""
        return self.origin or ("offline service" if self.spends_nothing else "")

    @property
    def usage(self) -> Usage:
        """Tokens, over all rounds."""
        return self.response.usage

    @property
    def cost(self) -> float | None:
        """What it cost in USD; None where no price is known."""
        if self.spends_nothing:
            return 0.0
        return self.prices.cost(self.response.model, self.usage) if self.usage.total else None

    def finish(self, state: State, error: NbGeminiError | None = None, note: str = "") -> list[Change]:
        """Enter the terminal state, once, and return the last changes."""
        if self.lifecycle.done:
            return []
        self.response.store_citations()
        changes = [*self._unshown, *self.segmenter.close()]
        self.exchange.parts = list(merge_text(self.exchange.parts))
        if self.options.json and state not in ("failed", "blocked"):
            self.parsed, self.misfit = read_answer(self.options, last_text(self.segmenter.segments), state)
        self.exchange.state, self.error = state, error
        self.exchange.note = str(error) if error else note
        if error and error.played:
            self.origin = self.origin or "replay"
        self._total = self.seconds
        self.exchange.facts = ExchangeStats(
            model=self.response.model,
            provider=self.provider,
            usage=self.usage,
            context=self.response.context,
            cost=None if self.spends_nothing else self.cost,
            seconds=self.seconds,
            badge=self.badge,
            format="json" if self.options.json else self.options.format,
        )
        self.lifecycle.finish()
        return changes
