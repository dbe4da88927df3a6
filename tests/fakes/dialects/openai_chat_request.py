"""Whether OpenAI would take a request for a chat completion: its shape as types, and the rules that types cannot say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from tests.fakes.dialects.errors import RequestError
from tests.fakes.dialects.openai_common import Form

Free: TypeAlias = dict[str, Any]


class Part(Struct, tag_field="type", kw_only=True, forbid_unknown_fields=True):
    """Any part of a message."""

    prompt_cache_breakpoint: Free | None = None


class Text(Part, tag="text"):
    """Words."""

    text: str


class Refusal(Part, tag="refusal"):
    """Words of refusal."""

    refusal: str


class Address(Struct, forbid_unknown_fields=True):
    """Where a picture is."""

    url: str
    detail: str = "auto"


class ImageUrl(Part, tag="image_url"):
    """A picture."""

    image_url: Address


class Sound(Struct, forbid_unknown_fields=True):
    """What is heard."""

    data: str
    format: Literal["wav", "mp3"]


class InputAudio(Part, tag="input_audio"):
    """A sound."""

    input_audio: Sound


class Content(Struct, forbid_unknown_fields=True):
    """What is in a file."""

    file_data: str = ""
    file_id: str = ""
    filename: str = ""


class File(Part, tag="file"):
    """A file."""

    file: Content


class Function(Struct, forbid_unknown_fields=True):
    """What is called, with which arguments: JSON in a text."""

    name: str
    arguments: str


class Call(Struct, forbid_unknown_fields=True):
    """A call."""

    id: str
    function: Function
    type: Literal["function"] = "function"
    index: int | None = None


class Message(Struct, tag_field="role", kw_only=True, forbid_unknown_fields=True):
    """Any message."""

    name: str | None = None


class System(Message, tag="system"):
    """Instructions."""

    content: str | list[Text]


class Developer(Message, tag="developer"):
    """Instructions, under their newer name."""

    content: str | list[Text]


class User(Message, tag="user"):
    """A prompt."""

    content: str | list[Text | ImageUrl | InputAudio | File]


class Assistant(Message, tag="assistant"):
    """An answer; `reasoning_content` is what compatible services call thoughts."""

    content: str | list[Text | Refusal] | None = None
    tool_calls: list[Call] | None = None
    refusal: str | None = None
    audio: Free | None = None
    annotations: list[Free] | None = None
    function_call: None = None
    reasoning_content: str | None = None


class Tool(Message, tag="tool"):
    """What came of a call."""

    tool_call_id: str
    content: str | list[Text]


Any_: TypeAlias = System | Developer | User | Assistant | Tool


class Streamed(Struct, forbid_unknown_fields=True):
    """What a stream is to hold."""

    include_usage: bool = False
    include_obfuscation: bool = False


class Declared(Struct, forbid_unknown_fields=True):
    """A function that may be called."""

    name: str
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None


class Offered(Struct, forbid_unknown_fields=True):
    """A tool."""

    function: Declared
    type: Literal["function"] = "function"


class Asked(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a chat completion is asked with."""

    model: str
    messages: list[Any_]
    stream: bool | None = None
    stream_options: Streamed | None = None
    tools: list[Offered] = []
    tool_choice: Any = None
    parallel_tool_calls: bool = True
    response_format: Form | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Literal[1] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Free | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    user: str = ""
    store: bool | None = None
    metadata: Free | None = None
    modalities: list[str] | None = None
    moderation: Free | None = None
    audio: Free | None = None
    prediction: Free | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Free | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    verbosity: str | None = None
    web_search_options: Free | None = None


def check(asked: Asked) -> None:
    """Check what is asked, and the order of messages.

    Raises:
        RequestError: with the message of the 400.
    """
    if asked.stream_options is not None and not asked.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RequestError(400, message, param="stream_options")
    if asked.max_tokens is not None and asked.model != "gpt-offline":
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        raise RequestError(400, message, param="max_tokens", code="unsupported_parameter")
    if not asked.messages:
        message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        raise RequestError(400, message, param="messages", code="empty_array")
    for number, message_ in enumerate(asked.messages):
        _check_one(asked.messages, number, message_)


def _check_one(messages: Sequence[Any_], number: int, message: Any_) -> None:
    if isinstance(message, Tool):
        _check_answer(messages, number, message)
    if not isinstance(message, Assistant):
        return
    if not (message.content or message.tool_calls or message.refusal):
        said = "Invalid assistant message: content or tool_calls must be set"
        raise RequestError(400, said, param=f"messages.[{number}].content")
    waiting = {call.id for call in message.tool_calls or ()}
    for answer in messages[number + 1 :]:
        if not isinstance(answer, Tool):
            break
        waiting.discard(answer.tool_call_id)
    if waiting:
        said = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            f"The following tool_call_ids did not have response messages: {', '.join(sorted(waiting))}"
        )
        raise RequestError(400, said, param=f"messages.[{number + 1}].role")


def _check_answer(messages: Sequence[Any_], number: int, message: Tool) -> None:
    before = next((earlier for earlier in reversed(messages[:number]) if not isinstance(earlier, Tool)), None)
    calls = before.tool_calls if isinstance(before, Assistant) else None
    if not calls:
        said = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
        raise RequestError(400, f"Invalid parameter: {said}", param=f"messages.[{number}].role")
    if message.tool_call_id not in {call.id for call in calls}:
        said = f"'tool_call_id' of '{message.tool_call_id}' not found in 'tool_calls' of previous message."
        raise RequestError(400, f"Invalid parameter: {said}", param=f"messages.[{number}].tool_call_id")
