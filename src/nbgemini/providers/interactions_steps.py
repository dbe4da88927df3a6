"""The steps of an interaction as they grow: what is said, what is called, and what the service does by itself.

Invariant: what is needed verbatim in later requests stands in a part of its own, once the step has ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias

from nbgemini.events import (
    Code,
    CodeResult,
    Event,
    PartReceived,
    ToolArgsDelta,
    ToolArgsText,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
)
from nbgemini.providers.gemini_parts import read_part
from nbgemini.providers.gemini_sources import dicts
from nbgemini.providers.interactions_cited import Cited
from nbgemini.providers.interactions_ends import refused
from nbgemini.providers.interactions_turns import NAME
from nbgemini.turns import ORIGIN

Block: TypeAlias = dict[str, Any]

_MEDIA = ("image", "audio", "video", "document")
_ECHOES = ("user_input", "function_result")  # of what we have said ourselves
_SHOWN_ELSEWHERE = ("google_search_call", "google_search_result", "url_context_call", "url_context_result")


class Step(Protocol):
    """A step that grows."""

    def begin(self) -> Iterable[Event]:
        """Yield what is known at its beginning."""
        ...

    def go_on(self, delta: Block) -> Iterable[Event]:
        """Yield what comes next of it."""
        ...

    def end(self) -> Iterable[Event]:
        """Yield what is known once it is whole."""
        ...


def step_of(key: str, block: Block, cited: Cited) -> Step:
    """Return the step that begins with `block`."""
    kind = block.get("type")
    if kind in ("model_output", "thought"):
        return _Spoken(block, cited, thought=kind == "thought")
    if kind == "function_call":
        return _Call(key, block)
    return _Own(block, cited)


class _Spoken:
    """Something for the reader: an answer, or a thought, which goes back with its signature."""

    def __init__(self, block: Block, cited: Cited, *, thought: bool) -> None:
        self._block = block
        self._cited = cited
        self._thought = thought
        self._said = bytearray()  # in UTF-8, as citations count
        self._signature = ""

    def begin(self) -> Iterable[Event]:
        for content in (*dicts(self._block.get("content")), *dicts(self._block.get("summary"))):
            yield from self._say(content, thought=self._thought)
            self._cited.passages(content.get("annotations"), str(content.get("text")).encode())
        if self._block.get("error"):
            yield refused(self._block["error"])
        self._sign(self._block)

    def go_on(self, delta: Block) -> Iterable[Event]:
        match delta.get("type"):
            case "thought_summary":
                yield from self._say(delta.get("content"), thought=True)
            case "thought_signature" if self._thought:
                self._sign(delta)
            case "text_annotation_delta":
                self._cited.passages(delta.get("annotations"), self._said)
            case _:
                yield from self._say(delta, thought=self._thought)

    def end(self) -> Iterable[Event]:
        if self._thought and self._signature:
            summary = [{"type": "text", "text": self._said.decode()}] if self._said else []
            yield _carried({"type": "thought", **({"summary": summary} if summary else {}), "signature": self._signature})

    def _sign(self, said: Block) -> None:
        self._signature = str(said.get("signature") or self._signature)

    def _say(self, content: Any, *, thought: bool) -> Iterable[Event]:
        """Yield a piece of content; a text may lack its type."""
        content = content if isinstance(content, dict) else {}
        kind, text = content.get("type"), content.get("text")
        events: list[Event] = []
        if isinstance(text, str) and kind in ("text", None):
            self._said += text.encode()
            read_part({"text": text, **_mark(thought=thought)}, events)
        elif kind in _MEDIA:
            read_part({**_media(content), **_mark(thought=thought)}, events)
        else:
            events.append(Unknown(str(kind)))
        return events


class _Call:
    """A call of a function of ours; its arguments come as a text in pieces."""

    def __init__(self, key: str, block: Block) -> None:
        self._key = key
        self._block = block
        self._whole = bool(block.get("arguments"))  # so far; the first piece replaces it

    def begin(self) -> Iterable[Event]:
        given, args = self._block.get("id"), self._block.get("arguments")
        kept = {name: value for name, value in self._block.items() if name != "arguments"}
        part = {ORIGIN: {"provider": NAME, "block": kept}}
        yield ToolCallStart(self._key, str(self._block.get("name") or ""), str(given) if given else None, part)
        if args:
            yield ToolArgsText(self._key, args if isinstance(args, str) else json.dumps(args))

    def go_on(self, delta: Block) -> Iterable[Event]:
        text = delta.get("arguments")
        if delta.get("type") != "arguments_delta" or not isinstance(text, str):
            yield Unknown(str(delta.get("type")))
        elif self._whole:
            self._whole = False
            yield ToolArgsText(self._key, text)
        else:
            yield ToolArgsDelta(self._key, text)

    def end(self) -> Iterable[Event]:
        yield ToolCallEnd(self._key)


class _Own:
    """A step of the service's own: its tools, and whatever is newer than this decoder. It goes back as it came."""

    def __init__(self, block: Block, cited: Cited) -> None:
        self._block = dict(block)
        self._cited = cited

    def begin(self) -> Iterable[Event]:
        return ()

    def go_on(self, delta: Block) -> Iterable[Event]:
        """Take what comes: each piece holds its fields whole."""
        self._block |= {name: value for name, value in delta.items() if name != "type"}
        return ()

    def end(self) -> Iterable[Event]:
        kind, result = self._block.get("type"), self._block.get("result")
        if kind in _ECHOES:
            return
        self._cited.search(self._block)
        origin = {ORIGIN: {"provider": NAME, "block": self._block}}
        if kind == "code_execution_call":
            source, language = _code(self._block.get("arguments"))
            yield PartReceived({"executableCode": {"language": language.upper(), "code": source}, **origin})
            yield Code(source, language)
        elif kind == "code_execution_result":
            output, failed = _output(result), self._block.get("is_error") is True
            outcome = "OUTCOME_FAILED" if failed else "OUTCOME_OK"
            yield PartReceived({"codeExecutionResult": {"outcome": outcome, "output": output}, **origin})
            yield CodeResult(output, not failed)
        else:
            yield _carried(self._block)
            if kind not in _SHOWN_ELSEWHERE:
                yield Unknown(str(kind))


def _carried(block: Block) -> PartReceived:
    """Return the part that says nothing to a reader, and carries a step to the next request."""
    signature = str(block.get("signature") or "")
    part = {"text": "", "thought": True, "thoughtSignature": signature, ORIGIN: {"provider": NAME, "block": block}}
    return PartReceived(part)


def _mark(*, thought: bool) -> Block:
    return {"thought": True} if thought else {}


def _media(content: Block) -> Block:
    """Return a picture, a sound or a file in the transcript's words."""
    mime = str(content.get("mime_type") or "")
    if content.get("uri"):
        return {"fileData": {"mimeType": mime, "fileUri": str(content["uri"])}}
    rate = content.get("sample_rate") or content.get("rate")
    facts = {"rate": rate, "channels": content.get("channels")} if mime == "audio/l16" else {}
    mime = ";".join([mime, *(f"{name}={value}" for name, value in facts.items() if type(value) is int)])
    return {"inlineData": {"mimeType": mime, "data": str(content.get("data") or "")}}


def _code(arguments: Any) -> tuple[str, str]:
    arguments = arguments if isinstance(arguments, dict) else {}
    return str(arguments.get("code") or ""), str(arguments.get("language") or "python").lower()


def _output(result: Any) -> str:
    """Return what code printed: a text, or the texts of a list of contents."""
    return result if isinstance(result, str) else "".join(str(content.get("text") or "") for content in dicts(result))
