"""What a model may use and in what it may answer: our functions, the service's own tools, text, pictures, sound.

Functions beside the service's own tools: models before Gemini 3 refuse them (400), later ones must be told that the service's
calls may stand in the answer. Source: googleapis/go-genai#323, withceleste/celeste-python#197, owndev/Open-WebUI-Functions#159.
"""

from __future__ import annotations

from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Declaration, Options

_TOOLS = {"search": "googleSearch", "run_code": "codeExecution", "urls": "urlContext"}
_EITHER_OR = ("gemini-1", "gemini-2", "gemma-")
_DRAW = ("-image", "nano-banana")


def offered_tools(options: Options) -> dict[str, Any]:
    """Return the fields of a request that say which tools there are.

    Raises:
        PromptError: the model takes functions or the service's tools, not both.
    """
    own: list[dict[str, Any]] = [{name: {}} for field, name in _TOOLS.items() if getattr(options, field)]
    functions = [{"functionDeclarations": [_declaration(tool) for tool in options.tools]}] if options.tools else []
    if not (own and functions):
        return {"tools": functions + own} if functions or own else {}
    if _bare(options.model).startswith(_EITHER_OR):
        named = " and ".join(f"--{field.replace('_', '-')}" for field in _TOOLS if getattr(options, field))
        raise PromptError(f"{options.model} takes either your tools (-t) or {named}; Gemini 3 and later take both")
    return {"tools": functions + own, "toolConfig": {"includeServerSideToolInvocations": True}}


def modalities(model: str) -> list[str] | None:
    """Return in what a model that does more than write is to answer; None for all others."""
    name = _bare(model)
    if name.endswith("-tts") or "-tts-" in name:
        return ["AUDIO"]
    return ["TEXT", "IMAGE"] if any(word in name for word in _DRAW) else None


def _bare(model: str) -> str:
    return model.rpartition("/")[2]


def _declaration(tool: Declaration) -> dict[str, Any]:
    declared = {"name": tool.name, "description": tool.description}
    return declared if _takes_nothing(tool.schema) else {**declared, "parametersJsonSchema": tool.schema}


def _takes_nothing(schema: dict[str, Any]) -> bool:
    """Whether a function has no parameters: the API refuses an object without properties."""
    return not any(value for name, value in schema.items() if name not in ("$schema", "type", "title", "description"))
