"""The blocks of an answer of Anthropic's as they grow: text, thinking, calls, and what the service's own tools did.

Invariant: whatever must go back as it came is kept, whole, under the part's origin once the block has ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from nbgemini.messages.events import (
    AnswerDelta,
    Citations,
    Event,
    PartReceived,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsText,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
)
from nbgemini.messages.turns import ORIGIN, Part
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import dicts
from nbgemini.providers.common.parts import block_part, parts_to_events, text_or_none
from nbgemini.providers.common.thought_tags import Said, TaggedText


class CitationReader:
    """What one answer rests on, as far as it has come."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._known = CitationBuilder()
        self._addresses: dict[str, str] = {}  # of pages that are to be read, by the id of the use
        self._bytes = 0  # of the answer so far

    def pass_over(self, text: str) -> None:
        """Count a piece of the answer that cites nothing."""
        self._bytes += _size(text)

    def cite(self, text: str, citations: Iterable[Any]) -> Iterable[Citations]:
        """Take a piece of the answer and what it cites."""
        start, self._bytes = self._bytes, self._bytes + _size(text)
        if text:
            said = dicts(list(citations))
            numbers = [self._known.add_source(_address(one), str(one.get("title") or "")) for one in said]
            self._known.add_passage(start, self._bytes, text, numbers)
        return self._news()

    def ask(self, use: dict[str, Any]) -> Iterable[Citations]:
        """Take what a tool of the service's is asked for."""
        asked = use["input"]
        if use.get("name") == "web_search":
            self._known.add_query(str(asked.get("query") or ""))
        if use.get("name") == "web_fetch":
            self._addresses[str(use.get("id"))] = str(asked.get("url") or "")
        return self._news()

    def found(self, result: dict[str, Any]) -> Iterable[Citations]:
        """Take what came of reading a page."""
        content = result.get("content")
        if result.get("type") == "web_fetch_tool_result" and isinstance(content, dict):
            address = str(content.get("url") or self._addresses.get(str(result.get("tool_use_id")), ""))
            self._known.add_page(address, str(content.get("error_code") or "").replace("_", " "))
        return self._news()

    def _news(self) -> Iterable[Citations]:
        news = self._known.news()
        return (news,) if news else ()


def _address(said: dict[str, Any]) -> str:
    """Return where a citation leads: to a page, or to a search result of our own that has an address."""
    source = str(said.get("source") or "")
    return str(said.get("url") or "") or (source if source.startswith(("http://", "https://")) else "")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


NAME = "anthropic"
Data: TypeAlias = dict[str, Any]

_OK, _FAILED, _LATE = "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"


class ContentBlock:
    """A block that says nothing to a reader: it is kept, unless it grew in a way that is newer than this decoder."""

    def __init__(self, key: str, start: Data, sources: CitationReader) -> None:
        """Begin with what came first."""
        self.key: Final = key
        self.start: Final = start
        self.sources: Final = sources
        self.grew_strangely = False

    def begin(self) -> Iterable[Event]:
        """Say what is known at once."""
        return ()

    def grow(self, delta: Data) -> Iterable[Event]:
        """Take what continues the block."""
        self.grew_strangely = True
        return (Unknown(f"delta {delta.get('type')}"),)

    def end(self) -> Iterable[Event]:
        """Say what is known once it is whole."""
        return () if self.grew_strangely else parts_to_events([self.part()])

    def part(self) -> Part:
        """Return the part that keeps it."""
        return block_part(NAME, self.start)


class UnknownBlock(ContentBlock):
    """A block that is newer than this decoder."""

    def begin(self) -> Iterable[Event]:
        """Count it."""
        return (Unknown(f"block {self.start.get('type')}"),)


class TextBlock(ContentBlock):
    """A piece of the answer, perhaps with what it rests on."""

    def __init__(self, key: str, start: Data, sources: CitationReader) -> None:
        """Begin, maybe with text and citations at once."""
        super().__init__(key, start, sources)
        self._texts: list[str] = []  # as they came,
        self._answer: list[str] = []  # and without the thoughts that other servers leave in them, between tags
        self._tagged = TaggedText()
        self._citations = list(start["citations"]) if isinstance(start.get("citations"), list) else []

    def begin(self) -> Iterable[Event]:
        """Say the text that it begins with."""
        return self._say(self.start.get("text"))

    def grow(self, delta: Data) -> Iterable[Event]:
        """Take text or a citation."""
        match delta:
            case {"type": "text_delta", "text": text}:
                return self._say(text)
            case {"type": "citations_delta", "citation": dict(citation)}:
                self._citations.append(citation)
                return ()
        return (Unknown(f"delta {delta.get('type')}"),)

    def end(self) -> Iterable[Event]:
        """Say what was held back, and what all rests on, and keep that."""
        rest = list(self._events(self._tagged.end()))
        text = "".join(self._answer)
        if not self._citations:
            self.sources.pass_over(text)
            return rest
        block = {**self.start, "text": "".join(self._texts), "citations": self._citations}
        return (*rest, *parts_to_events([block_part(NAME, block)]), *self.sources.cite(text, self._citations))

    def _say(self, text: Any) -> Iterable[Event]:
        if not isinstance(text, str) or not text:
            return ()
        self._texts.append(text)
        return self._events(((False, text),) if self._tagged.plain else self._tagged.take(text))

    def _events(self, said: Iterable[Said]) -> Iterable[Event]:
        for thought, text in said:
            if thought:
                yield PartReceived({"text": text, "thought": True})
                yield ThoughtDelta(text)
            else:
                self._answer.append(text)
                yield PartReceived({"text": text})
                yield AnswerDelta(text)


class ThinkingBlock(ContentBlock):
    """A thought; it is signed at its end."""

    def __init__(self, key: str, start: Data, sources: CitationReader) -> None:
        """Begin, maybe with all of it at once."""
        super().__init__(key, start, sources)
        self._texts: list[str] = []
        self._signature = str(start.get("signature") or "")

    def begin(self) -> Iterable[Event]:
        """Say the thought that it begins with."""
        return self._say(self.start.get("thinking"))

    def grow(self, delta: Data) -> Iterable[Event]:
        """Take thoughts or the signature."""
        match delta:
            case {"type": "thinking_delta", "thinking": text}:
                return self._say(text)
            case {"type": "signature_delta", "signature": str(signature)}:
                self._signature = signature
                return ()
        return (Unknown(f"delta {delta.get('type')}"),)

    def end(self) -> Iterable[Event]:
        """Keep it if it is signed: no other goes back."""
        block = {**self.start, "thinking": "".join(self._texts), "signature": self._signature}
        part = block_part(NAME, block, text="", thought=True, thoughtSignature=self._signature)
        return (PartReceived(part),) if self._signature else ()

    def _say(self, text: Any) -> Iterable[Event]:
        if not isinstance(text, str) or not text:
            return ()
        self._texts.append(text)
        return PartReceived({"text": text, "thought": True}), ThoughtDelta(text)


class RedactedBlock(ContentBlock):
    """A thought that nobody may read."""

    def part(self) -> Part:
        """Return the part that keeps it, signed so that it goes back."""
        return block_part(NAME, self.start, text="", thought=True, thoughtSignature=str(self.start.get("data") or ""))


class CallBlock(ContentBlock):
    """A call of one of our functions; its arguments come as pieces of JSON, of which there may be none.

    Gateways begin with the whole arguments; if pieces follow, these replace them.
    """

    def __init__(self, key: str, start: Data, sources: CitationReader) -> None:
        """Begin, maybe with the arguments at once."""
        super().__init__(key, start, sources)
        known = start.get("input")
        self._known = known if isinstance(known, str) else json.dumps(known) if isinstance(known, dict) and known else ""

    def begin(self) -> Iterable[Event]:
        """Begin the call."""
        whole = (ToolArgsText(self.key, self._known),) if self._known else ()
        part = block_part(NAME, {name: value for name, value in self.start.items() if name != "input"})
        start = ToolCallStart(
            self.key, str(self.start.get("name") or ""), text_or_none(self.start.get("id")), {ORIGIN: part[ORIGIN]}
        )
        return (start, *whole)

    def grow(self, delta: Data) -> Iterable[Event]:
        """Take a piece of the arguments."""
        match delta:
            case {"type": "input_json_delta", "partial_json": str(text)} if not text:
                return ()
            case {"type": "input_json_delta", "partial_json": str(text)}:
                known, self._known = self._known, ""
                return (ToolArgsText(self.key, text) if known else ToolArgsDelta(self.key, text),)
        return (Unknown(f"delta {delta.get('type')}"),)

    def end(self) -> Iterable[Event]:
        """End the call."""
        return (ToolCallEnd(self.key),)


class UseBlock(ContentBlock):
    """A use of one of the service's own tools."""

    def __init__(self, key: str, start: Data, sources: CitationReader) -> None:
        """Begin with what is asked of the tool, or nothing yet."""
        super().__init__(key, start, sources)
        self._texts: list[str] = []

    def grow(self, delta: Data) -> Iterable[Event]:
        """Take a piece of what is asked."""
        match delta:
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self._texts.append(text)
                return ()
        return (Unknown(f"delta {delta.get('type')}"),)

    def end(self) -> Iterable[Event]:
        """Say what is run, searched or read."""
        asked = _object("".join(self._texts)) or self.start.get("input")
        asked = asked if isinstance(asked, dict) else {}
        block = {**self.start, "input": asked}
        read = _CODES.get(str(self.start.get("name")))
        part = block_part(NAME, block, executableCode=read(asked)) if read else block_part(NAME, block)
        return (*parts_to_events([part]), *self.sources.ask(block))


class RanBlock(ContentBlock):
    """What code of the model's printed."""

    def part(self) -> Part:
        """Return the part that keeps it and says what was printed."""
        result = self.start.get("content")
        result = result if isinstance(result, dict) else {}
        late = result.get("error_code") == "execution_time_exceeded"
        ok = "error_code" not in result and result.get("return_code") in (None, 0)
        outcome = _LATE if late else _OK if ok else _FAILED
        said = (result.get(name) for name in ("stdout", "stderr", "content", "error_code"))
        output = "\n".join(text for text in said if isinstance(text, str) and text)
        return block_part(NAME, self.start, codeExecutionResult={"outcome": outcome, "output": output})


class FoundBlock(ContentBlock):
    """What was found in the web, or read there."""

    def end(self) -> Iterable[Event]:
        """Keep it, and say which pages were read."""
        return (*super().end(), *self.sources.found(self.start))


BLOCKS: dict[str, type[ContentBlock]] = {
    "text": TextBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedBlock,
    "tool_use": CallBlock,
    "server_tool_use": UseBlock,
    "web_search_tool_result": FoundBlock,
    "web_fetch_tool_result": FoundBlock,
    "code_execution_tool_result": RanBlock,
    "bash_code_execution_tool_result": RanBlock,
    "text_editor_code_execution_tool_result": RanBlock,
    "tool_search_tool_result": ContentBlock,
    "container_upload": ContentBlock,
}


def _python(asked: Data) -> Data:
    return {"language": "PYTHON", "code": str(asked.get("code") or "")}


def _shell(asked: Data) -> Data:
    return {"language": "BASH", "code": str(asked.get("command") or "")}


def _editing(asked: Data) -> Data:
    head = " ".join(str(asked[name]) for name in ("command", "path") if asked.get(name))
    return {"language": "TEXT", "code": "\n".join(str(text) for text in (head, asked.get("file_text")) if text)}


_CODES: dict[str, Callable[[Data], Data]] = {
    "code_execution": _python,
    "bash_code_execution": _shell,
    "text_editor_code_execution": _editing,
}


def _object(text: str) -> Data | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
