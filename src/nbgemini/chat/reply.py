"""What users hold of one prompt: a handle to wait for the answer or stop it, and all that has come of it.

Invariants: nothing here writes; a value that is complete only at the end is never read before it, except by `so_far`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar

from nbgemini._async.handle import StreamHandle, complete
from nbgemini._async.readers import current_reader
from nbgemini.chat.state import ReplyState
from nbgemini.chat.structured_output import value_so_far
from nbgemini.errors import NbGeminiError
from nbgemini.messages.events import Citations, InlineMedia, Queued, Retrying, ToolCall, ToolRun, Uploading
from nbgemini.messages.media import MediaFile, media_file
from nbgemini.messages.segments import Segment, code_of, last_text
from nbgemini.messages.transcript import Exchange, State
from nbgemini.messages.turns import Options, Usage

_SHOWN = 60  # characters of the answer


class SoFar:
    """The values of a reply as far as it has arrived; reading them never waits."""

    def __init__(self, state: ReplyState) -> None:
        self._state = state

    @property
    def segments(self) -> list[Segment]:
        """All segments (thoughts, answers, tool calls, images …) in the order in which they arrived."""
        return self._state.segmenter.segments

    @property
    def text(self) -> str:
        """The text of the answer, without thoughts."""
        return "".join(segment.text for segment in self.segments if segment.kind == "answer")

    @property
    def thoughts(self) -> str:
        """The text of the thoughts."""
        return "".join(segment.text for segment in self.segments if segment.kind == "thought")

    @property
    def code(self) -> str:
        """The code blocks of the answer, joined by blank lines."""
        return code_of(self.text, bare=self._state.options.format == "code")

    @property
    def parsed(self) -> Any:
        """The structured output, an object of the type `schema` or any JSON value; None if the answer does not match."""
        return self._state.parsed

    @property
    def misfit(self) -> str:
        """Why the answer does not match the schema, and what to do, in one line; empty if it matches."""
        return self._state.misfit

    @property
    def partial(self) -> Any:
        """The JSON value as far as it has arrived, not validated; None before it begins."""
        return value_so_far(last_text(self.segments))

    @property
    def error(self) -> NbGeminiError | None:
        """Why the reply failed, was blocked or cut off; None otherwise."""
        return self._state.error

    @property
    def media(self) -> list[MediaFile]:
        """All images, sounds and other files from the model, drafts included, in order."""
        return [media_file(segment.content) for segment in self.segments if isinstance(segment.content, InlineMedia)]

    @property
    def images(self) -> list[MediaFile]:
        """The images of the answer, without drafts."""
        return [one for one in self.media if one.mime.startswith("image/") and not one.thought]

    @property
    def audio(self) -> list[MediaFile]:
        """The sounds of the answer; raw audio as WAV."""
        return [one for one in self.media if one.mime.startswith("audio/") and not one.thought]

    @property
    def citations(self) -> Citations:
        """The citations, with sources, the passages that rest on them, search queries, and pages that were read."""
        return self._state.response.citations

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the model, in order."""
        return [segment.content.call for segment in self._state.segmenter.runs if isinstance(segment.content, ToolRun)]

    @property
    def usage(self) -> Usage:
        """Token counts of all rounds."""
        return self._state.usage

    @property
    def context(self) -> int:
        """Tokens in the context window, which holds the chat so far with this prompt and its answer."""
        return self._state.response.context

    @property
    def cost(self) -> float | None:
        """Cost in US dollars; 0 if no live service answered, None if no price is known."""
        return self._state.cost

    @property
    def finish_reason(self) -> str | None:
        """The stop reason that the service gave."""
        finish = self._state.response.finish
        return finish.reason if finish else None

    @property
    def badge(self) -> str:
        """Label of an answer that is not live, such as `offline service` or `replay`; else empty."""
        return self._state.badge

    @property
    def played(self) -> str:
        """`replay` if the answer came from a cassette, `cache` if it came from the cache; else empty."""
        return self._state.origin

    @property
    def offline(self) -> bool:
        """Whether no live service answered, but the offline service, a cassette or the cache; then it cost nothing."""
        return self._state.spends_nothing


class CompleteAnswer(StreamHandle):
    """The values of a reply that are complete only at its end; reading one waits for the end.

    Attributes:
        so_far: the same values as far as the reply has arrived; reading them never waits.
    """

    def __init__(self, state: ReplyState) -> None:
        super().__init__(state.lifecycle)
        self.so_far = SoFar(state)

    segments = complete(SoFar.segments)
    text = complete(SoFar.text)
    thoughts = complete(SoFar.thoughts)
    code = complete(SoFar.code)
    parsed = complete(SoFar.parsed)
    misfit = complete(SoFar.misfit)
    error = complete(SoFar.error)
    media = complete(SoFar.media)
    images = complete(SoFar.images)
    audio = complete(SoFar.audio)
    citations = complete(SoFar.citations)
    tool_calls = complete(SoFar.tool_calls)
    usage = complete(SoFar.usage)
    context = complete(SoFar.context)
    cost = complete(SoFar.cost)
    finish_reason = complete(SoFar.finish_reason)
    badge = complete(SoFar.badge)
    played = complete(SoFar.played)
    offline = complete(SoFar.offline)

    def __str__(self) -> str:
        """Return the answer; a tool that only looks gets what `repr` says."""
        return repr(self) if not self.done and current_reader() == "looks" else self.text

    def __format__(self, spec: str) -> str:
        """Return the answer in a format of text."""
        return format(str(self), spec)


class Reply(CompleteAnswer):
    """The reply to one prompt: await it for the complete answer.

    Attributes:
        window: size of the model's context window in tokens; None if unknown.
    """

    page: ClassVar[Callable[[Reply], dict[str, str]] | None] = None  # set by the module that renders replies

    def __init__(self, state: ReplyState) -> None:
        super().__init__(state)
        self._state = state
        self.window: int | None = None

    @property
    def chat(self) -> str | None:
        """Name of the chat; None without history."""
        return self._state.chat

    @property
    def turn(self) -> int:
        """The number of the exchange in its chat, from 0."""
        return self._state.turn

    @property
    def exchange(self) -> Exchange:
        """The prompt and the answer's parts, as they stand in the transcript."""
        return self._state.exchange

    @property
    def options(self) -> Options:
        """The options of the request."""
        return self._state.options

    @property
    def provider(self) -> str:
        """The name of the service, such as `gemini` or `openai`."""
        return self._state.provider

    @property
    def purpose(self) -> str:
        """What it was asked for, in a word, such as `prompt`, `fix` or `map`."""
        return self._state.purpose

    @property
    def state(self) -> State:
        """`waiting` or `running`, then exactly one of `complete`, `truncated`, `interrupted`, `blocked`, `failed`."""
        return self._state.exchange.state

    @property
    def model(self) -> str:
        """The model that answers; before its first response, the one that was asked."""
        return self._state.response.model

    @property
    def partial(self) -> Any:
        """The JSON value as far as it has arrived, not validated; None before it begins."""
        return self.so_far.partial

    @property
    def notice(self) -> Queued | Retrying | Uploading | None:
        """What the request waits for before it is sent (its turn, an upload, a retry); None once it is sent."""
        return self._state.notice

    @property
    def wait_left(self) -> float:
        """Seconds until the request goes out again, if it waits for that."""
        return self._state.wait_left

    @property
    def retries(self) -> int:
        """How many retries there were."""
        return self._state.retries

    @property
    def seconds(self) -> float:
        """Duration so far, or in total, in seconds."""
        return self._state.seconds

    @property
    def first_seconds(self) -> float | None:
        """Time to first token, in seconds; None before that."""
        return self._state.first_seconds

    def number_of(self, segment: Segment) -> int:
        """Return which of `tool_calls` a segment shows."""
        return self._state.segmenter.number_of(segment)

    def __await__(self) -> Generator[Any, None, Reply]:
        """Wait for the end and return the reply.

        Raises:
            NbGeminiError: the reply failed or was blocked; `error.reply` holds what had arrived.
        """
        yield from self.ended().__await__()
        return self._checked()

    def result(self, timeout: float | None = None) -> Reply:
        """Wait for the end, in code that is not async, and return the reply; the event loop keeps running.

        Raises:
            TimeoutError: it took longer than `timeout` seconds; the reply keeps streaming.
            ConfigurationError: the event loop is uvloop, which can't be entered again.
            NbGeminiError: the reply failed or was blocked.
        """
        self.wait(timeout)
        return self._checked()

    def _checked(self) -> Reply:
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
