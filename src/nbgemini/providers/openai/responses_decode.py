"""The events of one stream of OpenAI's Responses API.

Invariants: a delta continues its text, `done` replaces arguments and adds only what did not come of a text; two texts of one
kind that follow each other are two paragraphs; whatever a frame holds, decoding gives events or one WireError.
Source: the stream events of openai 3.52.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import (
    AnswerDelta,
    Done,
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
from nbgemini.messages.turns import Part
from nbgemini.providers.base import OVER
from nbgemini.providers.common.json import as_dict, dicts, end_state, is_limit, load_frame
from nbgemini.providers.common.parts import block_part, read_part
from nbgemini.providers.common.thought_tags import Said, TaggedText
from nbgemini.providers.openai.common import usage_of
from nbgemini.providers.openai.responses_items import Item, Items, Place, TextCitations
from nbgemini.transport.api_errors import error_from_data, error_in

NAME = "openai"


def _item_block(item: dict[str, Any]) -> dict[str, Any]:
    """Return what of an item goes back."""
    return {name: value for name, value in item.items() if name not in ("id", "status") and value is not None}


def _thinking_part(item: dict[str, Any]) -> Part | None:
    """Return the part in which a reasoning item goes back; None for one that the service could not read again."""
    if not item.get("encrypted_content"):
        return None
    signature = str(item.get("id") or NAME)
    return block_part(NAME, _item_block(item), text="", thought=True, thoughtSignature=signature)


def _code_parts(item: dict[str, Any]) -> list[Event]:
    """Return the code that the model ran, and what it printed."""
    events: list[Event] = []
    if isinstance(code := item.get("code"), str):
        read_part({"executableCode": {"language": "PYTHON", "code": code}}, events)
    outputs = [entry["logs"] for entry in dicts(item.get("outputs")) if isinstance(entry.get("logs"), str)]
    outcome = "OUTCOME_FAILED" if item.get("status") in ("failed", "incomplete") else "OUTCOME_OK"
    if outputs or outcome != "OUTCOME_OK":
        read_part({"codeExecutionResult": {"outcome": outcome, "output": "\n".join(outputs)}}, events)
    return events


_TEXTS = {  # what comes in pieces: of which item, as which kind, numbered by what
    "response.output_text": ("message", "output_text", "content_index"),
    "response.refusal": ("message", "refusal", "content_index"),
    "response.reasoning_summary_text": ("reasoning", "summary_text", "summary_index"),
    "response.reasoning_text": ("reasoning", "reasoning_text", "content_index"),
}
_NOWHERE: tuple[str, Place] = ("", ("", "", 0))


class _Speech:
    """What is said in one stream, and where."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._events: list[Event] = []
        self._items = Items()
        self._near: tuple[Any, ...] = ()  # where the last piece of text stood, as its frame has it,
        self._nearest = Item("", ""), _NOWHERE[1]  # and as it was understood
        self._text = TaggedText()
        self._last = _NOWHERE  # what the text was that came last: its kind, and its place
        self._refused: list[str] = []
        self._said = False  # anything of an answer
        self._sources = TextCitations()

    def _place(self, stem: str, data: dict[str, Any], whole: Any = None) -> tuple[Item, Place]:
        """Return where a piece of text stands, or the `whole` of one: mostly where the last one did."""
        of, text, number = _TEXTS[stem]
        near = stem, data.get("item_id"), data.get("output_index"), data.get(number)
        item, place = self._nearest
        if near != self._near or not item.open:
            item = self._items.continued(of, data, whole)
            place = item.place(text, data.get(number))
            self._near, self._nearest = near, (item, place)
        return item, place

    def _rest(self, item: Item, place: Place, text: Any) -> None:
        if isinstance(text, str) and text and (rest := item.rest(place, text)):
            self._tell(item, place, rest)

    def _tell(self, item: Item, place: Place, text: Any) -> None:
        """Say a piece of a text."""
        if not isinstance(text, str) or not text:
            return
        item.add(place, text)
        if place[1] == "refusal":
            self._refused.append(self._paragraph("refusal", place, text))
        elif item.kind == "reasoning":
            self._flush()
            self._think(place, text)
        elif self._text.plain:
            self._answer(place, text)
        else:
            self._say(place, self._text.take(text))

    def _flush(self) -> None:
        self._say(self._last[1], self._text.end())

    def _say(self, place: Place, said: Iterable[Said]) -> None:
        for thought, text in said:
            (self._think if thought else self._answer)(place, text)

    def _think(self, place: Place, text: str) -> None:
        said = self._paragraph("thought", place, text)
        self._events += [PartReceived({"text": said, "thought": True}), ThoughtDelta(said)]

    def _answer(self, place: Place, text: str) -> None:
        said, self._said = self._paragraph("answer", place, text), True
        self._sources.count(place, said, text)
        self._events += [PartReceived({"text": said}), AnswerDelta(said)]

    def _paragraph(self, kind: str, place: Place, text: str) -> str:
        """Return a piece of text as it is shown: another text after one of its kind begins a paragraph."""
        parted = self._last[0] == kind and self._last != (kind, place)
        self._last = kind, place
        return f"\n\n{text}" if parted else text

    def _cite(self, known: Event | None) -> None:
        if known:
            self._events.append(known)

    def _begin_call(self, item: Item, said: dict[str, Any]) -> None:
        if item.begun or not said.get("name"):
            return
        item.begun = True
        self._flush()
        self._last = _NOWHERE
        start = ToolCallStart(item.key, str(said["name"]), str(said.get("call_id") or "") or None)
        self._events += [start, *item.early]
        item.early = []

    def _call(self, item: Item, event: Event) -> None:
        """Say what came of a call's arguments, once it is known what is called."""
        (self._events if item.begun else item.early).append(event)

    def _replace(self, item: Item, arguments: Any) -> None:
        """Take the whole arguments, if they are told: they replace what came of them."""
        text = json.dumps(arguments) if isinstance(arguments, dict) else arguments
        if isinstance(text, str) and text:
            self._call(item, ToolArgsText(item.key, text))

    def _read_arguments(self, word: str, data: dict[str, Any]) -> None:
        item = self._items.continued("function_call", data)
        if word == "done":
            self._begin_call(item, data)
            self._replace(item, data.get("arguments"))
        elif text := str(data.get("delta") or ""):
            self._call(item, ToolArgsDelta(item.key, text))

    def _ends(self) -> list[Event]:
        """Return that the calls are whole whose ends did not come."""
        return [ToolCallEnd(item.key) for item in self._items.calls()]

    def _fail(self, error: Any) -> None:
        said = error if isinstance(error, dict) else {"message": str(error or "")}
        self._events.append(Fault(error_from_data(0, said, key_name="OPENAI_API_KEY")))


_SILENT = (
    "response.in_progress", "response.queued", "response.content_part.", "response.output_text.", "response.refusal.",
    "response.reasoning_summary_part.", "response.reasoning_summary_text.", "response.reasoning_text.",
    "response.reasoning_part.", "response.web_search_call.", "response.code_interpreter_call", "keepalive",
)  # fmt: skip
_PARTS = {"summary": "summary_text", "content": "reasoning_text"}  # where in a reasoning item which of them stand
_ALIKE = {"text": "output_text"}  # what others call the kinds of a message's content
_KINDS = ("message", "reasoning", "function_call")
_CUT = ("incomplete", "cancelled", "in_progress", "queued")


class ResponsesDecoder(_Speech):
    """One stream."""

    def __init__(self) -> None:
        """Begin before its first event."""
        super().__init__()
        self._informed = self._ended = False
        self._others: Counter[str] = Counter()  # items of other kinds
        self._notes: dict[Place, tuple[Item, list[Any]]] = {}  # what came of sources before the text was whole

    def feed(self, frame: bytes) -> list[Event]:
        """Return what a frame says.

        Raises:
            WireError: it is not JSON.
        """
        data = load_frame(frame)
        self._events = []
        if isinstance(data, dict):
            self._read(str(data.get("type") or ""), data)
        elif isinstance(data, bytes):
            self._close(whole=data != OVER)
        return self._events

    def _read(self, kind: str, data: dict[str, Any]) -> None:
        stem, _, word = kind.rpartition(".")
        if stem in _TEXTS and word in ("delta", "done"):
            whole = data.get("refusal" if stem == "response.refusal" else "text") if word == "done" else None
            item, place = self._place(stem, data, whole)
            if word == "delta":
                self._tell(item, place, data.get("delta"))
            else:
                self._rest(item, place, whole)
        elif stem == "response.function_call_arguments":
            self._read_arguments(word, data)
        elif kind == "response.output_item.added":
            self._begin_item(data, as_dict(data.get("item")))
        elif kind == "response.output_item.done":
            self._end_item(data, as_dict(data.get("item")))
        elif kind == "response.output_text.annotation.added":
            item = self._items.continued("message", data)
            place = item.place("output_text", data.get("content_index"))
            self._notes.setdefault(place, (item, []))[1].append(data.get("annotation"))
        else:
            self._read_envelope(kind, data)

    def _read_envelope(self, kind: str, data: dict[str, Any]) -> None:
        """Read what concerns the whole response."""
        response = as_dict(data.get("response"))
        match kind:
            case "response.created":
                self._inform(response)
            case "response.completed" | "response.incomplete" | "response.failed" | "response.done" | "response.cancelled":
                self._finish(response.get("status") or kind.removeprefix("response."), response)
            case "error":
                self._fail(data.get("error") or data)
            case "" if isinstance(data.get("output"), list):
                self._finish(data.get("status") or "done", data)  # it came in one piece, though a stream was asked for
            case _ if error := error_in(data, bare=not kind.startswith("response.")):
                self._fail(error)
            case _ if kind and not kind.startswith(_SILENT):
                self._events.append(Unknown(kind))

    def _inform(self, response: dict[str, Any]) -> None:
        if (model := response.get("model")) and not self._informed:
            self._informed = True
            self._events.append(ResponseInfo(str(model), str(response.get("id") or "")))

    def _begin_item(self, data: dict[str, Any], item: dict[str, Any]) -> None:
        self._near = ()
        if (kind := item.get("type")) in _KINDS:
            known = self._items.begun(kind, data, item)
            if kind == "function_call":
                self._begin_call(known, item)

    def _end_item(self, data: dict[str, Any], item: dict[str, Any]) -> None:
        kind = item.get("type")
        if kind in _KINDS:
            self._end(self._items.ended(kind, data, item, _text_of(item)), item)
        else:
            self._end_other(item)

    def _end(self, known: Item, item: dict[str, Any]) -> None:
        """Read an item that is whole: what did not come of it yet, and what goes back."""
        known.open = False
        match known.kind:
            case "reasoning":
                self._end_thought(known, item)
            case "message":
                self._end_message(known, item)
            case _:
                self._begin_call(known, {"name": "?", **item} if known.early else item)
                self._replace(known, item.get("arguments"))
                self._events += [ToolCallEnd(known.key)] if known.begun else []

    def _end_other(self, item: dict[str, Any]) -> None:
        kind = str(item.get("type"))
        self._others[kind] += 1
        match kind:
            case "code_interpreter_call":
                self._last = _NOWHERE
                self._events += _code_parts(item)
            case "web_search_call":
                self._events.append(PartReceived(block_part(NAME, _item_block(item))))
                self._cite(self._sources.search(item))
            case _:
                self._events.append(Unknown(kind))

    def _end_thought(self, known: Item, item: dict[str, Any]) -> None:
        for where, kind in _PARTS.items():
            for number, part in enumerate(dicts(item.get(where))):
                self._rest(known, known.place(kind, number), part.get("text"))
        if thinking := _thinking_part(item):
            self._events.append(PartReceived(thinking))

    def _end_message(self, known: Item, item: dict[str, Any]) -> None:
        for number, part in enumerate(_content(item)):
            kind = str(part.get("type"))
            place = known.place(_ALIKE.get(kind, kind), number)
            if place[1] == "output_text":
                self._rest(known, place, part.get("text"))
                notes = [*dicts(part.get("annotations")), *dicts(self._notes.pop(place, (known, []))[1])]
                self._cite(self._sources.cited(place, part.get("text"), notes))
            elif kind == "refusal":
                self._rest(known, place, part.get("refusal"))
            else:
                self._events.append(Unknown(kind))
        if isinstance(phase := item.get("phase"), str):
            self._events.append(PartReceived(block_part(NAME, {"type": "message", "phase": phase})))

    def _finish(self, status: Any, response: dict[str, Any]) -> None:
        """Read how it ended, and, of all that it holds, what never came by itself."""
        self._ended = True
        self._inform(response)
        self._catch_up(dicts(response.get("output")))
        if not self._said and isinstance(text := response.get("output_text"), str):  # as the SDK writes all text in one
            item = self._items.continued("message", {})
            self._rest(item, item.place("output_text", 0), text)
        self._flush()
        self._cite_rest()
        if isinstance(usage := response.get("usage"), dict) and usage:
            self._events.append(UsageReport(usage_of(usage, "input", "output")))
        reason = str(as_dict(response.get("incomplete_details")).get("reason") or "")
        if status == "failed":
            self._fail(response.get("error"))
        elif self._refused:
            self._events.append(Finish("blocked", "refusal", "".join(self._refused)))
        elif reason == "content_filter":
            self._events.append(Finish("blocked", reason))
        elif end_state(str(status)) == "complete" and not is_limit(reason):
            self._events += [*self._ends(), Finish("complete", "completed")]
        elif is_limit(reason) or (not reason and status in _CUT):
            self._events.append(Finish("truncated", reason or "incomplete"))
        else:
            self._events += [*self._ends(), Finish("truncated", reason or str(status))]

    def _cite_rest(self) -> None:
        """Cite what the texts rest on whose ends did not come."""
        for place, (item, notes) in self._notes.items():
            self._cite(self._sources.cited(place, item.text_at(place), dicts(notes)))
        self._notes = {}

    def _catch_up(self, output: list[dict[str, Any]]) -> None:
        counts: Counter[str] = Counter()
        for item in output:
            kind = str(item.get("type"))
            number, counts[kind] = counts[kind], counts[kind] + 1
            if kind not in _KINDS:
                if number >= self._others[kind]:
                    self._end_other(item)
            elif (known := self._items.listed(kind, number, item)).open:
                self._end(known, item)

    def _close(self, *, whole: bool) -> None:
        """Say what was held back, as nothing more comes; if the server says that this is the `whole`, the calls are too."""
        self._flush()
        self._cite_rest()
        if whole:
            self._events += [*([] if self._ended else self._ends()), Done()]


def _content(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the content of a message, which some write as a text."""
    content = item.get("content")
    return [{"type": "output_text", "text": content}] if isinstance(content, str) else dicts(content)


def _text_of(item: dict[str, Any]) -> str:
    """Return all text of a whole item, in the order in which it comes."""
    texts = [part.get("text") or part.get("refusal") for part in (*dicts(item.get("summary")), *_content(item))]
    return "".join(text for text in texts if isinstance(text, str))
