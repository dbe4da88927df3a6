"""Anthropic's protocol: messages, counted tokens and models, as api.anthropic.com speaks them in both of its versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbgemini.offline.http_server import HttpRequest
from nbgemini.offline.stream import count_tokens
from tests.fakes.dialects.answer_runs import Run, Speech
from tests.fakes.dialects.anthropic_request import (
    Any_,
    Asked,
    Block,
    Counted,
    Document,
    Image,
    Text,
    ToolResult,
    ToolUse,
    turns,
)
from tests.fakes.dialects.anthropic_rules import VERSIONS, check, thinks
from tests.fakes.dialects.base import Question, gemini_body, result_part
from tests.fakes.dialects.errors import RequestError, ShapeError, is_bad, key_in, shaped
from tests.fakes.dialects.event_writer import Event, Writer
from tests.fakes.dialects.models import claude, claude_entry, claude_page
from tests.fakes.dialects.seals import seal

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STOPS = {"STOP": "end_turn", "MAX_TOKENS": "max_tokens"}
_STARTS: dict[str, dict[str, Any]] = {
    "thought": {"type": "thinking", "thinking": "", "signature": ""},
    "text": {"type": "text", "text": ""},
}


class Anthropic:
    """Anthropic's protocol."""

    calls = "toolu_offline"

    def allow(self, request: HttpRequest) -> None:
        """Check the key and the version."""
        key, version = key_in(request.headers, "x-api-key"), request.headers.get("anthropic-version")
        if not key:
            raise RequestError(401, "x-api-key header is required")
        if is_bad(key):
            raise RequestError(401, "invalid x-api-key")
        if not version:
            raise RequestError(400, "anthropic-version: header is required")
        if version not in VERSIONS:
            raise RequestError(400, f'anthropic-version: "{version[:40]}" is not a valid version')

    def look(self, request: HttpRequest) -> Any:
        """Return the models, or one."""
        name = request.path.removeprefix("/v1/models").strip("/")
        return claude_entry(name) if name else claude_page(request.query)

    def read(self, request: HttpRequest, body: Any) -> Question | dict[str, Any]:
        """Read a request for a message or for its tokens."""
        counts = request.path.endswith("/count_tokens")
        asked: Counted = shaped(body, Counted) if counts else shaped(body, Asked)
        model = claude(asked.model)
        check(asked, model, request.headers["anthropic-version"])
        neutral = _body(asked, thinks=thinks(asked, model))
        if not isinstance(asked, Asked):
            return {"input_tokens": count_tokens(neutral["contents"])}
        return Question(model.name, neutral, asked, asked.stream, thinks(asked, model))

    def writer(self, question: Question, number: int) -> Writer:
        """Return the writer of a message."""
        asked: Asked = question.asked
        display = asked.thinking.display if asked.thinking else None
        shows = display == "summarized" if display else claude(question.model).shows
        return _Writer(question.model, number, shows=shows)

    def keep(self, question: Question, answer: dict[str, Any]) -> None:
        """Keep nothing: a request holds the whole chat."""

    def misshapen(self, found: ShapeError) -> RequestError:
        """Say it as Anthropic does."""
        said = {"missing": "Field required", "unknown": "Extra inputs are not permitted"}.get(found.fault, found.said)
        return RequestError(400, f"{'.'.join(found.path)}: {said}".removeprefix(": "))

    def error(self, declined: RequestError, number: int) -> Any:
        """Return the error as Anthropic writes it."""
        kind = declined.kind or _KINDS.get(declined.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": str(declined)}, "request_id": f"req_offline_{number}"}


def _body(asked: Counted, *, thinks: bool) -> dict[str, Any]:
    names = {block.id: block.name for message in asked.messages for block in message.blocks if isinstance(block, ToolUse)}
    contents = [
        {
            "role": "model" if message.role == "assistant" else "user",
            "parts": [part for block in message.blocks for part in _parts(block, names)],
        }
        for message in turns(asked.messages)
    ]
    system = asked.system if isinstance(asked.system, str) else "".join(block.text for block in asked.system)
    format_ = asked.output_config.format if asked.output_config else None
    form: dict[str, Any] = {"is_json": True, "form": format_.schema} if format_ else {}
    bounds: dict[str, Any] = {"most": asked.max_tokens, "stops": asked.stop_sequences} if isinstance(asked, Asked) else {}
    choice = {"type": asked.tool_choice.type, "name": asked.tool_choice.name} if asked.tool_choice else None
    tools = {str(tool.get("name")): tool.get("input_schema") for tool in asked.tools}
    return gemini_body(contents, system=system, tools=tools, choice=choice, thinks=thinks, **form, **bounds)


def _parts(block: Any_, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a block as Gemini writes it; thinking is for the model that thought it."""
    match block:
        case Text(text=text):
            yield {"text": text}
        case Image(source=source) | Document(source=source):
            if source.type == "text":
                yield {"text": source.data}
            elif source.type == "base64":
                yield {"inlineData": {"mimeType": source.media_type, "data": source.data}}
            else:
                yield {"fileData": {"mimeType": source.media_type, "fileUri": source.url or source.file_id}}
        case ToolUse(id=id_, name=name, input=args):
            yield {"functionCall": {"id": id_, "name": name, "args": args}}
        case ToolResult(tool_use_id=id_, content=content):
            yield result_part(names[id_], id_, _result(content))


def _result(content: str | list[Text | Image | Document] | None) -> str:
    if isinstance(content, list):
        return "".join(block.text if isinstance(block, Text) else f"[{_name(block)}]" for block in content)
    return content or ""


def _name(block: Block) -> str:
    return str(block.__struct_config__.tag)


class _Writer:
    """Writes a message: a block for each run."""

    names = True

    def __init__(self, model: str, number: int, *, shows: bool) -> None:
        self._head = {"id": f"offline-msg_{number}", "type": "message", "role": "assistant", "model": model}
        self._shows = shows

    def begin(self, speech: Speech) -> list[Event]:
        usage = {**_asked(speech), "output_tokens": 1, "service_tier": "standard"}
        message: dict[str, Any] = {**self._head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        return [_event("message_start", message=message), _event("ping")]

    def opening(self, index: int, run: Run) -> list[Event]:
        block = _STARTS.get(run.kind) or {"type": "tool_use", "id": run.id, "name": run.name, "input": {}}
        begun = [_event("content_block_start", index=index, content_block=block)]
        return [*begun, _delta(index, "input_json_delta", partial_json="")] if run.kind == "call" else begun

    def delta(self, index: int, run: Run, text: str) -> list[Event]:
        match run.kind:
            case "thought":
                return [_delta(index, "thinking_delta", thinking=text)] if self._shows else []
            case "text":
                return [_delta(index, "text_delta", text=text)]
            case "call":
                return [_delta(index, "input_json_delta", partial_json=text)]

    def closing(self, index: int, run: Run) -> list[Event]:
        signed = [_delta(index, "signature_delta", signature=seal(self._thinking(run)))] if run.kind == "thought" else []
        return [*signed, _event("content_block_stop", index=index)]

    def end(self, speech: Speech) -> list[Event]:
        delta = {"stop_reason": _stop(speech), "stop_sequence": None}
        return [_event("message_delta", delta=delta, usage=_usage(speech)), _event("message_stop")]

    def fault(self, message: str) -> list[Event]:
        return [_event("error", error={"type": "overloaded_error", "message": message})]

    def whole(self, speech: Speech) -> dict[str, Any]:
        content = [self._block(run) for run in speech.runs]
        stop = _stop(speech) if speech.finish is not None else None
        usage = {**_usage(speech), "service_tier": "standard"}
        return {**self._head, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}

    def _block(self, run: Run) -> dict[str, Any]:
        match run.kind:
            case "thought":
                return {"type": "thinking", "thinking": self._thinking(run), "signature": seal(self._thinking(run))}
            case "text":
                return {"type": "text", "text": run.text}
            case "call":
                return {"type": "tool_use", "id": run.id, "name": run.name, "input": run.args}

    def _thinking(self, run: Run) -> str:
        return run.text if self._shows else ""


def _event(name: str, **data: Any) -> Event:
    return name, {"type": name, **data}


def _delta(index: int, kind: str, **data: str) -> Event:
    return _event("content_block_delta", index=index, delta={"type": kind, **data})


def _stop(speech: Speech) -> str:
    stop = _STOPS.get(str(speech.finish), "refusal")
    return "tool_use" if speech.calls and stop == "end_turn" else stop


def _asked(speech: Speech) -> dict[str, int]:
    return {"input_tokens": speech.asked, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def _usage(speech: Speech) -> dict[str, Any]:
    made = speech.thought + speech.made
    return {**_asked(speech), "output_tokens": made, "output_tokens_details": {"thinking_tokens": speech.thought}}
