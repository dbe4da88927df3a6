"""The events of an interaction's stream as events: it tells of steps, each begun, continued and ended under its number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbgemini.messages.events import WHOLE, Continuation, Fault, Finish, PartReceived, UsageReport
from nbgemini.messages.turns import Usage
from nbgemini.providers.common.decoder import Block, BlockDecoder, CallBlock, Data
from nbgemini.providers.common.json import as_count, as_dict, as_list, dicts, usage_in
from nbgemini.providers.common.parts import block_part
from nbgemini.transport.api_errors import error_from_data, error_in

NAME = "interactions"

_MOST = 5_000  # of each kind; a hostile service could send any number
_ADDRESSES = ("url", "document_uri", "source")  # where a citation leads: a page, a place on the map, a file
_TITLES = ("title", "name", "file_name")
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
_MEDIA = ("image", "audio", "video", "document")
_ECHOES = ("user_input", "function_result")  # of what we have said ourselves
_SHOWN_ELSEWHERE = ("google_search_call", "google_search_result", "url_context_call", "url_context_result")
_COUNTS = [f"total_{name}tokens" for name in ("input_", "thought_", "output_", "cached_", "tool_use_", "")]


def _error_event(error: Any) -> Fault | Finish:
    """Return what an error says: withheld, broken off, or a fault."""
    if not isinstance(error, Mapping):
        return Fault(error_from_data(0, {"message": str(error)}))
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    if code in _WITHHELD | _MISSHAPEN:
        return Finish("blocked" if code in _WITHHELD else "truncated", code.upper(), message)
    if code not in _HTTP:
        return Fault(error_from_data(0, dict(error)))
    status = "NOT_FOUND" if code == "model_not_found" else code.upper()
    daily = {"quota": "PerDay"} if code == "quota_exceeded" else {}  # as Google's other API names a quota of a day
    return Fault(error_from_data(_HTTP[code], {**error, "code": _HTTP[code], "status": status, **daily}))


class _SpokenBlock(Block):
    """Something for the reader: an answer, or a thought, which goes back with its signature."""

    provider = NAME

    def begin(self) -> None:
        self._thought = self.start.get("type") == "thought"
        self._said = bytearray()  # in UTF-8, as citations count
        self._signature = str(self.start.get("signature") or "")
        for content in (*dicts(self.start.get("content")), *dicts(self.start.get("summary"))):
            self._say(content, thought=self._thought)
            self._cite(content.get("annotations"), str(content.get("text")).encode())
        if self.start.get("error"):
            self.stream.events.append(_error_event(self.start["error"]))

    def grow(self, delta: Data) -> None:
        match delta.get("type"):
            case "thought_summary":
                self._say(as_dict(delta.get("content")), thought=True)
            case "thought_signature" if self._thought:
                self._signature = str(delta.get("signature") or self._signature)
            case "text_annotation_delta":
                self._cite(delta.get("annotations"), self._said)
            case _:
                self._say(delta, thought=self._thought)

    def end(self) -> None:
        if self._thought and self._signature:
            summary = {"summary": [{"type": "text", "text": self._said.decode()}]} if self._said else {}
            self.stream.events.append(_kept({"type": "thought", **summary, "signature": self._signature}))

    def _say(self, content: Data, *, thought: bool) -> None:
        """Say a piece of content; a text may lack its type."""
        kind, text, mark = content.get("type"), content.get("text"), {"thought": True} if thought else {}
        if isinstance(text, str) and kind in ("text", None):
            self._said += text.encode()
            self.stream.keep({"text": text, **mark})
        elif kind in _MEDIA:
            self.stream.keep({**_media(content), **mark})
        else:
            self.stream.unknown(kind)

    def _cite(self, annotations: Any, said: bytes | bytearray) -> None:
        """Take the annotations of a text in UTF-8, whose places are counted in bytes."""
        sources = self.stream.sources
        for item in dicts(annotations)[:_MOST]:
            number = sources.add_source(_first(item, _ADDRESSES), _first(item, _TITLES))
            start, end = as_count(item.get("start_index")), as_count(item.get("end_index"))
            if end > start:
                sources.add_passage(start, end, said[start:end].decode("utf-8", "replace"), [number])


class _CallBlock(CallBlock):
    """A call of a function of ours."""

    provider = NAME
    arguments = "arguments"
    piece = "arguments_delta", "arguments"


class _OwnBlock(Block):
    """A step of the service's own: its tools, and whatever is newer than this decoder. It goes back as it came."""

    provider = NAME

    def grow(self, delta: Data) -> None:
        # each piece holds its fields whole
        self.start = self.start | {name: value for name, value in delta.items() if name != "type"}

    def end(self) -> None:
        step, kind = self.start, self.start.get("type")
        arguments, result = as_dict(step.get("arguments")), step.get("result")
        if kind == "code_execution_call":
            code, language = str(arguments.get("code") or ""), str(arguments.get("language") or "python").upper()
            self.stream.keep(block_part(NAME, step, executableCode={"language": language, "code": code}))
        elif kind == "code_execution_result":
            outcome = "OUTCOME_FAILED" if step.get("is_error") is True else "OUTCOME_OK"
            self.stream.keep(block_part(NAME, step, codeExecutionResult={"outcome": outcome, "output": _output(result)}))
        elif kind not in _ECHOES:
            self.stream.events.append(_kept(step))
            if kind not in _SHOWN_ELSEWHERE:
                self.stream.unknown(kind)
        if kind == "google_search_call":
            for query in as_list(arguments.get("queries"))[:_MOST]:
                self.stream.sources.add_query(str(query or ""))
        if kind == "url_context_result":
            for page in (page for page in dicts(result)[:_MOST] if page.get("url")):
                status = str(page.get("status") or "unknown")
                self.stream.sources.add_page(str(page["url"]), "" if status == "success" else status)


def _kept(step: Data) -> PartReceived:
    """Return the part that says nothing to a reader, and carries a step to the next request."""
    return PartReceived(block_part(NAME, step, text="", thought=True, thoughtSignature=str(step.get("signature") or "")))


def _media(content: Data) -> Data:
    """Return a picture, a sound or a file in the transcript's words."""
    mime = str(content.get("mime_type") or "")
    if content.get("uri"):
        return {"fileData": {"mimeType": mime, "fileUri": str(content["uri"])}}
    rate = content.get("sample_rate") or content.get("rate")
    facts = {"rate": rate, "channels": content.get("channels")} if mime == "audio/l16" else {}
    mime = ";".join([mime, *(f"{name}={value}" for name, value in facts.items() if type(value) is int)])
    return {"inlineData": {"mimeType": mime, "data": str(content.get("data") or "")}}


def _output(result: Any) -> str:
    """Return what code printed: a text, or the texts of a list of contents."""
    return result if isinstance(result, str) else "".join(str(content.get("text") or "") for content in dicts(result))


def _first(item: Data, names: Iterable[str]) -> str:
    return next((str(item[name]) for name in names if item.get(name)), "")


class InteractionDecoder(BlockDecoder):
    """One stream. The service may cut an answer in two within it: then their tokens are counted together."""

    most_cited = _MOST

    def __init__(self) -> None:
        super().__init__()
        self._earlier, self._usage = Usage(), Usage()

    def _read(self, data: Data) -> None:
        match data:
            case {"event_type": "step.start", "step": dict(step)}:
                self._begin_block(str(data.get("index")), step)
            case {"event_type": "step.delta", "delta": dict(delta)}:
                self._go_on(str(data.get("index")), delta)
            case {"event_type": "step.stop"}:
                self._end_block(str(data.get("index")))
            case {"event_type": "interaction.created", "interaction": dict(interaction)}:
                self._earlier, self._usage = self._earlier + self._usage, Usage()
                self._name(interaction)
            case {"event_type": "interaction.completed", "interaction": dict(interaction)}:
                self._complete(interaction)
            case {"event_type": "interaction.status_update"}:
                self._count(data.get("usage"))
            case {"steps": list(steps)} | {"outputs": list(steps)}:
                self._read_blocks(dicts(steps))
                self._complete(data)
                self.events += [] if data.get("status") else [WHOLE]
            case _ if error := error_in(data, bare="event_type" not in data):
                self.events.append(_error_event(error))
            case _ if data:
                self.unknown(data.get("event_type") or next(iter(data)))

    def _block_of(self, key: str, start: Data) -> Block:
        match start.get("type"):
            case "model_output" | "thought":
                return _SpokenBlock(self, key, start)
            case "function_call":
                return _CallBlock(self, key, start)
            case "text" | "image" | "audio" | "video" | "document":  # whole answers had it before there were steps
                return _SpokenBlock(self, key, {"content": [start]})
        return _OwnBlock(self, key, start)

    def _go_on(self, key: str, delta: Data) -> None:
        if key not in self._blocks:  # what it belongs to was not told
            kind = "thought" if str(delta.get("type")).startswith("thought") else "model_output"
            self._begin_block(key, {"type": kind})
        self._blocks[key].grow(delta)

    def _name(self, interaction: Data) -> None:
        self._informed = False  # each of several interactions has an id
        self.inform(interaction.get("model"), interaction.get("id"))

    def _count(self, usage: Any) -> None:
        if isinstance(usage, Mapping):
            self._usage = usage_in(usage, _COUNTS)
            self.events.append(UsageReport(self._earlier + self._usage))

    def _complete(self, interaction: Data) -> None:
        """Say how an interaction ended; nothing while it goes on."""
        self._close(whole=True)
        self._count(interaction.get("usage"))
        self._name(interaction)
        status, token = str(interaction.get("status") or ""), interaction.get("continuation_token")
        if status in _COMPLETE:
            self.events.append(Finish("complete", status))
        elif status == "requires_continuation":
            self.events += [Continuation(token)] if token and isinstance(token, str) else []
            self.events.append(Finish("truncated", "CONTINUATION"))
        elif status == "failed":
            unnamed = {"message": "the interaction failed, and the service does not say why"}
            self.events += [_error_event(error) for error in dicts(interaction.get("errors")) or [unnamed]]
        elif status and status not in _GOING_ON:
            self.events.append(Finish("truncated", status.upper()))
