"""OpenAI's Responses: items that begin, grow and end, each event with its number; conversations can be kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbgemini.offline.http_server import HttpRequest
from tests.fakes.dialects.base import Question, arguments, gemini_body, grouped, result_part
from tests.fakes.dialects.conversation_store import ConversationStore
from tests.fakes.dialects.errors import RequestError, shaped
from tests.fakes.dialects.event_writer import Writer
from tests.fakes.dialects.models import gpt
from tests.fakes.dialects.openai_common import OpenAI, file_part, form_of
from tests.fakes.dialects.openai_responses_request import (
    Asked,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    Item_,
    Message,
    OutputText,
    Part_,
    Reasoning,
    Refusal,
    check,
    with_types,
)
from tests.fakes.dialects.openai_responses_writer import ResponseWriter


class Responses(OpenAI):
    """The Responses API."""

    def __init__(self) -> None:
        """Begin with nothing kept."""
        self._kept = ConversationStore()

    def read(self, _request: HttpRequest, body: Any) -> Question:
        """Read a request for a response."""
        asked = shaped(with_types(body), Asked)
        model = gpt(asked.model)
        items = [*self._earlier(asked), *_given(asked)]
        check(asked, items, self._kept.items)
        thinks = not (asked.reasoning and asked.reasoning.effort == "none")
        return Question(model, _body(asked, items, thinks=thinks), (asked, items), bool(asked.stream), thinks)

    def writer(self, question: Question, number: int) -> Writer:
        """Return the writer of a response."""
        return ResponseWriter(question.asked[0], number)

    def keep(self, question: Question, answer: dict[str, Any]) -> None:
        """Keep the conversation, unless that is not wanted."""
        asked, items = question.asked
        if asked.store is not False:
            said = shaped({"model": "", "input": answer["output"]}, Asked).input
            self._kept.keep(answer["id"], [*items, *said], {item["id"] for item in answer["output"]})

    def _earlier(self, asked: Asked) -> list[Item_]:
        if asked.previous_response_id is None:
            return []
        if (items := self._kept.found(asked.previous_response_id)) is None:
            message = f"Previous response with id '{asked.previous_response_id}' not found."
            raise RequestError(400, message, param="previous_response_id", code="previous_response_not_found")
        return items


def _given(asked: Asked) -> list[Item_]:
    return [Message(role="user", content=asked.input)] if isinstance(asked.input, str) else asked.input


def _body(asked: Asked, items: list[Item_], *, thinks: bool) -> dict[str, Any]:
    names = {item.call_id: item.name for item in items if isinstance(item, FunctionCall)}
    told = [item for item in items if isinstance(item, Message) and item.role in ("system", "developer")]
    system = [asked.instructions or "", *(_words(item.content) for item in told)]
    contents = [{"role": _role(item), "parts": list(_parts(item, names))} for item in items if item not in told]
    return gemini_body(
        grouped(contents),
        system="\n".join(filter(None, system)),
        tools={str(tool["name"]): tool.get("parameters") for tool in asked.tools if tool.get("type") == "function"},
        choice=asked.tool_choice,
        thinks=thinks,
        most=asked.max_output_tokens,
        **form_of(asked.text.format if asked.text else None),
    )


def _role(item: Item_) -> str:
    said = isinstance(item, FunctionCallOutput) or (isinstance(item, Message) and item.role == "user")
    return "user" if said else "model"


def _parts(item: Item_, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield an item as Gemini writes it; thoughts are for those who thought them."""
    match item:
        case Message(content=content):
            yield from ([{"text": content}] if isinstance(content, str) else map(_part, content))
        case FunctionCall(call_id=id_, name=name):
            yield {"functionCall": {"id": id_, "name": name, "args": arguments(item.arguments)}}
        case FunctionCallOutput(call_id=id_, output=output):
            yield result_part(names[id_], id_, _words(output))
        case Reasoning():
            return


def _part(part: Part_) -> dict[str, Any]:
    match part:
        case InputText(text=text) | OutputText(text=text) | Refusal(refusal=text):
            return {"text": text}
        case InputImage():
            return file_part(part.image_url or part.file_id or "")
    return file_part(part.file_data or part.file_url or part.file_id or "")


def _words(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.text if isinstance(part, InputText | OutputText) else "[file]" for part in content)
