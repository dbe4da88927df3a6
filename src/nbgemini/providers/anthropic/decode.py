"""Anthropic's frames as events, and its other answers as values.

Invariants: blocks may grow side by side; whatever a frame holds, decoding gives events or one WireError.
Source: platform.claude.com, streaming messages; the event types of anthropic 2.12.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import (
    WHOLE,
    Continuation,
    Done,
    Event,
    Fault,
    Finish,
    PartReceived,
    ResponseInfo,
    Unknown,
    UsageReport,
)
from nbgemini.messages.turns import ORIGIN, Usage
from nbgemini.providers.anthropic.blocks import BLOCKS, NAME, CitationReader, ContentBlock, Data, UnknownBlock
from nbgemini.providers.base import ONWARD
from nbgemini.providers.common.json import as_count, dicts, end_state, load_frame
from nbgemini.transport.api_errors import error_from_data, error_in
from nbgemini.transport.framing import DONE

KEY = "ANTHROPIC_API_KEY"

_FIELDS = {
    "message_start": {"type", "message"},
    "content_block_start": {"type", "index", "content_block"},
    "content_block_delta": {"type", "index", "delta"},
    "content_block_stop": {"type", "index"},
    "message_delta": {"type", "delta", "usage", "context_management"},
    "message_stop": {"type"},
    "ping": {"type"},
}


class MessagesDecoder:
    """What the frames of one stream have said so far."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._blocks: dict[str, ContentBlock] = {}
        self._sources = CitationReader()
        self._usage: Data = {}

    def feed(self, frame: bytes) -> list[Event]:
        """Return what a frame says, in its order.

        Raises:
            WireError: the frame is not JSON.
        """
        data = load_frame(frame)
        if not isinstance(data, dict):
            return [*self._close(), Done()] if data == DONE else []
        return [*self._said(data), *_newer(data)]

    def _said(self, data: Data) -> Iterable[Event]:
        match data:
            case {"type": "message_start", "message": dict(message)}:
                return self._begin(message)
            case {"type": "content_block_start", "content_block": dict(start)}:
                return self._start(str(data.get("index")), start)
            case {"type": "content_block_delta" | "content_block_stop"}:
                return self._go_on(str(data.get("index")), data.get("delta"))
            case {"type": "message_delta"}:
                return self._end(data)
        return self._said_seldom(data)

    def _said_seldom(self, data: Data) -> Iterable[Event]:
        match data:
            case {"type": "message_stop"}:
                return [*self._close(), Done()]
            case {"type": "message", "content": list() | str()} | {"role": "assistant", "content": list() | str()}:
                return self._whole(data)
        error = error_in(data, bare=str(data.get("type")) not in _FIELDS)
        return (Fault(error_from_data(0, error, key_name=KEY)),) if error else ()

    def _begin(self, message: Data) -> Iterable[Event]:
        yield ResponseInfo(str(message.get("model") or ""), str(message.get("id") or ""))
        yield from self._count(message.get("usage"))
        yield from _contained(message)

    def _whole(self, message: Data) -> Iterable[Event]:
        """Read a message that came at once, though a stream was asked for."""
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        yield from self._begin(message)
        for number, block in enumerate(dicts(blocks)):
            yield from self._start(str(number), block)
            yield from self._go_on(str(number), None)
        reason = message.get("stop_reason")
        yield from _finish(str(reason), message.get("stop_details")) if reason else (WHOLE,)

    def _close(self) -> Iterable[Event]:
        """End the blocks whose ends did not come, as the message has ended."""
        blocks, self._blocks = self._blocks, {}
        return [event for block in blocks.values() for event in block.end()]

    def _start(self, key: str, start: Data) -> Iterable[Event]:
        kind = BLOCKS.get(str(start.get("type")), UnknownBlock)
        self._blocks[key] = block = kind(key, start, self._sources)
        return block.begin()

    def _go_on(self, key: str, delta: Any) -> Iterable[Event]:
        """Continue a block, or end it where nothing continues it."""
        block = self._blocks.get(key)
        if block is None:
            return (Unknown("delta of no block"),)
        if isinstance(delta, dict):
            return block.grow(delta)
        del self._blocks[key]
        return block.end()

    def _end(self, data: Data) -> Iterable[Event]:
        delta = data.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        yield from self._count(data.get("usage"))
        yield from _contained(delta)
        if reason := delta.get("stop_reason"):
            yield from _finish(str(reason), delta.get("stop_details"))

    def _count(self, usage: Any) -> Iterable[Event]:
        """Take counts: what comes later replaces what came before, as far as it names it; no count becomes 0 again."""
        if not isinstance(usage, dict):
            return
        known = self._usage
        self._usage |= {name: value for name, value in usage.items() if value or (value is not None and not known.get(name))}
        yield UsageReport(_usage(self._usage))


def _newer(data: Data) -> Iterable[Event]:
    """Return what is newer than this decoder in a frame: its kind, or names in it."""
    kind = str(data.get("type"))
    if "error" in data or kind == "message" or "content" in data or (kind not in _FIELDS and error_in(data, bare=True)):
        return ()
    if kind not in _FIELDS:
        return (Unknown(f"event {kind}"),)
    return [Unknown(name) for name in data.keys() - _FIELDS[kind]]


def _contained(said: Data) -> Iterable[Event]:
    """Keep where code runs, for the next round."""
    container = said.get("container")
    if isinstance(container, dict) and container.get("id"):
        yield PartReceived({"text": "", ORIGIN: {"provider": NAME, "container": str(container["id"])}})


def _finish(reason: str, details: Any) -> Iterable[Event]:
    details = details if isinstance(details, dict) else {}
    if reason == "refusal":
        said = (details.get(name) for name in ("category", "explanation"))
        return (Finish("blocked", reason, "; ".join(str(word) for word in said if word)),)
    if reason == "pause_turn":  # it goes on once it gets back what it has said
        return (Finish("complete", "CONTINUATION"), Continuation(ONWARD))
    return (Finish(end_state(reason) or "truncated", reason),)


def _usage(counts: Data) -> Usage:
    details = counts.get("output_tokens_details")
    cached = as_count(counts.get("cache_read_input_tokens"))
    asked = as_count(counts.get("input_tokens")) + as_count(counts.get("cache_creation_input_tokens")) + cached
    said = as_count(counts.get("output_tokens"))
    thought = as_count(details.get("thinking_tokens")) if isinstance(details, dict) else 0
    answered = said - thought if thought <= said else said  # some count thinking beside the output
    return Usage(asked, thought, answered, cached, 0, asked + thought + answered)
