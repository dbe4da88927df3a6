"""Anthropic's frames as events: the blocks of an answer as they grow, and what frames say of the whole message.

Invariants: whatever must go back as it came is kept, whole, under the part's origin once its block has ended.
Source: platform.claude.com, streaming messages; the event types of anthropic 2.12.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import WHOLE, Continuation, Done, Finish, PartReceived, UsageReport
from nbgemini.messages.turns import ORIGIN, Part, Usage
from nbgemini.providers.base import ONWARD
from nbgemini.providers.common.decoder import Block, BlockDecoder, CallBlock, Data, PieceBlock
from nbgemini.providers.common.json import as_count, as_dict, as_list, dicts, end_state
from nbgemini.providers.common.parts import block_part
from nbgemini.providers.common.thought_tags import Said, TaggedText
from nbgemini.transport.api_errors import error_in

NAME = "anthropic"
KEY = "ANTHROPIC_API_KEY"

_OK, _FAILED, _LATE = "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"
_FIELDS = {
    "message_start": {"type", "message"},
    "content_block_start": {"type", "index", "content_block"},
    "content_block_delta": {"type", "index", "delta"},
    "content_block_stop": {"type", "index"},
    "message_delta": {"type", "delta", "usage", "context_management"},
    "message_stop": {"type"},
    "ping": {"type"},
}


class _Block(Block):
    """A block of this service's, kept as it came."""

    provider = NAME
    stream: MessagesDecoder


class _UnknownBlock(_Block):
    """A block that is newer than this decoder."""

    def begin(self) -> None:
        self.stream.unknown(f"block {self.start.get('type')}")


class _TextBlock(PieceBlock, _Block):
    """A piece of the answer, perhaps with what it rests on."""

    piece = "text_delta", "text"

    def begin(self) -> None:
        self._texts: list[str] = []  # as they came,
        self._answer: list[str] = []  # and without the thoughts that other servers leave in them, between tags
        self._tagged = TaggedText()
        self._citations = list(as_list(self.start.get("citations")))
        if isinstance(text := self.start.get("text"), str) and text:
            self._add_text(text)

    def _grow_otherwise(self, delta: Data) -> None:
        match delta:
            case {"type": "citations_delta", "citation": dict(citation)}:
                self._citations.append(citation)
            case _:
                super()._grow_otherwise(delta)

    def _add_text(self, text: str) -> None:
        self._texts.append(text)
        self._say(((False, text),) if self._tagged.plain else self._tagged.take(text))

    def _say(self, said: Iterable[Said]) -> None:
        for thought, text in said:
            self._answer += [] if thought else [text]
            self.stream.say(((thought, text),))

    def end(self) -> None:
        self._say(self._tagged.end())
        text = "".join(self._answer)
        if self._citations:
            block = {**self.start, "text": "".join(self._texts), "citations": self._citations}
            self.stream.keep(block_part(NAME, block))
        self.stream.add_passage(text, dicts(self._citations))


class _ThinkingBlock(PieceBlock, _Block):
    """A thought; it is signed at its end, and goes back only so."""

    piece = "thinking_delta", "thinking"

    def begin(self) -> None:
        self._texts: list[str] = []
        self._signature = str(self.start.get("signature") or "")
        if isinstance(text := self.start.get("thinking"), str) and text:
            self._add_text(text)

    def _grow_otherwise(self, delta: Data) -> None:
        match delta:
            case {"type": "signature_delta", "signature": str(signature)}:
                self._signature = signature
            case _:
                super()._grow_otherwise(delta)

    def _add_text(self, text: str) -> None:
        self._texts.append(text)
        self.stream.say(((True, text),))

    def end(self) -> None:
        if self._signature:
            block = {**self.start, "thinking": "".join(self._texts), "signature": self._signature}
            part = block_part(NAME, block, text="", thought=True, thoughtSignature=self._signature)
            self.stream.events.append(PartReceived(part))


class _RedactedBlock(_Block):
    """A thought that nobody may read, kept as one that is signed."""

    def part(self) -> Part:
        return block_part(NAME, self.start, text="", thought=True, thoughtSignature=str(self.start.get("data") or ""))


class _CallBlock(CallBlock, _Block):
    arguments = "input"
    piece = "input_json_delta", "partial_json"


class _UseBlock(PieceBlock, _Block):
    """A use of one of the service's own tools: what is run, searched or read."""

    piece = "input_json_delta", "partial_json"

    def begin(self) -> None:
        self._texts: list[str] = []

    def _add_text(self, text: str) -> None:
        self._texts.append(text)

    def end(self) -> None:
        asked = _object("".join(self._texts)) or as_dict(self.start.get("input"))
        block, name = {**self.start, "input": asked}, self.start.get("name")
        code = _executed_code(str(name), asked)
        self.stream.keep(block_part(NAME, block, executableCode=code) if code else block_part(NAME, block))
        if name == "web_search":
            self.stream.sources.add_query(str(asked.get("query") or ""))
        if name == "web_fetch":
            self.stream.addresses[str(block.get("id"))] = str(asked.get("url") or "")


class _OutputBlock(_Block):
    """What code of the model's printed."""

    def part(self) -> Part:
        result = as_dict(self.start.get("content"))
        late = result.get("error_code") == "execution_time_exceeded"
        ok = "error_code" not in result and result.get("return_code") in (None, 0)
        outcome = _LATE if late else _OK if ok else _FAILED
        said = (result.get(name) for name in ("stdout", "stderr", "content", "error_code"))
        output = "\n".join(text for text in said if isinstance(text, str) and text)
        return block_part(NAME, self.start, codeExecutionResult={"outcome": outcome, "output": output})


class _PageBlock(_Block):
    """What came of reading a page."""

    def end(self) -> None:
        super().end()
        if isinstance(content := self.start.get("content"), dict):
            address = str(content.get("url") or self.stream.addresses.get(str(self.start.get("tool_use_id")), ""))
            self.stream.sources.add_page(address, str(content.get("error_code") or "").replace("_", " "))


_BLOCKS: dict[str, type[_Block]] = {
    "text": _TextBlock,
    "thinking": _ThinkingBlock,
    "redacted_thinking": _RedactedBlock,
    "tool_use": _CallBlock,
    "server_tool_use": _UseBlock,
    "web_search_tool_result": _Block,
    "web_fetch_tool_result": _PageBlock,
    "code_execution_tool_result": _OutputBlock,
    "bash_code_execution_tool_result": _OutputBlock,
    "text_editor_code_execution_tool_result": _OutputBlock,
    "tool_search_tool_result": _Block,
    "container_upload": _Block,
}


def _executed_code(tool: str, asked: Data) -> Data | None:
    """Return what one of the service's tools for code runs; None for another tool."""
    match tool:
        case "code_execution":
            return {"language": "PYTHON", "code": str(asked.get("code") or "")}
        case "bash_code_execution":
            return {"language": "BASH", "code": str(asked.get("command") or "")}
        case "text_editor_code_execution":
            head = " ".join(str(asked[name]) for name in ("command", "path") if asked.get(name))
            return {"language": "TEXT", "code": "\n".join(str(text) for text in (head, asked.get("file_text")) if text)}
    return None


def _object(text: str) -> Data:
    try:
        return as_dict(json.loads(text))
    except (ValueError, RecursionError):
        return {}


class MessagesDecoder(BlockDecoder):
    """One stream.

    Attributes:
        addresses: the pages that are to be read, by the ids of the uses.
    """

    key_name = KEY

    def __init__(self) -> None:
        super().__init__()
        self.addresses: dict[str, str] = {}
        self._bytes = 0  # of the answer so far
        self._usage: Data = {}

    def _read(self, data: Data) -> None:
        match data:
            case {"type": "message_start", "message": dict(message)}:
                self._begin(message)
            case {"type": "content_block_start", "content_block": dict(start)}:
                self._begin_block(str(data.get("index")), start)
            case {"type": "content_block_delta" | "content_block_stop"}:
                self._go_on(str(data.get("index")), data.get("delta"))
            case {"type": "message_delta"}:
                delta = as_dict(data.get("delta"))
                self._count(data.get("usage"))
                self._keep_container(delta)
                self._finish(delta)
            case {"type": "message_stop"}:
                self._close(whole=True)
                self.events.append(Done())
            case {"type": "message", "content": list() | str()} | {"role": "assistant", "content": list() | str()}:
                self._read_whole(data)
                return
            case _ if error := error_in(data, bare=str(data.get("type")) not in _FIELDS):
                self.fail(error)
                return
        self._count_newer(data)

    def _block_of(self, key: str, start: Data) -> Block:
        return _BLOCKS.get(str(start.get("type")), _UnknownBlock)(self, key, start)

    def add_passage(self, text: str, citations: list[Data]) -> None:
        """Add a piece of the answer, with what it cites: pages, or search results of our own that have an address."""
        start, self._bytes = self._bytes, self._bytes + len(text.encode("utf-8", "surrogatepass"))
        numbers = [self.sources.add_source(_address(one), str(one.get("title") or "")) for one in citations if text]
        self.sources.add_passage(start, self._bytes, text, numbers)

    def _begin(self, message: Data) -> None:
        self.inform(message.get("model"), message.get("id"))
        self._count(message.get("usage"))
        self._keep_container(message)

    def _read_whole(self, message: Data) -> None:
        """Read a message that came at once, though a stream was asked for."""
        content = message["content"]
        self._begin(message)
        self._read_blocks(dicts([{"type": "text", "text": content}] if isinstance(content, str) else content))
        self._finish(message)
        if not message.get("stop_reason"):
            self.events.append(WHOLE)

    def _go_on(self, key: str, delta: Any) -> None:
        """Continue a block, or end it where nothing continues it."""
        block = self._blocks.get(key)
        if block is None:
            self.unknown("delta of no block")
        elif isinstance(delta, dict):
            block.grow(delta)
        else:
            self._end_block(key)

    def _count(self, usage: Any) -> None:
        """Take counts: what comes later replaces what came before, as far as it names it; no count becomes 0 again."""
        if isinstance(usage, dict):
            known = self._usage
            known |= {name: value for name, value in usage.items() if value or (value is not None and not known.get(name))}
            self.events.append(UsageReport(_usage(known)))

    def _count_newer(self, data: Data) -> None:
        """Count what is newer than this decoder in a frame: its kind, or names in it."""
        kind = str(data.get("type"))
        if "error" in data:
            return
        for name in data.keys() - _FIELDS[kind] if kind in _FIELDS else (f"event {kind}",):
            self.unknown(name)

    def _keep_container(self, said: Data) -> None:
        """Keep where code runs, for the next round."""
        container = said.get("container")
        if isinstance(container, dict) and container.get("id"):
            self.events.append(PartReceived({"text": "", ORIGIN: {"provider": NAME, "container": str(container["id"])}}))

    def _finish(self, said: Data) -> None:
        reason, details = str(said.get("stop_reason") or ""), as_dict(said.get("stop_details"))
        if reason == "refusal":
            words = (details.get(name) for name in ("category", "explanation"))
            self.events.append(Finish("blocked", reason, "; ".join(str(word) for word in words if word)))
        elif reason == "pause_turn":  # it goes on once it gets back what it has said
            self.events += [Finish("complete", "CONTINUATION"), Continuation(ONWARD)]
        elif reason:
            self.events.append(Finish(end_state(reason) or "truncated", reason))


def _address(citation: Data) -> str:
    source = str(citation.get("source") or "")
    return str(citation.get("url") or "") or (source if source.startswith(("http://", "https://")) else "")


def _usage(counts: Data) -> Usage:
    cached = as_count(counts.get("cache_read_input_tokens"))
    asked = as_count(counts.get("input_tokens")) + as_count(counts.get("cache_creation_input_tokens")) + cached
    said = as_count(counts.get("output_tokens"))
    thought = as_count(as_dict(counts.get("output_tokens_details")).get("thinking_tokens"))
    answered = said - thought if thought <= said else said  # some count thinking beside the output
    return Usage(asked, thought, answered, cached, 0, asked + thought + answered)
