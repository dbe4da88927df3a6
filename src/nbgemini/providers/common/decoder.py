"""What codecs have in common: streams of frames as events, blocks that grow under a number or a name, and stored calls.

Invariant: whatever a frame holds, decoding gives events or one WireError.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

from nbgemini.messages.events import (
    AnswerDelta,
    Done,
    Event,
    Fault,
    InlineMedia,
    PartReceived,
    ResponseInfo,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
)
from nbgemini.messages.turns import ORIGIN, Part
from nbgemini.providers.base import OVER, Decoder
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import load_frame
from nbgemini.providers.common.parts import block_part, read_part, result_part, text_or_none
from nbgemini.providers.common.thought_tags import Said, TaggedText, begins_in_thought
from nbgemini.transport.api_errors import GEMINI_KEY, error_from_data

Data: TypeAlias = dict[str, Any]


class StreamDecoder(ABC):
    """One stream."""

    key_name: ClassVar[str] = GEMINI_KEY  # the variable that holds the service's key
    most_cited: ClassVar[int] = 1_000

    def __init__(self) -> None:
        self.events: list[Event] = []  # of the frame that is being read
        self.sources = CitationBuilder(self.most_cited)  # what the answer rests on
        self._text = TaggedText()
        self._informed = False

    def feed(self, frame: bytes) -> list[Event]:
        """Return what a frame says, in its order (WireError: it is not JSON)."""
        data = load_frame(frame)
        self.events = []
        if isinstance(data, list) and data:
            data = data[0]  # errors come wrapped in an array where another framing was asked for
        if isinstance(data, dict):
            self._read(data)
        elif isinstance(data, bytes):
            self._close(whole=data != OVER)
            if data != OVER:
                self.events.append(Done())
        return self.events

    @abstractmethod
    def _read(self, data: Data) -> None:
        """Say what one object of the stream says."""

    def _close(self, *, whole: bool) -> None:  # noqa: B027 - a dialect may hold nothing back
        """Say what was held back, as nothing more comes; if the service says that this is the `whole`, calls are too."""

    def inform(self, model: Any, response_id: Any) -> None:
        """Say which model answers, once."""
        if model and not self._informed:
            self._informed = True
            self.events.append(ResponseInfo(str(model), str(response_id or "")))
            if begins_in_thought(str(model)):
                self._text.presume_thought()

    def say(self, said: Iterable[Said]) -> None:
        """Say pieces of text, each a thought or a piece of the answer."""
        for thought, text in said:
            if thought:
                self.events += [PartReceived({"text": text, "thought": True}), ThoughtDelta(text)]
            else:
                self.events += [PartReceived({"text": text}), AnswerDelta(text)]

    def keep(self, part: Part) -> None:
        """Keep a part for the next request, and say what it shows."""
        read_part(dict(part), self.events)

    def unknown(self, name: Any) -> None:
        """Count what is newer than this decoder."""
        self.events.append(Unknown(str(name)))

    def fail(self, error: Any) -> None:
        """Say what the service reports as an error."""
        said = error if isinstance(error, dict) else {"message": str(error or "")}
        self.events.append(Fault(error_from_data(0, said, key_name=self.key_name)))

    def cite(self) -> None:
        """Say what the answer rests on, if more is known than was told."""
        if news := self.sources.news():
            self.events.append(news)


class BaseCodec:
    """What codecs have in common: how streams are read, and how calls and their answers are kept."""

    name: str
    stream: ClassVar[type[StreamDecoder]]

    def decoder(self) -> Decoder:
        """Return what tells what the frames of one stream say."""
        return self.stream().feed

    def call_part(self, call: ToolCall, part: Part | None) -> Part:
        """Return the part in which a call is kept: with what `part`, the provider's own, says besides."""
        given = {**({"id": call.id} if call.id else {}), "name": call.name, "args": call.args}
        return {ORIGIN: {"provider": self.name}, **(part or {}), "functionCall": given}

    def result_part(self, call: ToolCall, response: Data, media: Sequence[InlineMedia]) -> Part:
        """Return the part that answers a call."""
        return result_part(call, response, media)


class Block:
    """A block of an answer that says nothing by itself: it is kept, unless it grew in a way that is newer than this decoder."""

    provider: ClassVar[str]

    def __init__(self, stream: StreamDecoder, key: str, start: Data) -> None:
        self.stream = stream
        self.key = key
        self.start = start
        self.is_kept = True

    def begin(self) -> None:
        """Say what is known at once."""

    def grow(self, delta: Data) -> None:
        """Take what continues the block."""
        self.is_kept = False
        self.stream.unknown(f"delta {delta.get('type')}")

    def end(self) -> None:
        """Say what is known once it is whole."""
        if self.is_kept:
            self.stream.keep(self.part())

    def part(self) -> Part:
        """Return the part that keeps it."""
        return block_part(self.provider, self.start)


class PieceBlock(Block, ABC):
    """A block that grows by pieces of text."""

    piece: ClassVar[tuple[str, str]]  # as what type and under which name each comes

    def grow(self, delta: Data) -> None:
        """Take a piece, or what else belongs to the block."""
        kind, name = self.piece
        if delta.get("type") != kind or not isinstance(text := delta.get(name), str):
            self._grow_otherwise(delta)
        elif text:
            self._add_text(text)

    @abstractmethod
    def _add_text(self, text: str) -> None:
        """Take a piece of text that says something."""

    def _grow_otherwise(self, delta: Data) -> None:
        super().grow(delta)


class CallBlock(PieceBlock):
    """A call of one of our functions, whose arguments come as pieces of JSON, of which there may be none.

    Gateways begin with the whole arguments; if pieces follow, these replace them.
    """

    arguments: ClassVar[str]  # under which name they stand at the beginning

    def begin(self) -> None:
        """Begin the call."""
        known, name = self.start.get(self.arguments), str(self.start.get("name") or "")
        self._known = known if isinstance(known, str) else json.dumps(known) if known else ""
        part = block_part(self.provider, {name: value for name, value in self.start.items() if name != self.arguments})
        self.stream.events.append(ToolCallStart(self.key, name, text_or_none(self.start.get("id")), {ORIGIN: part[ORIGIN]}))
        if self._known:
            self.stream.events.append(ToolArgsText(self.key, self._known))

    def _add_text(self, text: str) -> None:
        anew, self._known = bool(self._known), ""
        self.stream.events.append(ToolArgsText(self.key, text) if anew else ToolArgsDelta(self.key, text))

    def end(self) -> None:
        """End the call."""
        self.stream.events.append(ToolCallEnd(self.key))


class BlockDecoder(StreamDecoder):
    """One stream of blocks, which may grow side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: dict[str, Block] = {}

    @abstractmethod
    def _block_of(self, key: str, start: Data) -> Block:
        """Return the block that begins so."""

    def _begin_block(self, key: str, start: Data) -> None:
        """Begin a block."""
        self._blocks[key] = block = self._block_of(key, start)
        block.begin()

    def _end_block(self, key: str) -> None:
        """End a block, and say what it rests on."""
        if block := self._blocks.pop(key, None):
            block.end()
            self.cite()

    def _read_blocks(self, starts: Iterable[Data]) -> None:
        """Read blocks that came at once, though a stream was asked for."""
        for number, start in enumerate(starts):
            self._begin_block(str(number), start)
            self._end_block(str(number))

    def _close(self, *, whole: bool) -> None:
        for key in list(self._blocks) if whole else ():
            self._end_block(key)
