"""Whether Google would take a request for an interaction: its shape as types, and the rules that types cannot say."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from tests.fakes.dialects.errors import RequestError
from tests.fakes.dialects.seals import is_seal

Free: TypeAlias = dict[str, Any]

_CONTENTS = ("text", "image", "audio", "document", "video")
_COUNT = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the function "
    "call turn."
)


class Text(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """Words."""

    text: str
    annotations: list[Free] | None = None


class Media(Struct, tag_field="type", forbid_unknown_fields=True):
    """A file."""

    data: str | None = None
    uri: str | None = None
    mime_type: str = ""
    resolution: Any = None


class Image(Media, tag="image"):
    """A picture."""


class Audio(Media, tag="audio"):
    """A sound."""


class Document(Media, tag="document"):
    """Something to read."""


class Video(Media, tag="video"):
    """Something to watch."""


Content: TypeAlias = Text | Image | Audio | Document | Video


class Step(Struct, tag_field="type", kw_only=True, forbid_unknown_fields=True):
    """Any step."""


class UserInput(Step, tag="user_input"):
    """A prompt."""

    content: str | list[Content]


class ModelOutput(Step, tag="model_output"):
    """An answer."""

    content: list[Content] = []


class Thought(Step, tag="thought"):
    """What the model thought, signed."""

    signature: str | None = None
    summary: list[Text] | None = None


class FunctionCall(Step, tag="function_call"):
    """A call."""

    id: str
    name: str
    arguments: Free


class FunctionResult(Step, tag="function_result"):
    """What came of it."""

    call_id: str
    result: Any
    name: str | None = None
    is_error: bool | None = None


Step_: TypeAlias = UserInput | ModelOutput | Thought | FunctionCall | FunctionResult


class Config(Struct, forbid_unknown_fields=True):
    """How to answer."""

    thinking_level: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    thinking_summaries: Literal["auto", "none"] | None = None
    tool_choice: Any = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop_sequences: list[str] | None = None
    image_config: Free | None = None
    speech_config: Any = None
    transcription_config: Free | None = None
    video_config: Free | None = None


class Asked(Struct, kw_only=True, forbid_unknown_fields=True):
    """What an interaction is asked with."""

    model: str
    input: list[Step_]
    stream: bool = False
    store: bool = True
    previous_interaction_id: str | None = None
    system_instruction: str = ""
    generation_config: Config | None = None
    tools: list[Free] = []
    response_format: Free | list[Free] | None = None
    response_mime_type: str | None = None
    response_modalities: list[str] | None = None
    safety_settings: list[Free] | None = None
    service_tier: str | None = None
    background: Literal[False] | None = None
    cached_content: str | None = None
    continuation_token: str | None = None
    environment: Any = None
    labels: dict[str, str] | None = None
    webhook_config: Free | None = None


def with_steps(body: Any) -> Any:
    """Return the body with its input as steps: a text, one content or a list of contents is a prompt."""
    if not isinstance(body, dict) or "input" not in body:
        return body
    given = body["input"]
    contents = [given] if isinstance(given, dict) and given.get("type") in _CONTENTS else given
    if isinstance(contents, str) or (isinstance(contents, list) and contents and all(map(_is_content, contents))):
        return {**body, "input": [{"type": "user_input", "content": contents}]}
    return {**body, "input": [contents] if isinstance(contents, dict) else contents}


def _is_content(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") in _CONTENTS


def check(asked: Asked, steps: list[Step_]) -> None:
    """Check the steps of an interaction.

    Raises:
        RequestError: with the message of the 400.
    """
    if not steps or not isinstance(steps[-1], UserInput | FunctionResult):
        raise RequestError(400, "Please ensure that multiturn requests begin and end with a user role.")
    for number, tool in enumerate(asked.tools):
        if tool.get("type") == "function" and not tool.get("name"):
            raise RequestError(400, f"The required parameter 'name' is missing at 'tools[{number}]'.")
    waiting: set[str] = set()
    for step in steps:
        waiting = _after(step, waiting)
    if waiting:
        raise RequestError(400, _COUNT)


def _after(step: Step_, waiting: set[str]) -> set[str]:
    """Return the calls that wait for their results after this step."""
    match step:
        case FunctionCall(id=id_):
            return waiting | {id_}
        case FunctionResult(call_id=id_):
            if id_ not in waiting:
                raise RequestError(400, f"No function call found for the function result with call_id '{id_}'.")
            return waiting - {id_}
        case Thought(signature=str(signature), summary=summary) if not is_seal(signature, thoughts(summary)):
            raise RequestError(400, "Invalid thought signature.")
        case UserInput() | ModelOutput() if waiting:
            raise RequestError(400, _COUNT)
    return waiting


def thoughts(summary: list[Text] | None) -> str:
    """Return what is vouched for of thoughts that are shown so, in as many parts as a client likes."""
    return "".join(part.text for part in summary or ())
