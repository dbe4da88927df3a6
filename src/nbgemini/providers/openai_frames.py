"""The events of one stream of OpenAI's Responses API.

Invariants: a delta continues its text, `done` replaces arguments and adds only texts of which no delta came; two texts of one
kind that follow each other are two paragraphs; whatever a frame holds, decoding gives events or one WireError.
Source: the stream events of openai 3.52.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbgemini.error_body import error_from_data
from nbgemini.events import (
    AnswerDelta,
    Event,
    Fault,
    Finish,
    PartReceived,
    ResponseInfo,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsText,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
    UsageReport,
)
from nbgemini.providers.gemini_frames import load
from nbgemini.providers.gemini_sources import dicts
from nbgemini.providers.openai_items import Sources, code_parts, kept, thinking_part
from nbgemini.providers.openai_usage import usage_of

_SILENT = (
    "response.in_progress", "response.queued", "response.content_part.", "response.output_text.", "response.refusal.",
    "response.reasoning_summary_part.", "response.reasoning_summary_text.", "response.reasoning_text.",
    "response.web_search_call.", "response.code_interpreter_call", "keepalive",
)  # fmt: skip
_THOUGHTS = {"summary": "summary_text", "content": "reasoning_text"}  # where in a reasoning item which of them stand
_NOWHERE = ("", "")


class Stream:
    """One stream."""

    def __init__(self) -> None:
        """Begin before its first event."""
        self._events: list[Event] = []
        self._told: set[str] = set()  # the texts of which something came
        self._last = _NOWHERE  # what the text was that came last: its kind, and its place
        self._refused: list[str] = []
        self._calls: set[str] = set()
        self._sources = Sources()

    def feed(self, frame: bytes) -> list[Event]:
        """Return what a frame says.

        Raises:
            WireError: it is not JSON.
        """
        data = load(frame)
        self._events = []
        if isinstance(data, dict):
            self._read(str(data.get("type") or ""), data)
        return self._events

    def _read(self, kind: str, data: dict[str, Any]) -> None:
        index = str(data.get("output_index", data.get("item_id")))
        match kind:
            case "response.output_text.delta":
                self._answer(f"{index}/output_text/{data.get('content_index', 0)}", data.get("delta"))
            case "response.reasoning_summary_text.delta":
                self._think(f"{index}/summary_text/{data.get('summary_index', 0)}", data.get("delta"))
            case "response.reasoning_text.delta":
                self._think(f"{index}/reasoning_text/{data.get('content_index', 0)}", data.get("delta"))
            case "response.refusal.delta":
                self._refuse(f"{index}/refusal/{data.get('content_index', 0)}", data.get("delta"))
            case "response.function_call_arguments.delta":
                self._events.append(ToolArgsDelta(index, str(data.get("delta") or "")))
            case "response.function_call_arguments.done":
                self._events.append(ToolArgsText(index, str(data.get("arguments") or "")))
            case "response.output_item.added":
                self._begin(index, _dict(data.get("item")))
            case "response.output_item.done":
                self._end(index, _dict(data.get("item")))
            case _:
                self._read_envelope(kind, data)

    def _read_envelope(self, kind: str, data: dict[str, Any]) -> None:
        """Read what concerns the whole response."""
        response = _dict(data.get("response"))
        match kind:
            case "response.created":
                self._inform(response)
            case "response.completed" | "response.incomplete" | "response.failed":
                self._finish(kind, response)
            case "error":
                self._fail(data.get("error") or data)
            case "" if data.get("error"):
                self._fail(data["error"])
            case "" if isinstance(data.get("output"), list):
                self._read_at_once(data)
            case _ if kind and not kind.startswith(_SILENT):
                self._events.append(Unknown(kind))

    def _read_at_once(self, response: dict[str, Any]) -> None:
        """Read a response that came in one piece, though a stream was asked for."""
        self._inform(response)
        for number, item in enumerate(dicts(response["output"])):
            self._end(str(number), item)
        self._finish(f"response.{response.get('status')}", response)

    def _inform(self, response: dict[str, Any]) -> None:
        if model := response.get("model"):
            self._events.append(ResponseInfo(str(model), str(response.get("id") or "")))

    def _begin(self, index: str, item: dict[str, Any]) -> None:
        if item.get("type") == "function_call" and index not in self._calls:
            self._calls.add(index)
            self._last = _NOWHERE
            self._events.append(ToolCallStart(index, str(item.get("name") or ""), str(item.get("call_id") or "") or None))

    def _end(self, index: str, item: dict[str, Any]) -> None:
        """Read an item that is whole: what did not come of it yet, and what goes back."""
        match item.get("type"):
            case "reasoning":
                self._end_thought(index, item)
            case "message":
                self._end_message(index, item)
            case "function_call":
                self._begin(index, item)
                if isinstance(arguments := item.get("arguments"), str):
                    self._events.append(ToolArgsText(index, arguments))
                self._events.append(ToolCallEnd(index))
            case "code_interpreter_call":
                self._last = _NOWHERE
                self._events += code_parts(item)
            case "web_search_call":
                self._events.append(PartReceived(kept(item)))
                self._cite(self._sources.search(item))
            case kind:
                self._events.append(Unknown(str(kind)))

    def _end_thought(self, index: str, item: dict[str, Any]) -> None:
        for where, kind in _THOUGHTS.items():
            for number, part in enumerate(dicts(item.get(where))):
                self._rest(self._think, f"{index}/{kind}/{number}", part.get("text"))
        if thinking := thinking_part(item):
            self._events.append(PartReceived(thinking))

    def _end_message(self, index: str, item: dict[str, Any]) -> None:
        for number, part in enumerate(dicts(item.get("content"))):
            kind = str(part.get("type"))
            place = f"{index}/{kind}/{number}"
            if kind == "output_text":
                self._rest(self._answer, place, part.get("text"))
                self._cite(self._sources.cited(place, part))
            elif kind == "refusal":
                self._rest(self._refuse, place, part.get("refusal"))
            else:
                self._events.append(Unknown(kind))
        if isinstance(phase := item.get("phase"), str):
            self._events.append(PartReceived({"text": "", **kept({"type": "message", "phase": phase})}))

    def _finish(self, kind: str, response: dict[str, Any]) -> None:
        if isinstance(usage := response.get("usage"), dict):
            self._events.append(UsageReport(usage_of(usage, "input", "output")))
        if kind == "response.failed":
            self._fail(response.get("error"))
        elif self._refused:
            self._events.append(Finish("blocked", "refusal", "".join(self._refused)))
        elif kind == "response.completed":
            self._events.append(Finish("complete", "completed"))
        else:
            reason = str(_dict(response.get("incomplete_details")).get("reason") or "incomplete")
            self._events.append(Finish("blocked" if reason == "content_filter" else "truncated", reason))

    def _fail(self, error: Any) -> None:
        said = error if isinstance(error, dict) else {"message": str(error or "")}
        self._events.append(Fault(error_from_data(0, said, key_name="OPENAI_API_KEY")))

    def _think(self, place: str, text: Any) -> None:
        if said := self._paragraph("thought", place, text):
            self._events += [PartReceived({"text": said, "thought": True}), ThoughtDelta(said)]

    def _answer(self, place: str, text: Any) -> None:
        if said := self._paragraph("answer", place, text):
            self._sources.count(place, said, text)
            self._events += [PartReceived({"text": said}), AnswerDelta(said)]

    def _refuse(self, place: str, text: Any) -> None:
        if said := self._paragraph("refusal", place, text):
            self._refused.append(said)

    def _paragraph(self, kind: str, place: str, text: Any) -> str:
        """Return a piece of text as it is shown: another text after one of its kind begins a paragraph."""
        if not isinstance(text, str) or not text:
            return ""
        parted = self._last[0] == kind and self._last != (kind, place)
        self._told.add(place)
        self._last = kind, place
        return f"\n\n{text}" if parted else text

    def _rest(self, say: Callable[[str, Any], None], place: str, text: Any) -> None:
        if place not in self._told:
            say(place, text)

    def _cite(self, known: Event | None) -> None:
        if known:
            self._events.append(known)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
