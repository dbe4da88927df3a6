"""What Gemini's models take: thinking, tools, and in which form they are to answer; an unknown model passes through.

2.x models take a thinking budget in tokens, 3.x and 4.x a level, and never both. Models before Gemini 3 refuse (400) functions
beside the service's own tools, and JSON beside any; later ones must be told that the service's calls may stand in the answer.
Sources: the Gemini API's thinking guide and reference (responseJsonSchema); googleapis/python-genai#867,
googleapis/go-genai#323, withceleste/celeste-python#197, owndev/Open-WebUI-Functions#159.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Declaration, Options
from nbgemini.providers.common.models import family_of


class GeminiFamily(Struct, frozen=True):
    """How a family of models is told to think: by `levels`, or by a budget between `lowest` and `highest`, or 0 for `off`."""

    levels: tuple[str, ...] = ()
    lowest: int = 0
    highest: int = 0
    off: bool = True
    thinks: bool = True

    def takes(self, tokens: int) -> bool:
        """Whether this is a budget."""
        return self.lowest <= tokens <= self.highest or (tokens == 0 and self.off)

    def __str__(self) -> str:
        if self.levels:
            return ", ".join(level.lower() for level in self.levels)
        return f"{'off, ' if self.off else ''}{self.lowest or 1:,} to {self.highest:,} tokens" if self.thinks else ""


_BUDGET_OF_LEVEL = {"off": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768}
_NONE = GeminiFamily(thinks=False)


def thinking_config(model: str, think: str | int | None) -> dict[str, Any] | None:
    """Return the `thinkingConfig` that says `think` to `model`; None for nothing, PromptError where it doesn't offer that."""
    family = _family(model)
    if think is None:
        return {"includeThoughts": True} if family and family.thinks else None
    if family and not family.thinks:
        raise PromptError(f"{model} does not think; leave out --think")
    shown = {"includeThoughts": think not in ("off", 0)}
    if isinstance(think, str) and (family is None or family.levels):
        level = "MINIMAL" if think == "off" else think.upper()
        if family and level not in family.levels:
            raise PromptError(f"{model} can't think '{think}'; it offers: {family}")
        return {**shown, "thinkingLevel": level}
    if family and family.levels:
        raise PromptError(f"{model} takes a thinking level, not a budget; it offers: {family}")
    tokens = think if isinstance(think, int) else min(_BUDGET_OF_LEVEL.get(think.lower(), -1), family.highest if family else 0)
    if family and not family.takes(tokens):
        asked = f"{think:,} tokens" if isinstance(think, int) else f"'{think}'"
        raise PromptError(f"{model} can't think {asked}; it offers: {family}")
    return {**shown, "thinkingBudget": tokens}


def thinking_text(model: str) -> str:
    """Return what a model that thinks takes, in words; "yes" where that is not known."""
    return str(_family(model) or "yes")


def _family(model: str) -> GeminiFamily | None:
    name = model.rsplit("/", 1)[-1]
    if "-tts" in name:
        return _NONE
    return family_of(name, "gemini", GeminiFamily)


_TOOLS = {"search": "googleSearch", "run_code": "codeExecution", "urls": "urlContext"}
_BEFORE_GEMINI_3 = ("gemini-1", "gemini-2", "gemma-")
_DRAW = ("-image", "nano-banana")


def gemini_tools(options: Options) -> dict[str, Any]:
    """Return the fields of a request that say which tools there are; PromptError where a model doesn't take both kinds."""
    own: list[dict[str, Any]] = [{name: {}} for field, name in _TOOLS.items() if getattr(options, field)]
    functions = [{"functionDeclarations": [_declaration(tool) for tool in options.tools]}] if options.tools else []
    if not (own and functions):
        return {"tools": functions + own} if functions or own else {}
    if is_before_gemini_3(options.model):
        named = " and ".join(f"--{field.replace('_', '-')}" for field in _TOOLS if getattr(options, field))
        raise PromptError(f"{options.model} takes either your tools (-t) or {named}; Gemini 3 and later take both")
    return {"tools": functions + own, "toolConfig": {"includeServerSideToolInvocations": True}}


def answer_format(options: Options) -> dict[str, Any]:
    """Return what `generationConfig` says of the form of the answer, JSON or nothing; PromptError where it can't be so."""
    if not options.json:
        return {}
    offers = options.tools or options.search or options.run_code or options.urls
    if offers and is_before_gemini_3(options.model):
        raise PromptError(f"{options.model} can't combine JSON with tools; leave one of them out, or use Gemini 3 or later")
    asked = {"responseMimeType": "application/json"}
    return {**asked, "responseJsonSchema": options.schema.body} if options.schema else asked


def is_before_gemini_3(model: str) -> bool:
    """Whether this is an older model, without signatures and without pictures in the answers of tools."""
    return _bare_name(model).startswith(_BEFORE_GEMINI_3)


def modalities(model: str) -> list[str] | None:
    """Return in what a model that does more than write is to answer; None for all others."""
    name = _bare_name(model)
    if name.endswith("-tts") or "-tts-" in name:
        return ["AUDIO"]
    return ["TEXT", "IMAGE"] if any(word in name for word in _DRAW) else None


def model_path(model: str) -> str:
    """Return a model's name as paths have it."""
    return model if "/" in model else f"models/{model}"


def _bare_name(model: str) -> str:
    return model.rpartition("/")[2]


def _declaration(tool: Declaration) -> dict[str, Any]:
    declared = {"name": tool.name, "description": tool.description}
    takes = any(value for name, value in tool.schema.items() if name not in ("$schema", "type", "title", "description"))
    return {**declared, "parametersJsonSchema": tool.schema} if takes else declared  # no object without properties is taken
