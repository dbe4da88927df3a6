"""Events in, changes out: the one place that decides where a segment begins and ends.

Invariants (property-tested): a segment never changes kind; thought text is only ever in thought segments and answer text
only in answer segments; at most one segment is open; indexes count up from 0 in the order of the wire; the texts of the
deltas of one kind, joined, are the texts of its events, joined; a tool call that is over stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from nbgemini.events import (
    AnswerDelta,
    Citations,
    Code,
    CodeResult,
    Event,
    Media,
    ThoughtDelta,
    ToolAnswer,
    ToolCall,
    ToolProgress,
    ToolRun,
)

Kind: TypeAlias = Literal["thought", "answer", "tool_call", "image", "audio", "code", "code_result", "citations"]
Content: TypeAlias = ToolRun | Media | Code | CodeResult | Citations


class SegmentStart(Struct, frozen=True):
    """A segment begins; `content` is there at once for everything that is not streamed text."""

    index: int
    kind: Kind
    content: Content | None = None


class SegmentDelta(Struct, frozen=True):
    """Text is appended to the open segment."""

    index: int
    text: str


class SegmentEnd(Struct, frozen=True):
    """The segment is whole; nothing will be appended to it."""

    index: int


class SegmentUpdate(Struct, frozen=True):
    """What a segment that is no text holds has changed: a tool call is further than it was."""

    index: int
    content: Content


Change: TypeAlias = SegmentStart | SegmentDelta | SegmentUpdate | SegmentEnd


class Segment:
    """A run of one kind as it stands now: `text` for thoughts and answers, `content` for all else."""

    def __init__(self, index: int, kind: Kind, content: Content | None = None) -> None:
        """Begin an empty segment."""
        self.index = index
        self.kind: Kind = kind
        self.content = content
        self.closed = False
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """The text so far. Joined on demand, so that appending stays cheap however long it grows."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def append(self, text: str) -> None:
        """Add text at the end."""
        self._pieces.append(text)

    def __repr__(self) -> str:
        """Show kind and the beginning of the text."""
        return f"Segment({self.index}, {self.kind!r}, {self.text[:40]!r})"


class Segmenter:
    """Cuts a stream of events into segments."""

    def __init__(self) -> None:
        """Start with no segment."""
        self.segments: list[Segment] = []
        self._runs: list[Segment] = []  # the tool calls among them
        self._citations: Citations | None = None

    @property
    def asks(self) -> bool:
        """Whether a tool call waits for the reader's leave."""
        return any(isinstance(segment.content, ToolRun) and segment.content.state == "asking" for segment in self._runs)

    def feed(self, events: Iterable[Event]) -> list[Change]:
        """Take events in order and return what changed."""
        changes: list[Change] = []
        for event in events:
            match event:
                case ThoughtDelta(text) if text:
                    self._append("thought", text, changes)
                case AnswerDelta(text) if text:
                    self._append("answer", text, changes)
                case ToolCall():
                    self._whole(ToolRun(event), changes)
                    self._runs.append(self.segments[-1])
                case ToolProgress(number, run):
                    self._update(self._runs[number], run, changes)
                case ToolAnswer():
                    self._answered(event, changes)
                case Media() | Code() | CodeResult():
                    self._whole(event, changes)
                case Citations():
                    self._citations = event  # repeated and growing on every chunk of some models: shown once, last
        return changes

    def close(self) -> list[Change]:
        """End the open segment, if there is one, stop the calls that run, and show the citations."""
        changes: list[Change] = []
        self._end(changes)
        for segment in self._runs:
            if isinstance(segment.content, ToolRun):
                self._update(segment, structs.replace(segment.content, state="stopped"), changes)
        if self._citations:
            self._whole(self._citations, changes)
            self._citations = None
        return changes

    def _answered(self, event: ToolAnswer, changes: list[Change]) -> None:
        """Give a stored answer to the first call that it fits and that has none."""
        for segment in self._runs:
            run = segment.content
            if isinstance(run, ToolRun) and not run.over and (run.call.name, run.call.id) == (event.name, event.id):
                state = "failed" if event.response.keys() == {"error"} else "done"
                self._update(segment, structs.replace(run, state=state, response=event.response), changes)
                return

    def _update(self, segment: Segment, run: ToolRun, changes: list[Change]) -> None:
        """Show how far a call is; one that is over stays as it is."""
        if isinstance(segment.content, ToolRun) and segment.content.over:
            return
        segment.content = run
        changes.append(SegmentUpdate(segment.index, run))

    def _append(self, kind: Kind, text: str, changes: list[Change]) -> None:
        segments = self.segments
        if not segments or segments[-1].closed or segments[-1].kind != kind:
            self._start(kind, None, changes)
        segments[-1].append(text)
        changes.append(SegmentDelta(len(segments) - 1, text))

    def _whole(self, content: Content, changes: list[Change]) -> None:
        self._start(_kind(content), content, changes)
        self._end(changes)

    def _start(self, kind: Kind, content: Content | None, changes: list[Change]) -> None:
        self._end(changes)
        segment = Segment(len(self.segments), kind, content)
        self.segments.append(segment)
        changes.append(SegmentStart(segment.index, kind, content))

    def _end(self, changes: list[Change]) -> None:
        if self.segments and not self.segments[-1].closed:
            self.segments[-1].closed = True
            changes.append(SegmentEnd(self.segments[-1].index))


def _kind(content: Content) -> Kind:
    match content:
        case ToolRun():
            return "tool_call"
        case Media(mime):
            return "audio" if mime.startswith("audio/") else "image"
        case Code():
            return "code"
        case CodeResult():
            return "code_result"
        case Citations():
            return "citations"
