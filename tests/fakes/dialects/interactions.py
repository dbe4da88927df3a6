"""Google's Interactions: steps that begin, grow and end; conversations are kept unless `store` is false.

The codes of errors that no page of Google's shows are its older ones in small letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from nbgemini.offline.http_server import HttpRequest
from nbgemini.offline.models import family, resolve
from nbgemini.offline.requests import version_of
from tests.fakes.dialects.base import Question, gemini_body, grouped, result_part
from tests.fakes.dialects.conversation_store import ConversationStore
from tests.fakes.dialects.errors import RequestError, ShapeError, shaped
from tests.fakes.dialects.event_writer import Writer
from tests.fakes.dialects.interactions_request import (
    Asked,
    Config,
    Content,
    FunctionCall,
    FunctionResult,
    ModelOutput,
    Step_,
    Text,
    Thought,
    UserInput,
    check,
    with_steps,
)
from tests.fakes.dialects.interactions_writer import InteractionWriter

_CODES = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "aborted",
    429: "resource_exhausted",
    500: "internal",
    503: "unavailable",
    504: "deadline_exceeded",
}


class Interactions:
    """The Interactions API."""

    calls = "fc_offline"

    def __init__(self) -> None:
        """Begin with nothing kept."""
        self._kept = ConversationStore()

    def allow(self, request: HttpRequest) -> None:
        """Check the key, as all of Google's services do."""
        version_of(request)

    def look(self, _request: HttpRequest) -> Any:
        """Find nothing: interactions can be gone on with, but not read again."""
        raise RequestError(404, "Requested entity was not found.")

    def read(self, request: HttpRequest, body: Any) -> Question:
        """Read a request for an interaction."""
        asked = shaped(with_steps(body), Asked)
        version = version_of(request)
        model = resolve(asked.model.removeprefix("models/"), version)
        if model is None:
            raise RequestError(404, f"models/{asked.model} is not found for API version {version}.")
        steps = [*self._earlier(asked), *asked.input]
        check(asked, steps)
        thinks = family(model).thinks
        return Question(model, _body(asked, steps, thinks=thinks), (asked, steps), asked.stream, thinks)

    def writer(self, question: Question, number: int) -> Writer:
        """Return the writer of an interaction."""
        config = question.asked[0].generation_config
        return InteractionWriter(question.model, number, shows=bool(config and config.thinking_summaries == "auto"))

    def keep(self, question: Question, answer: dict[str, Any]) -> None:
        """Keep the conversation, unless that is not wanted."""
        asked, steps = question.asked
        if asked.store:
            self._kept.keep(answer["id"], [*steps, *shaped(answer["steps"], list[Step_])])

    def misshapen(self, found: ShapeError) -> RequestError:
        """Say it as the Interactions API does."""
        *outer, name = found.path or ["body"]
        where = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in outer).removeprefix(".")
        at = f" at '{where}'" if where else ""
        match found.fault:
            case "missing":
                return RequestError(400, f"The required parameter '{name}' is missing{at}.")
            case "unknown":
                return RequestError(400, f"Unknown parameter '{name}'{at}.")
        return RequestError(400, f"The value for '{name}'{at} is not supported: {found.said}.")

    def error(self, declined: RequestError, _number: int) -> Any:
        """Return the error as the Interactions API writes it."""
        return {"error": {"code": declined.code or _CODES.get(declined.status, "unknown"), "message": str(declined)}}

    def _earlier(self, asked: Asked) -> list[Step_]:
        if asked.previous_interaction_id is None:
            return []
        if (steps := self._kept.found(asked.previous_interaction_id)) is None:
            raise RequestError(404, f"Interaction '{asked.previous_interaction_id}' not found.")
        return steps


def _allowed(choice: Any) -> Any:
    """Return a choice without the envelope that names several tools: the first of them is called."""
    inside = choice.get("allowed_tools") if isinstance(choice, dict) else None
    if not isinstance(inside, dict):
        return choice
    names = inside.get("tools")
    return {"mode": inside.get("mode"), "name": names[0] if isinstance(names, list) and names else None}


def _body(asked: Asked, steps: list[Step_], *, thinks: bool) -> dict[str, Any]:
    names = {step.id: step.name for step in steps if isinstance(step, FunctionCall)}
    contents = [
        {"role": "user" if isinstance(step, UserInput | FunctionResult) else "model", "parts": list(_parts(step, names))}
        for step in steps
    ]
    formats = asked.response_format if isinstance(asked.response_format, list) else [asked.response_format or {}]
    form = next((format_ for format_ in formats if format_.get("mime_type") == "application/json"), None)
    config = asked.generation_config or Config()
    return gemini_body(
        grouped(contents),
        system=asked.system_instruction,
        tools={str(tool["name"]): tool.get("parameters") for tool in asked.tools if tool.get("type") == "function"},
        choice=_allowed(config.tool_choice),
        thinks=thinks,
        most=config.max_output_tokens,
        stops=config.stop_sequences or (),
        form=(form or {}).get("schema"),
        is_json=form is not None or asked.response_mime_type == "application/json",
    )


def _parts(step: Step_, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a step as Gemini writes it; thoughts are for those who thought them."""
    match step:
        case UserInput(content=content) | ModelOutput(content=content):
            yield from ([{"text": content}] if isinstance(content, str) else map(_part, content))
        case FunctionCall(id=id_, name=name, arguments=args):
            yield {"functionCall": {"id": id_, "name": name, "args": args}}
        case FunctionResult(call_id=id_, result=result):
            yield result_part(names[id_], id_, _result(result))
        case Thought():
            return


def _part(content: Content) -> dict[str, Any]:
    if isinstance(content, Text):
        return {"text": content.text}
    if content.data is not None:
        return {"inlineData": {"mimeType": content.mime_type, "data": content.data}}
    return {"fileData": {"mimeType": content.mime_type, "fileUri": content.uri or ""}}


def _result(result: Any) -> Any:
    """Return the text of a result that is a list of contents; any other as it is."""
    if isinstance(result, list):
        return "".join(str(item.get("text", "[file]")) for item in result if isinstance(item, dict))
    return msgspec.to_builtins(result)
