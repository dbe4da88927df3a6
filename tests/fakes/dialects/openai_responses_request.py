"""Whether OpenAI would take a request for a response: its shape as types, and the rules that types cannot say."""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from tests.fakes.dialects.errors import RequestError
from tests.fakes.dialects.openai_common import Form
from tests.fakes.dialects.seals import is_seal

Free: TypeAlias = dict[str, Any]


class Part(Struct, tag_field="type", kw_only=True, forbid_unknown_fields=True):
    """Any part of a message."""

    prompt_cache_breakpoint: Free | None = None


class InputText(Part, tag="input_text"):
    """Words of a prompt."""

    text: str


class OutputText(Part, tag="output_text"):
    """Words of an answer."""

    text: str
    annotations: list[Free] | None = None
    logprobs: list[Free] | None = None


class Refusal(Part, tag="refusal"):
    """Words of refusal."""

    refusal: str


class InputImage(Part, tag="input_image"):
    """A picture."""

    detail: str = "auto"
    file_id: str | None = None
    image_url: str | None = None


class InputFile(Part, tag="input_file"):
    """A file."""

    detail: str | None = None
    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None


Part_: TypeAlias = InputText | OutputText | Refusal | InputImage | InputFile


class Item(Struct, tag_field="type", kw_only=True, forbid_unknown_fields=True):
    """Any item of a conversation."""

    id: str | None = None
    status: str | None = None


class Message(Item, tag="message"):
    """What was said."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part_]
    phase: str | None = None


class FunctionCall(Item, tag="function_call"):
    """A call."""

    call_id: str
    name: str
    arguments: str
    namespace: str | None = None
    caller: Free | None = None


class FunctionCallOutput(Item, tag="function_call_output"):
    """What came of it."""

    call_id: str
    output: str | list[InputText | InputImage | InputFile]
    caller: Free | None = None


class Summary(Struct, forbid_unknown_fields=True):
    """Readable thoughts."""

    text: str
    type: Literal["summary_text"]


class Reasoning(Item, tag="reasoning"):
    """What the model thought, sealed."""

    summary: list[Summary]
    content: list[Free] | None = None
    encrypted_content: str | None = None


Item_: TypeAlias = Message | FunctionCall | FunctionCallOutput | Reasoning
Includable: TypeAlias = Literal[
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources", "message.input_image.image_url",
    "computer_call_output.output.image_url", "code_interpreter_call.outputs", "reasoning.encrypted_content",
    "message.output_text.logprobs",
]  # fmt: skip


class Effort(Struct, forbid_unknown_fields=True):
    """How to think, and what of it to show."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: str | None = None
    mode: str | None = None


class Words(Struct, forbid_unknown_fields=True):
    """How to say it."""

    format: Form | None = None
    verbosity: str | None = None


class Asked(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a response is asked with."""

    model: str
    input: str | list[Item_]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: Free | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    include: list[Includable] | None = None
    reasoning: Effort | None = None
    text: Words | None = None
    tools: list[Free] = []
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=16)] | None = None
    max_tool_calls: int | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: int | None = None
    truncation: Literal["auto", "disabled"] | None = None
    access_programs: Any = None
    background: Literal[False] | None = None
    context_management: Any = None
    conversation: None = None
    image: Any = None
    metadata: Free | None = None
    moderation: Free | None = None
    prompt: Free | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Free | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    user: str = ""


def with_types(body: Any) -> Any:
    """Return the body with the type of each item: a message need not say that it is one."""
    if not isinstance(body, dict) or not isinstance(body.get("input"), list):
        return body
    items = [{"type": "message", **item} if isinstance(item, dict) else item for item in body["input"]]
    return {**body, "input": items}


def check(asked: Asked, items: list[Item_], stored: Container[str]) -> None:
    """Check the items of a conversation; what has a `stored` id is known here.

    Raises:
        RequestError: with the message of the error.
    """
    if not items:
        raise RequestError(400, "Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    for number, tool in enumerate(asked.tools):
        if tool.get("type") == "function" and not tool.get("name"):
            where = f"tools[{number}].name"
            raise RequestError(400, f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    _check_calls(items)
    for item in items:
        if isinstance(item, Reasoning):
            _check_seal(item, stored)


def _check_calls(items: list[Item_]) -> None:
    called: set[str] = set()
    answered = {item.call_id for item in items if isinstance(item, FunctionCallOutput)}
    for item in items:
        if isinstance(item, FunctionCall):
            called.add(item.call_id)
            if item.call_id not in answered:
                raise RequestError(400, f"No tool output found for function call {item.call_id}.", param="input")
        elif isinstance(item, FunctionCallOutput) and item.call_id not in called:
            message = f"No tool call found for function call output with call_id {item.call_id}."
            raise RequestError(400, message, param="input")


def _check_seal(item: Reasoning, stored: Container[str]) -> None:
    if item.encrypted_content is not None:
        if not is_seal(item.encrypted_content, thoughts(item.summary)):
            message = (
                f"The encrypted content for item {item.id} could not be verified. Reason: Encrypted content could not be "
                "decrypted or parsed."
            )
            raise RequestError(400, message, code="invalid_encrypted_content")
    elif item.id not in stored:
        message = (
            f"Item with id '{item.id}' not found. Items are not persisted when `store` is set to false. Try again with `store` "
            "set to true, or remove this item from your input."
        )
        raise RequestError(404, message, param="input")


def thoughts(summary: list[Summary]) -> list[str]:
    """Return what is vouched for of thoughts that are shown so."""
    return [part.text for part in summary]
