"""Events in, changes out: the one place that decides where a segment begins and ends.

Invariants (property-tested): a segment never changes kind; thought text is only ever in thought segments and answer text
only in answer segments; at most one segment is open; indexes count up from 0 in the order of the wire; the texts of the
deltas of one kind, joined, are the texts of its events, joined; a call is one segment from its first piece of arguments
on; one that is over stays as it is; raw sound in pieces is one segment.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import Struct, structs

from nbgemini.messages.citations import SourcePlaces, locate_passages
from nbgemini.messages.events import (
    AnswerDelta,
    Citations,
    CodeResult,
    Event,
    ExecutedCode,
    InlineMedia,
    ThoughtDelta,
    ToolAnswer,
    ToolCall,
    ToolCallGrowing,
    ToolProgress,
    ToolRun,
)
from nbgemini.messages.media import continues, join_sound

Kind: TypeAlias = Literal["thought", "answer", "tool_call", "image", "audio", "code", "code_result", "citations"]
Content: TypeAlias = ToolCallGrowing | ToolRun | InlineMedia | ExecutedCode | CodeResult | Citations


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


class SegmentCited(Struct, frozen=True):
    """An answer that is whole rests on sources at these places."""

    index: int
    locate_passages: SourcePlaces


Change: TypeAlias = SegmentStart | SegmentDelta | SegmentUpdate | SegmentEnd | SegmentCited


class Segment:
    """A run of one kind as it stands now: `text` for thoughts and answers, `content` for all else."""

    def __init__(self, index: int, kind: Kind, content: Content | None = None) -> None:
        self.index = index
        self.kind: Kind = kind
        self.content = content
        self.closed = False
        self.cited: SourcePlaces = ()  # where an answer names which sources, once it is whole
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
        return f"Segment({self.index}, {self.kind!r}, {self.text[:40]!r})"


_KINDS: dict[type[Content], Kind] = {
    ToolCallGrowing: "tool_call",
    ToolRun: "tool_call",
    InlineMedia: "image",
    ExecutedCode: "code",
    CodeResult: "code_result",
    Citations: "citations",
}


class Segmenter:
    """Cuts a stream of events into segments."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.runs: list[Segment] = []  # the tool calls among them, in the order in which they became whole
        self._growing: dict[str, Segment] = {}  # those that are not whole yet, by their keys
        self._numbers: dict[int, int] = {}  # of the runs, by the indexes of their segments
        self._asking: set[int] = set()  # indexes of those that wait for leave
        self._unanswered: dict[tuple[str, str | None], deque[Segment]] = {}  # by name and id
        self._citations: Citations | None = None
        self._sound: list[InlineMedia] = []  # the pieces of the open segment

    @property
    def asks(self) -> bool:
        """Whether a tool call waits for the reader's leave."""
        return bool(self._asking)

    def number_of(self, segment: Segment) -> int:
        """Return which of the runs a segment shows."""
        return self._numbers[segment.index]

    def feed(self, events: Iterable[Event]) -> list[Change]:
        """Take events in order and return what changed."""
        changes: list[Change] = []
        for event in events:
            if show := self._SHOW.get(type(event)):  # a `match` takes five times as long
                show(self, event, changes)
        return changes

    def close(self) -> list[Change]:
        """End the open segment, if there is one, and all calls, and show the citations."""
        changes: list[Change] = []
        self._end(changes)
        for segment in (*self._growing.values(), *self.runs):
            if isinstance(call := segment.content, ToolCallGrowing):
                self._update_call(structs.replace(call, state="broken"), changes)
            if isinstance(call, ToolRun):
                self._update(segment, structs.replace(call, state="stopped"), changes)
        if citations := self._citations:
            answers = [segment for segment in self.segments if segment.kind == "answer"]
            places = locate_passages(citations.passages, [segment.text for segment in answers])
            for segment, found in zip(answers, places, strict=True):
                if found:
                    segment.cited = found
                    changes.append(SegmentCited(segment.index, found))
            self._add_segment(citations, changes)
            self._citations = None
        return changes

    def _add_whole(self, content: InlineMedia | ExecutedCode | CodeResult, changes: list[Change]) -> None:
        """Show what comes whole; only raw sound comes in pieces."""
        raw = content if isinstance(content, InlineMedia) and continues(content, content) else None
        if raw and self._sound and continues(self._sound[-1], raw):
            self._sound.append(raw)
        elif raw:
            self._start("audio", raw, changes)
            self._sound = [raw]
        else:
            self._add_segment(content, changes)

    def _update_call(self, call: ToolCallGrowing, changes: list[Change]) -> None:
        """Show a call as far as it is known; its segment is free for the next one with this key once it has ended."""
        segment = self._growing.get(call.key)
        if segment is None:
            self._add_segment(call, changes)
            segment = self._growing[call.key] = self.segments[-1]
        elif segment.content != call:
            self._update(segment, call, changes)
        if call.state != "growing":
            del self._growing[call.key]

    def _complete_call(self, call: ToolCall, changes: list[Change]) -> None:
        """Show a whole call: where it grew, if it did."""
        for key, segment in self._growing.items():
            known = segment.content
            if isinstance(known, ToolCallGrowing) and (known.name, known.id) == (call.name, call.id):
                del self._growing[key]
                self._update(segment, ToolRun(call), changes)
                break
        else:
            self._add_segment(ToolRun(call), changes)
            segment = self.segments[-1]
        self._numbers[segment.index] = len(self.runs)
        self.runs.append(segment)
        self._unanswered.setdefault((call.name, call.id), deque()).append(segment)

    def _answer_call(self, event: ToolAnswer, changes: list[Change]) -> None:
        """Give a stored answer to the first call that it fits and that has none."""
        waiting = self._unanswered.get((event.name, event.id))
        while waiting:
            segment = waiting.popleft()
            if isinstance(segment.content, ToolRun) and not segment.content.over:
                self._update(segment, event.of(segment.content.call), changes)
                return

    def _update(self, segment: Segment, call: ToolCallGrowing | ToolRun, changes: list[Change]) -> None:
        """Show how far a call is; one that is over stays as it is."""
        if isinstance(segment.content, ToolRun) and segment.content.over:
            return
        segment.content = call
        if call.state == "asking":
            self._asking.add(segment.index)
        else:
            self._asking.discard(segment.index)
        changes.append(SegmentUpdate(segment.index, call))

    def _append(self, kind: Kind, text: str, changes: list[Change]) -> None:
        if not text:
            return
        segments = self.segments
        if not segments or segments[-1].closed or segments[-1].kind != kind:
            self._start(kind, None, changes)
        segments[-1].append(text)
        changes.append(SegmentDelta(len(segments) - 1, text))

    def _add_segment(self, content: Content, changes: list[Change]) -> None:
        sound = isinstance(content, InlineMedia) and content.mime.startswith("audio/")
        self._start("audio" if sound else _KINDS[type(content)], content, changes)
        self._end(changes)

    def _start(self, kind: Kind, content: Content | None, changes: list[Change]) -> None:
        self._end(changes)
        segment = Segment(len(self.segments), kind, content)
        self.segments.append(segment)
        changes.append(SegmentStart(segment.index, kind, content))

    def _end(self, changes: list[Change]) -> None:
        if self.segments and not self.segments[-1].closed:
            if len(self._sound) > 1:
                self.segments[-1].content = join_sound(*self._sound)
            self._sound = []
            self.segments[-1].closed = True
            changes.append(SegmentEnd(self.segments[-1].index))

    _SHOW: ClassVar[dict[type[Event], Callable[[Segmenter, Any, list[Change]], None]]] = {  # all other events show nothing
        AnswerDelta: lambda self, event, changes: self._append("answer", event.text, changes),
        ThoughtDelta: lambda self, event, changes: self._append("thought", event.text, changes),
        ToolCallGrowing: _update_call,
        ToolCall: _complete_call,
        ToolProgress: lambda self, event, changes: self._update(self.runs[event.number], event.run, changes),
        ToolAnswer: _answer_call,
        **dict.fromkeys((InlineMedia, ExecutedCode, CodeResult), _add_whole),
        # Repeated and growing on every chunk of some models: shown once, last.
        Citations: lambda self, event, _: setattr(self, "_citations", event),
    }


def last_text(segments: Sequence[Segment]) -> str:
    """Return the answer behind the last tool call: what was said before is no part of an object."""
    calls = [segment.index for segment in segments if segment.kind == "tool_call"]
    last = calls[-1] if calls else -1
    return "".join(segment.text for segment in segments[last + 1 :] if segment.kind == "answer")


_FENCE = re.compile(
    r"^(?P<indent>[ ]{0,3})(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)\n(?P<code>.*?)(?:^[ ]{0,3}(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)


def code_of(text: str, *, bare: bool = False) -> str:
    """Return the code of all blocks, a blank line between them; `bare`: a text without any fence is code itself."""
    text = text.replace("\r\n", "\n")
    blocks: list[str] = []
    for found in _FENCE.finditer(text):
        spaces = len(found["indent"])
        blocks.append(re.sub(rf"^ {{1,{spaces}}}", "", found["code"], flags=re.MULTILINE) if spaces else found["code"])
    if not blocks and bare:
        return text.strip("\n")
    return "\n\n".join(block.strip("\n") for block in blocks if block.strip())
