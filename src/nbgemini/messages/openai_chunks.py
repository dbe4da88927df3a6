"""The events of a stream as the chunks that OpenAI's clients hand out, for code that expects these.

Invariants: what was thought is never in `content`; a call is told of as soon as it is known, and its arguments, which may be
replaced while they grow, once they are whole: the fragments of a call, joined, are its arguments and nothing else.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from nbgemini.messages.events import (
    AnswerDelta,
    Continuation,
    Event,
    Finish,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsPiece,
    ToolArgsText,
    ToolCall,
    ToolCallEnd,
    ToolCallGrowing,
    ToolCallStart,
    ToolProgress,
    UsageReport,
)
from nbgemini.messages.tool_call_assembler import ToolCallAssembler
from nbgemini.messages.turns import Usage

_REASONS = {"complete": "stop", "truncated": "length", "blocked": "content_filter"}


async def openai_chunks(events: AsyncGenerator[Event, None], *, model: str) -> AsyncGenerator[dict[str, Any], None]:
    """Convert a stream to dicts of the shape `chat.completion.chunk`; closing it closes the stream.

    Thoughts are in `reasoning_content`, as with DeepSeek and vLLM. Tool calls that the chat runs are included; the last
    `finish_reason` is `tool_calls` only if a call was left unanswered. The last chunk has the usage and no choices.

    Args:
        events: the events of `chat.stream(...)`.
        model: the model name for the chunks.

    Raises:
        NbGeminiError: the reply failed or was blocked.
    """
    chunks = _Chunks(model)
    async with aclosing(events) as stream:
        yield chunks.chunk({"role": "assistant", "content": ""})
        async for event in stream:
            for delta in chunks.read(event):
                yield chunks.chunk(delta)
    yield chunks.chunk({}, chunks.reason)
    yield chunks.last()


class _Chunks:
    """The chunks of one stream."""

    def __init__(self, model: str) -> None:
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._finish: Finish | None = None
        self._calls = _Calls()
        self._usage = Usage()
        self._earlier_rounds = Usage()

    @property
    def reason(self) -> str:
        """The `finish_reason` by what came so far."""
        state = self._finish.state if self._finish else "truncated"
        return "tool_calls" if state == "complete" and self._calls.waiting else _REASONS[state]

    def chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    def last(self) -> dict[str, Any]:
        """Return the chunk that counts the tokens."""
        usage = self._earlier_rounds + self._usage
        counted = {
            "prompt_tokens": usage.input + usage.tool,
            "completion_tokens": usage.thought + usage.output,
            "total_tokens": usage.total,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
            "completion_tokens_details": {"reasoning_tokens": usage.thought},
        }
        return {**self._head, "choices": [], "usage": counted}

    def read(self, event: Event) -> Iterator[dict[str, Any]]:
        """Yield the deltas that an event means."""
        match event:
            case AnswerDelta(text):
                yield {"content": text}
            case ThoughtDelta(text):
                yield {"reasoning_content": text}
            case UsageReport(usage):
                self._usage = usage
            case Finish():
                self._finish = event
            case ToolProgress() | Continuation():
                self._earlier_rounds, self._usage = self._earlier_rounds + self._usage, Usage()
        for call in self._calls.read(event):
            yield {"tool_calls": [call]}


class _Calls:
    """The calls of one stream, numbered in the order in which they became known."""

    def __init__(self) -> None:
        self.waiting = 0  # how many are whole and not answered
        self._count = 0
        self._growing = ToolCallAssembler()
        self._open: dict[str, tuple[int, str, str | None]] = {}  # by key: number, name and id of those that are not whole

    def read(self, event: Event) -> Iterator[dict[str, Any]]:
        """Yield the fragments of calls that an event means; both what codecs say of calls and what chats do is understood."""
        match event:
            case ToolCallStart() | ToolArgsDelta() | ToolArgsText() | ToolArgsPiece() | ToolCallEnd():
                for news in self._growing.feed(event):
                    yield from self.read(news)
            case ToolCallGrowing():
                if event.key not in self._open:
                    self._open[event.key] = self._count, event.name, event.id
                    yield self._begin(event.name, event.id)
                if event.over:  # it never becomes a call: its arguments are what came of them
                    yield _fragment(self._open.pop(event.key)[0], event.text)
            case ToolCall():
                yield from self._complete(event)
            case ToolProgress(_, run) if run.over:
                self.waiting -= 1
            case Finish():
                self._growing = ToolCallAssembler()  # a later round may make the same call

    def _complete(self, call: ToolCall) -> Iterator[dict[str, Any]]:
        known = (key for key, (_, name, id_) in self._open.items() if (name, id_) == (call.name, call.id))
        key = next(known, None)
        number = self._count if key is None else self._open.pop(key)[0]
        if key is None:
            yield self._begin(call.name, call.id)
        self.waiting += 1
        yield _fragment(number, json.dumps(call.args, ensure_ascii=False))

    def _begin(self, name: str, call_id: str | None) -> dict[str, Any]:
        number, self._count = self._count, self._count + 1
        made = call_id or f"call_{uuid.uuid4().hex[:24]}"
        return {"index": number, "id": made, "type": "function", "function": {"name": name, "arguments": ""}}


def _fragment(number: int, arguments: str) -> dict[str, Any]:
    return {"index": number, "function": {"arguments": arguments}}
