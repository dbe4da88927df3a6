"""What Anthropic's service refuses in a request of the right shape: by model, by version of the API, by the order of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.fakes.dialects.anthropic_request import (
    Asked,
    Counted,
    Document,
    Message,
    RedactedThinking,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    turns,
)
from tests.fakes.dialects.errors import RequestError
from tests.fakes.dialects.models import Claude
from tests.fakes.dialects.seals import is_seal

OLD, NEW = "2023-06-01", "2026-10-21"
VERSIONS = ("2023-01-01", OLD, NEW)
_LEAST_BUDGET = 1024


def thinks(asked: Counted, model: Claude) -> bool:
    """Whether the model is to think."""
    return asked.thinking.type in ("enabled", "adaptive") if asked.thinking else model.thinks


def check(asked: Counted, model: Claude, version: str) -> None:
    """Check all rules.

    Raises:
        RequestError: with the message of the 400.
    """
    if isinstance(asked, Asked):
        _sampling(asked, model, version)
    _thinking(asked, model)
    _tools(asked, model)
    _messages(asked, version)
    _calls(turns(asked.messages))
    _signed(asked)


def _refuse(message: str) -> RequestError:
    return RequestError(400, message)


def _sampling(asked: Asked, model: Claude, version: str) -> None:
    for name in ("temperature", "top_p", "top_k"):
        if getattr(asked, name) is None:
            continue
        if version == NEW:
            raise _refuse(f"{name}: Extra inputs are not permitted")
        if not model.samples and asked.temperature != 1:
            raise _refuse(f"`{name}` is deprecated for this model.")
    if thinks(asked, model) and asked.temperature not in (None, 1):
        raise _refuse("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")


def _thinking(asked: Counted, model: Claude) -> None:
    if asked.thinking is None:
        return
    kind, budget = asked.thinking.type, asked.thinking.budget_tokens
    if kind not in model.thinking:
        raise _refuse(f'"thinking.type.{kind}" is not supported for this model.{_instead(kind, model)}')
    if kind != "enabled":
        if budget is not None:
            raise _refuse(f"thinking.{kind}.budget_tokens: Extra inputs are not permitted")
        return
    if budget is None:
        raise _refuse("thinking.enabled.budget_tokens: Field required")
    if budget < _LEAST_BUDGET:
        raise _refuse(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}")
    if isinstance(asked, Asked) and budget >= asked.max_tokens:
        raise _refuse("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _instead(kind: str, model: Claude) -> str:
    if kind != "enabled" or "adaptive" not in model.thinking:
        return ""
    return ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'


def _tools(asked: Counted, model: Claude) -> None:
    names = [str(tool.get("name")) for tool in asked.tools]
    if len(names) != len(set(names)):
        raise _refuse("tools: Tool names must be unique.")
    for number, tool in enumerate(asked.tools):
        if tool.get("type", "custom") == "custom" and not isinstance(tool.get("input_schema"), dict):
            raise _refuse(f"tools.{number}.custom.input_schema: Field required")
    forced = asked.tool_choice is not None and asked.tool_choice.type in ("any", "tool")
    if forced and (thinks(asked, model) or not model.forced):
        raise _refuse("Thinking may not be enabled when tool_choice forces tool use.")


def _messages(asked: Counted, version: str) -> None:
    if not asked.messages:
        raise _refuse("messages: at least one message is required")
    if asked.messages[0].role != "user":
        raise _refuse('messages: first message must use the "user" role')
    if asked.messages[-1].role != "user":
        raise _refuse("This model does not support assistant message prefill. The conversation must end with a user message.")
    for number, message in enumerate(asked.messages):
        if not message.content:
            raise _refuse(f"messages.{number}: all messages must have non-empty content except for the optional final one")
        _blocks(message, f"messages.{number}", version)


def _blocks(message: Message, where: str, version: str) -> None:
    foreign = (ToolUse, Thinking, RedactedThinking) if message.role == "user" else (ToolResult,)
    for index, block in enumerate(message.blocks):
        at = f"{where}.content.{index}"
        if isinstance(block, foreign) or (version == NEW and message.role == "assistant" and isinstance(block, Document)):
            name = type(block).__struct_config__.tag
            raise _refuse(f"{at}: `{name}` blocks can not be in `{message.role}` messages")
        if isinstance(block, Text) and not block.text:
            raise _refuse("messages: text content blocks must be non-empty")
        if version == NEW and message.role == "user" and isinstance(block, Text) and block.citations:
            raise _refuse(f"{at}.text.citations: Extra inputs are not permitted")


def _calls(messages: list[Message]) -> None:
    """Check that every call is answered at once, before anything else is said, and nothing else is answered."""
    seen: set[str] = set()
    for number, (before, message) in enumerate(pairwise([Message("user", ""), *messages, Message("user", "")]), 0):
        asked = [block.id for block in before.blocks if isinstance(block, ToolUse)]
        answered = list(_answered(message))
        if seen & set(asked) or len(asked) != len(set(asked)):
            raise _refuse(f"messages.{number - 1}: `tool_use` ids must be unique")
        seen |= set(asked)
        if missing := [id_ for id_ in asked if id_ not in answered]:
            raise _refuse(
                f"messages.{number - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
                "message."
            )
        results = [(n, block.tool_use_id) for n, block in enumerate(message.blocks) if isinstance(block, ToolResult)]
        for index, id_ in results:
            if id_ not in asked:
                raise _refuse(
                    f"messages.{number}.content.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {id_}. Each "
                    "`tool_result` block must have a corresponding `tool_use` block in the previous message."
                )


def _answered(message: Message) -> Iterator[str]:
    """Yield the calls that a message answers before it says anything else."""
    for block in message.blocks:
        if not isinstance(block, ToolResult):
            return
        yield block.tool_use_id


def _signed(asked: Counted) -> None:
    for number, message in enumerate(asked.messages):
        for index, block in enumerate(message.blocks):
            if isinstance(block, RedactedThinking) or (
                isinstance(block, Thinking) and not is_seal(block.signature, block.thinking)
            ):
                kind = type(block).__struct_config__.tag
                raise _refuse(f"messages.{number}.content.{index}: Invalid `signature` in `{kind}` block")
    said = turns(asked.messages)
    if asked.thinking and asked.thinking.type == "enabled" and len(said) > 1:
        first = said[-2].blocks[0]
        if isinstance(said[-1].blocks[0], ToolResult) and not isinstance(first, Thinking):
            raise _refuse(
                f"messages.{len(said) - 2}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                f"`{type(first).__struct_config__.tag}`. When `thinking` is enabled, a final `assistant` message must start "
                "with a thinking block."
            )
