"""Whether Anthropic would take a request for a message: its shape as types, and the rules that types cannot say."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

Free: TypeAlias = dict[str, Any]


class Block(Struct, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """Any part of a message."""

    cache_control: Free | None = None


class Text(Block, tag="text"):
    """Words."""

    text: str
    citations: list[Free] | None = None


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a file's content is."""

    type: Literal["base64", "url", "text", "content", "file"]
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    content: Any = None


class Image(Block, tag="image"):
    """A picture."""

    source: Source


class Document(Block, tag="document"):
    """A file to read."""

    source: Source
    title: str | None = None
    context: str | None = None
    citations: Free | None = None


class Thinking(Block, tag="thinking"):
    """What the model thought, signed."""

    thinking: str
    signature: str


class RedactedThinking(Block, tag="redacted_thinking"):
    """What the model thought, closed."""

    data: str


class ToolUse(Block, tag="tool_use"):
    """A call."""

    id: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$")]
    name: str
    input: Free
    caller: Free | None = None


class ToolResult(Block, tag="tool_result"):
    """What came of it."""

    tool_use_id: str
    content: str | list[Text | Image | Document] | None = None
    is_error: bool = False


Any_: TypeAlias = Text | Image | Document | Thinking | RedactedThinking | ToolUse | ToolResult


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """One turn, or a part of one."""

    role: Literal["user", "assistant"]
    content: str | list[Any_]

    @property
    def blocks(self) -> list[Any_]:
        """What it holds; a bare text is one block."""
        return [Text(text=self.content)] if isinstance(self.content, str) else self.content


class Think(Struct, frozen=True, forbid_unknown_fields=True):
    """How to think."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = None
    display: Literal["summarized", "omitted"] | None = None


class Form(Struct, frozen=True, forbid_unknown_fields=True):
    """The form of an answer."""

    type: Literal["json_schema"]
    schema: Free


class Output(Struct, frozen=True, forbid_unknown_fields=True):
    """How to answer."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Form | None = None


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to call tools."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False


class Counted(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What tokens are counted of."""

    model: str
    messages: list[Message]
    system: str | list[Text] = ""
    tools: list[Free] = []
    tool_choice: Choice | None = None
    thinking: Think | None = None
    output_config: Output | None = None
    cache_control: Free | None = None


class Asked(Counted, frozen=True, forbid_unknown_fields=True):
    """What a message is asked with."""

    max_tokens: Annotated[int, Meta(ge=1)]
    stream: bool = False
    stop_sequences: list[str] = []
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: Free | None = None
    service_tier: str | None = None
    container: Any = None
    diagnostics: Free | None = None
    inference_geo: str | None = None
    speed: str | None = None


def turns(messages: list[Message]) -> list[Message]:
    """Return the messages with those of one role in a row as one."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            merged[-1] = Message(message.role, [*merged[-1].blocks, *message.blocks])
        else:
            merged.append(message)
    return merged
