"""The events of one stream of OpenAI's Responses API.

Invariants: a delta continues its text, `done` replaces arguments and adds only what did not come of a text; two texts of one
kind that follow each other are two paragraphs.
Source: the stream events of openai 3.52.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from nbgemini.messages.events import (
    AnswerDelta,
    Event,
    Finish,
    PartReceived,
    ThoughtDelta,
    ToolArgsDelta,
    ToolArgsText,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)
from nbgemini.providers.common.decoder import Data, StreamDecoder
from nbgemini.providers.common.json import as_dict, as_list, dicts, end_state, is_limit
from nbgemini.providers.common.parts import block_part, text_or_none
from nbgemini.providers.common.thought_tags import Said
from nbgemini.providers.openai.common import usage_of
from nbgemini.providers.openai.responses_items import Item, Items, Place
from nbgemini.transport.api_errors import error_in

NAME = "openai"

_TEXTS = {  # what comes in pieces: of which item, as which kind, numbered by what
    "response.output_text": ("message", "output_text", "content_index"),
    "response.refusal": ("message", "refusal", "content_index"),
    "response.reasoning_summary_text": ("reasoning", "summary_text", "summary_index"),
    "response.reasoning_text": ("reasoning", "reasoning_text", "content_index"),
}
_NOWHERE: tuple[str, Place] = ("", ("", "", 0))
_MOST = 5_000  # passages in one answer; a hostile service could send any number
_SILENT = (
    "response.in_progress", "response.queued", "response.content_part.", "response.output_text.", "response.refusal.",
    "response.reasoning_summary_part.", "response.reasoning_summary_text.", "response.reasoning_text.",
    "response.reasoning_part.", "response.web_search_call.", "response.code_interpreter_call", "keepalive",
)  # fmt: skip
_PARTS = {"summary": "summary_text", "content": "reasoning_text"}  # where in a reasoning item which of them stand
_ALIKE = {"text": "output_text"}  # what others call the kinds of a message's content
_KINDS = ("message", "reasoning", "function_call")
_CUT = ("incomplete", "cancelled", "in_progress", "queued")


class _Speech(StreamDecoder):
    """What is said in one stream, where, and what it rests on."""

    key_name = "OPENAI_API_KEY"
    most_cited = _MOST

    def __init__(self) -> None:
        super().__init__()
        self._items = Items()
        self._last_names: tuple[Any, ...] = ()  # where the last piece of text stood, as its frame has it,
        self._last_place = Item("", ""), _NOWHERE[1]  # and as it was understood
        self._last = _NOWHERE  # what the text was that came last: its kind, and its place
        self._refused: list[str] = []
        self._answered = 0  # bytes of the answer so far
        self._starts: dict[Place, int] = {}  # where in it each text begins
        self._notes: dict[Place, tuple[Item, list[Any]]] = {}  # what came of sources before the text was whole

    def _place(self, stem: str, data: Data, whole: Any) -> tuple[Item, Place]:
        """Return where a piece of text stands, or the `whole` of one: mostly where the last one did."""
        of, text, number = _TEXTS[stem]
        names = stem, data.get("item_id"), data.get("output_index"), data.get(number)
        item, place = self._last_place
        if names != self._last_names or not item.open:
            item = self._items.continued(of, data, whole)
            place = item.place(text, data.get(number))
            self._last_names, self._last_place = names, (item, place)
        return item, place

    def _add_whole_text(self, item: Item, place: Place, text: Any) -> None:
        """Take a text that is whole: say what did not come of it yet."""
        if isinstance(text, str) and text:
            self._add_text(item, place, item.rest(place, text))

    def _add_text(self, item: Item, place: Place, text: Any) -> None:
        """Take a piece of a text."""
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
            self._say_at(place, self._text.take(text))

    def _flush(self, *, whole: bool = True) -> None:
        self._say_at(self._last[1], self._text.end(whole=whole))

    def _say_at(self, place: Place, said: Iterable[Said]) -> None:
        for thought, text in said:
            (self._think if thought else self._answer)(place, text)

    def _think(self, place: Place, text: str) -> None:
        shown = self._paragraph("thought", place, text)
        self.events += [PartReceived({"text": shown, "thought": True}), ThoughtDelta(shown)]

    def _answer(self, place: Place, text: str) -> None:
        shown = self._paragraph("answer", place, text)
        self._answered += len(shown) - len(text)  # what parts paragraphs is ASCII
        self._starts.setdefault(place, self._answered)
        self._answered += len(_bytes(text))
        self.events += [PartReceived({"text": shown}), AnswerDelta(shown)]

    def _paragraph(self, kind: str, place: Place, text: str) -> str:
        """Return a piece of text as it is shown: another text after one of its kind begins a paragraph."""
        parted = self._last[0] == kind and self._last != (kind, place)
        self._last = kind, place
        return f"\n\n{text}" if parted else text

    def _cite(self, place: Place, text: Any, notes: list[Data]) -> None:
        """Take the whole text at `place` and the notes on it, and say all that is known if they name sources."""
        notes = [note for note in map(_flat, notes) if note.get("url")] if isinstance(text, str) else []
        for note in notes:
            self.sources.add_source(str(note["url"]), str(note.get("title") or ""))
        spans = [(note, span) for note in notes[:_MOST] if (span := _span(note, text))]
        at, start = _offsets(text, {index for _, span in spans for index in span}), self._starts.get(place, 0)
        for note, (first, last) in spans:
            number = self.sources.add_source(str(note["url"]))
            self.sources.add_passage(start + at[first], start + at[last], text[first:last], [number])
        self.cite()

    def _cite_rest(self) -> None:
        """Cite what the texts rest on whose ends did not come."""
        for place, (item, notes) in self._notes.items():
            self._cite(place, item.text_at(place), dicts(notes))
        self._notes = {}

    def _begin_call(self, item: Item, said: Data) -> None:
        if not item.begun and said.get("name"):
            item.begun = True
            self._flush(whole=False)
            self._last = _NOWHERE
            start = ToolCallStart(item.key, str(said["name"]), text_or_none(said.get("call_id")))
            self.events += [start, *item.early]
            item.early = []

    def _grow_call(self, item: Item, event: Event) -> None:
        """Say what came of a call's arguments, once it is known what is called."""
        (self.events if item.begun else item.early).append(event)

    def _replace_arguments(self, item: Item, arguments: Any) -> None:
        """Take the whole arguments, if they are told: they replace what came of them."""
        text = json.dumps(arguments) if isinstance(arguments, dict) else arguments
        if isinstance(text, str) and text:
            self._grow_call(item, ToolArgsText(item.key, text))

    def _end_calls(self) -> None:
        """Say that the calls are whole whose ends did not come."""
        self.events += [ToolCallEnd(item.key) for item in self._items.calls()]


class ResponsesDecoder(_Speech):
    """One stream."""

    def __init__(self) -> None:
        super().__init__()
        self._ended = False
        self._others: Counter[str] = Counter()  # items of other kinds

    def _read(self, data: Data) -> None:
        kind = str(data.get("type") or "")
        stem, _, word = kind.rpartition(".")
        if stem in _TEXTS and word == "delta":
            item, place = self._place(stem, data, None)
            self._add_text(item, place, data.get("delta"))
        elif stem in _TEXTS and word == "done":
            whole = data.get("refusal" if stem == "response.refusal" else "text")
            self._add_whole_text(*self._place(stem, data, whole), whole)
        elif stem == "response.function_call_arguments":
            item = self._items.continued("function_call", data)
            if word == "done":
                self._begin_call(item, data)
                self._replace_arguments(item, data.get("arguments"))
            elif text := str(data.get("delta") or ""):
                self._grow_call(item, ToolArgsDelta(item.key, text))
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

    def _read_envelope(self, kind: str, data: Data) -> None:
        """Read what concerns the whole response."""
        response = as_dict(data.get("response"))
        match kind:
            case "response.created":
                self.inform(response.get("model"), response.get("id"))
            case "response.completed" | "response.incomplete" | "response.failed" | "response.done" | "response.cancelled":
                self._finish(response.get("status") or kind.removeprefix("response."), response)
            case "error":
                self.fail(data.get("error") or data)
            case "" if isinstance(data.get("output"), list):
                self._finish(data.get("status") or "done", data)  # it came in one piece, though a stream was asked for
            case _ if error := error_in(data, bare=not kind.startswith("response.")):
                self.fail(error)
            case _ if kind and not kind.startswith(_SILENT):
                self.unknown(kind)

    def _begin_item(self, data: Data, item: Data) -> None:
        self._last_names = ()
        if (kind := item.get("type")) in _KINDS:
            known = self._items.begun(kind, data, item)
            if kind == "function_call":
                self._begin_call(known, item)

    def _end_item(self, data: Data, item: Data) -> None:
        if (kind := item.get("type")) in _KINDS:
            texts = [part.get("text") or part.get("refusal") for part in (*dicts(item.get("summary")), *_content(item))]
            text = "".join(text for text in texts if isinstance(text, str))
            self._end(self._items.ended(kind, data, item, text), item)
        else:
            self._end_other(item)

    def _end(self, known: Item, item: Data) -> None:
        """Read an item that is whole: what did not come of it yet, and what goes back."""
        known.open = False
        match known.kind:
            case "reasoning":
                for where, kind in _PARTS.items():
                    for number, part in enumerate(dicts(item.get(where))):
                        self._add_whole_text(known, known.place(kind, number), part.get("text"))
                if item.get("encrypted_content"):  # without it the service could not read the item again
                    signature = str(item.get("id") or NAME)
                    kept = block_part(NAME, _to_send(item), text="", thought=True, thoughtSignature=signature)
                    self.events.append(PartReceived(kept))
            case "message":
                self._end_message(known, item)
            case _:
                self._begin_call(known, {"name": "?", **item} if known.early else item)
                self._replace_arguments(known, item.get("arguments"))
                self.events += [ToolCallEnd(known.key)] if known.begun else []

    def _end_message(self, known: Item, item: Data) -> None:
        for number, part in enumerate(_content(item)):
            kind = str(part.get("type"))
            place = known.place(_ALIKE.get(kind, kind), number)
            if place[1] == "output_text":
                self._add_whole_text(known, place, part.get("text"))
                notes = [*dicts(part.get("annotations")), *dicts(self._notes.pop(place, (known, []))[1])]
                self._cite(place, part.get("text"), notes)
            elif kind == "refusal":
                self._add_whole_text(known, place, part.get("refusal"))
            else:
                self.unknown(kind)
        if isinstance(phase := item.get("phase"), str):
            self.events.append(PartReceived(block_part(NAME, {"type": "message", "phase": phase})))

    def _end_other(self, item: Data) -> None:
        kind = str(item.get("type"))
        self._others[kind] += 1
        match kind:
            case "code_interpreter_call":
                self._last = _NOWHERE
                if isinstance(code := item.get("code"), str):
                    self.keep({"executableCode": {"language": "PYTHON", "code": code}})
                outputs = [entry["logs"] for entry in dicts(item.get("outputs")) if isinstance(entry.get("logs"), str)]
                outcome = "OUTCOME_FAILED" if item.get("status") in ("failed", "incomplete") else "OUTCOME_OK"
                if outputs or outcome != "OUTCOME_OK":
                    self.keep({"codeExecutionResult": {"outcome": outcome, "output": "\n".join(outputs)}})
            case "web_search_call":
                self.events.append(PartReceived(block_part(NAME, _to_send(item))))
                action = as_dict(item.get("action"))
                for query in as_list(action.get("queries") or [action.get("query")]):
                    self.sources.add_query(query if isinstance(query, str) else "")
                self.cite()
            case _:
                self.unknown(kind)

    def _finish(self, status: Any, response: Data) -> None:
        """Read how it ended, and, of all that it holds, what never came by itself."""
        self._ended = True
        self.inform(response.get("model"), response.get("id"))
        reason = str(as_dict(response.get("incomplete_details")).get("reason") or "")
        well = end_state(str(status)) == "complete" and not is_limit(reason)
        self._catch_up(dicts(response.get("output")))
        if not self._answered and isinstance(text := response.get("output_text"), str):  # as the SDK writes all text in one
            item = self._items.continued("message", {})
            self._add_whole_text(item, item.place("output_text", 0), text)
        self._flush(whole=well)
        self._cite_rest()
        if isinstance(usage := response.get("usage"), dict) and usage:
            self.events.append(UsageReport(usage_of(usage, "input", "output")))
        if status == "failed":
            self.fail(response.get("error"))
        elif self._refused:
            self.events.append(Finish("blocked", "refusal", "".join(self._refused)))
        elif reason == "content_filter":
            self.events.append(Finish("blocked", reason))
        elif well:
            self._end_calls()
            self.events.append(Finish("complete", "completed"))
        elif is_limit(reason) or (not reason and status in _CUT):
            self.events.append(Finish("truncated", reason or "incomplete"))
        else:
            self._end_calls()
            self.events.append(Finish("truncated", reason or str(status)))

    def _catch_up(self, output: list[Data]) -> None:
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
        self._flush(whole=whole)
        self._cite_rest()
        if whole and not self._ended:
            self._end_calls()


def _to_send(item: Data) -> Data:
    """Return what of an item goes back."""
    return {name: value for name, value in item.items() if name not in ("id", "status") and value is not None}


def _content(item: Data) -> list[Data]:
    """Return the content of a message, which some write as a text."""
    content = item.get("content")
    return [{"type": "output_text", "text": content}] if isinstance(content, str) else dicts(content)


def _flat(note: Data) -> Data:
    """Return a note on a page, which routers wrap as Chat Completions does; nothing for one on a file."""
    inside = note.get("url_citation")
    return inside if isinstance(inside, dict) else note if note.get("type") == "url_citation" else {}


def _span(note: Data, text: str) -> tuple[int, int] | None:
    """Return which characters a note is about."""
    first, last = note.get("start_index"), note.get("end_index")
    return (first, last) if type(first) is int and type(last) is int and 0 <= first < last <= len(text) else None


def _offsets(text: str, places: Iterable[int]) -> dict[int, int]:
    """Return for places in a text, in characters, the same in bytes."""
    found, before, length = {}, 0, 0
    for place in sorted(places):
        length += len(_bytes(text[before:place]))
        found[place] = length
        before = place
    return found


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
