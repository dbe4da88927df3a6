"""The events of an interaction's stream as events: it tells of steps, each begun, continued and ended under its number.

Invariant: whatever a frame holds, decoding gives events or one WireError.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from nbgemini.messages.events import (
    WHOLE,
    Citations,
    CodeResult,
    Continuation,
    Done,
    Event,
    ExecutedCode,
    Fault,
    Finish,
    PartReceived,
    ResponseInfo,
    ToolArgsDelta,
    ToolArgsText,
    ToolCallEnd,
    ToolCallStart,
    Unknown,
    UsageReport,
)
from nbgemini.messages.turns import ORIGIN, Usage
from nbgemini.providers.common.citations import CitationBuilder
from nbgemini.providers.common.json import as_count, as_list, dicts, load_frame
from nbgemini.providers.common.parts import read_part
from nbgemini.transport.api_errors import error_from_data, error_in
from nbgemini.transport.framing import DONE

_MOST = 5_000  # of each kind; a hostile service could send any number
_ADDRESSES = ("url", "document_uri", "source")  # where a citation leads: a page, a place on the map, a file
_TITLES = ("title", "name", "file_name")


class _CitationReader:
    """The citations of one stream, which come bit by bit."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known = CitationBuilder(_MOST)

    def search(self, step: Mapping[str, Any]) -> None:
        """Take a step of the service's own: what it looked for, or which pages it read."""
        kind, arguments = step.get("type"), step.get("arguments")
        if kind == "google_search_call" and isinstance(arguments, Mapping):
            for query in as_list(arguments.get("queries"))[:_MOST]:
                self._known.add_query(str(query or ""))
        if kind == "url_context_result":
            for page in (page for page in dicts(step.get("result"))[:_MOST] if page.get("url")):
                status = str(page.get("status") or "unknown")
                self._known.add_page(str(page["url"]), "" if status == "success" else status)

    def passages(self, annotations: Any, said: bytes | bytearray) -> None:
        """Take the annotations of a text in UTF-8, whose places are counted in bytes."""
        for item in dicts(annotations)[:_MOST]:
            number = self._known.add_source(_first(item, _ADDRESSES), _first(item, _TITLES))
            start, end = as_count(item.get("start_index")), as_count(item.get("end_index"))
            if end > start:
                self._known.add_passage(start, end, said[start:end].decode("utf-8", "replace"), [number])

    def news(self) -> Iterable[Citations]:
        """Yield all that is known, if more is known than was told."""
        if news := self._known.news():
            yield news


def _first(item: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((str(item[name]) for name in names if item.get(name)), "")


NAME = "interactions"

_HTTP = {
    "invalid_request": 400, "parameter_unknown": 400, "failed_precondition": 400, "authentication": 401,
    "payment_required": 402, "permission_denied": 403, "not_found": 404, "model_not_found": 404, "already_exists": 409,
    "aborted": 409, "out_of_range": 416, "rate_limit_exceeded": 429, "quota_exceeded": 429, "too_many_requests": 429,
    "cancelled": 499, "api_error": 500, "unimplemented": 501, "service_unavailable": 503, "deadline_exceeded": 504,
    "gateway_timeout": 504,
}  # fmt: skip
_WITHHELD = {
    "safety", "recitation", "language", "prohibited_content", "spii", "blocklist", "image_safety", "image_prohibited_content",
    "image_recitation", "image_other", "content_blocked",
}  # fmt: skip
_MISSHAPEN = {
    "malformed_function_call", "malformed_tool_call", "unexpected_tool_call", "no_image", "too_many_tool_calls",
    "missing_thought_signature",
}  # fmt: skip
_COMPLETE = ("completed", "requires_action")  # the latter waits for us to answer calls
_GOING_ON = ("in_progress", "queued")
_CUT = ("incomplete", "cancelled", "budget_exceeded")


def ended(interaction: Mapping[str, Any]) -> Iterable[Event]:
    """Yield what the status of an interaction says of its end; nothing while it goes on."""
    status = str(interaction.get("status") or "")
    if status in _COMPLETE:
        yield Finish("complete", status)
    elif status in _CUT:
        yield Finish("truncated", status.upper())
    elif status == "requires_continuation":
        yield from _cut_in_two(interaction)
    elif status == "failed":
        for error in dicts(interaction.get("errors")) or [
            {"message": "the interaction failed, and the service does not say why"}
        ]:
            yield error_event(error)
    elif status and status not in _GOING_ON:
        yield Finish("truncated", status.upper())


def error_event(error: Any) -> Fault | Finish:
    """Return what an error says: withheld, broken off, or a fault."""
    if not isinstance(error, Mapping):
        return Fault(error_from_data(0, {"message": str(error)}))
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    if code in _WITHHELD:
        return Finish("blocked", code.upper(), message)
    if code in _MISSHAPEN:
        return Finish("truncated", code.upper(), message)
    if code not in _HTTP:
        return Fault(error_from_data(0, dict(error)))
    status = "NOT_FOUND" if code == "model_not_found" else code.upper()
    daily = {"quota": "PerDay"} if code == "quota_exceeded" else {}  # as Google's other API names a quota of a day
    return Fault(error_from_data(_HTTP[code], {**error, "code": _HTTP[code], "status": status, **daily}))


def _cut_in_two(interaction: Mapping[str, Any]) -> Iterable[Event]:
    token = interaction.get("continuation_token")
    if token and isinstance(token, str):
        yield Continuation(token)
    yield Finish("truncated", "CONTINUATION")


Block: TypeAlias = dict[str, Any]

_MEDIA = ("image", "audio", "video", "document")
_ECHOES = ("user_input", "function_result")  # of what we have said ourselves
_SHOWN_ELSEWHERE = ("google_search_call", "google_search_result", "url_context_call", "url_context_result")


class _Spoken:
    """Something for the reader: an answer, or a thought, which goes back with its signature."""

    def __init__(self, block: Block, cited: _CitationReader, *, thought: bool) -> None:
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
            yield error_event(self._block["error"])
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

    def __init__(self, block: Block, cited: _CitationReader) -> None:
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
            yield ExecutedCode(source, language)
        elif kind == "code_execution_result":
            output, failed = _output(result), self._block.get("is_error") is True
            outcome = "OUTCOME_FAILED" if failed else "OUTCOME_OK"
            yield PartReceived({"codeExecutionResult": {"outcome": outcome, "output": output}, **origin})
            yield CodeResult(output, not failed)
        else:
            yield _carried(self._block)
            if kind not in _SHOWN_ELSEWHERE:
                yield Unknown(str(kind))


Step: TypeAlias = _Spoken | _Call | _Own


def step_of(key: str, block: Block, cited: _CitationReader) -> Step:
    """Return the step that begins with `block`."""
    kind = block.get("type")
    if kind in ("text", *_MEDIA):  # content without a step around it, as whole answers had it before there were steps
        return _Spoken({"content": [block]}, cited, thought=False)
    if kind in ("model_output", "thought"):
        return _Spoken(block, cited, thought=kind == "thought")
    if kind == "function_call":
        return _Call(key, block)
    return _Own(block, cited)


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


_COUNTS = ("input_", "thought_", "output_", "cached_", "tool_use_", "")


class InteractionDecoder:
    """One stream. The service may cut an answer in two within it: then their tokens are counted together."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._steps: dict[str, Step] = {}
        self._cited = _CitationReader()
        self._earlier, self._usage = Usage(), Usage()

    def feed(self, frame: bytes) -> list[Event]:
        """Return what the next frame says.

        Raises:
            WireError: it is not JSON.
        """
        data = load_frame(frame)
        if isinstance(data, list) and data:
            data = data[0]  # errors come wrapped in an array where another framing was asked for
        if isinstance(data, dict):
            return list(self._read(data))
        return [*self._ends(), Done()] if data == DONE else []

    def _read(self, data: dict[str, Any]) -> Iterable[Event]:
        match data:
            case {"event_type": "step.start", "step": dict(step)}:
                yield from self._begin(str(data.get("index")), step)
            case {"event_type": "step.delta", "delta": dict(delta)}:
                yield from self._go_on(str(data.get("index")), delta)
            case {"event_type": "step.stop"}:
                yield from self._end(str(data.get("index")))
            case {"event_type": "interaction.created", "interaction": dict(interaction)}:
                self._earlier, self._usage = self._earlier + self._usage, Usage()
                yield from _named(interaction)
            case {"event_type": "interaction.completed", "interaction": dict(interaction)}:
                yield from self._close(interaction)
            case {"event_type": "interaction.status_update"}:
                yield from self._counted(data.get("usage"))
            case _ if data:
                yield from self._read_other(data)

    def _read_other(self, data: dict[str, Any]) -> Iterable[Event]:
        """Read what is no event of a stream that goes well: an error, a whole answer, something newer."""
        match data:
            case {"steps": list(steps)} | {"outputs": list(steps)}:
                yield from self._whole(data, steps)
            case _ if error := error_in(data, bare="event_type" not in data):
                yield error_event(error)
            case _:
                yield Unknown(str(data.get("event_type") or next(iter(data))))

    def _begin(self, key: str, block: dict[str, Any]) -> Iterable[Event]:
        step = self._steps[key] = step_of(key, block, self._cited)
        yield from step.begin()

    def _go_on(self, key: str, delta: dict[str, Any]) -> Iterable[Event]:
        if key not in self._steps:  # what it belongs to was not told
            yield from self._begin(key, {"type": "thought" if str(delta.get("type")).startswith("thought") else "model_output"})
        yield from self._steps[key].go_on(delta)

    def _end(self, key: str) -> Iterable[Event]:
        step = self._steps.pop(key, None)
        if step:
            yield from step.end()
            yield from self._cited.news()

    def _ends(self) -> Iterable[Event]:
        """Yield what the steps say whose ends did not come, as the stream has ended."""
        for key in list(self._steps):
            yield from self._end(key)

    def _close(self, interaction: dict[str, Any]) -> Iterable[Event]:
        yield from self._ends()
        yield from self._counted(interaction.get("usage"))
        yield from _named(interaction)
        yield from ended(interaction)

    def _counted(self, usage: Any) -> Iterable[Event]:
        if isinstance(usage, Mapping):
            asked, thought, said, cached, by_tools, total = (as_count(usage.get(f"total_{name}tokens")) for name in _COUNTS)
            self._usage = Usage(asked, thought, said, cached, by_tools, total or asked + thought + said + by_tools)
            yield UsageReport(self._earlier + self._usage)

    def _whole(self, interaction: dict[str, Any], steps: list[Any]) -> Iterable[Event]:
        """Read an interaction that came at once, as gateways do that don't stream."""
        for number, step in enumerate(dicts(steps)):
            yield from self._begin(str(number), step)
            yield from self._end(str(number))
        yield from self._close(interaction)
        if not interaction.get("status"):
            yield WHOLE


def _named(interaction: dict[str, Any]) -> Iterable[Event]:
    if model := interaction.get("model"):
        yield ResponseInfo(str(model), str(interaction.get("id") or ""))
