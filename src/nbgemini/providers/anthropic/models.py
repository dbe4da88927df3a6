"""What Anthropic's models take: thinking, temperature, the longest answer, tools, and in which form they are to answer.

Models from 4.7 on think as much as their effort says and refuse budgets and temperatures; older ones take a budget. Thinking
comes readable only where that is asked for. `max_tokens` has to be said, and thinking counts against it. The service's own
tools are offered in their first versions, which all its models take and whose answers name their sources; later versions let
the model filter what it finds with code of its own. Of a JSON Schema structured outputs know objects with a fixed set of
fields; maps, tuples and types that contain themselves can't be said, nor can bounds, which go into the description. What reads
the answer checks all of it anyway. An unknown model passes.
Sources: platform.claude.com, the pages on thinking, effort, each model's migration, each tool and structured outputs; the types
and `transform_schema` of anthropic 2.12.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options
from nbgemini.providers.common.models import family_of

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_BUDGET_OF_LEVEL = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768}
_LEAST_BUDGET = 1024
_ANSWER = 8192  # tokens left for the answer behind a budget
_ADAPTIVE = {"type": "adaptive", "display": "summarized"}


class ClaudeFamily(Struct, frozen=True):
    """What a family of models takes."""

    efforts: tuple[str, ...] = _EFFORTS  # the levels; none where only a budget is taken
    budget: bool = False  # whether a thinking budget is taken
    off: str = "disabled"  # the kind of thinking that stands for none; empty where it can't be switched off
    thinks: bool = True  # when nothing is said of it
    samples: bool = False  # whether a temperature is taken
    most: int = 64_000  # tokens of an answer when nothing is said of it

    def __str__(self) -> str:
        budget = f"a budget from {_LEAST_BUDGET:,} tokens" if self.budget else ""
        levels = self.efforts or tuple(_BUDGET_OF_LEVEL)
        return ", ".join(filter(None, ("off" if self.off else "", *levels, budget)))


_UNKNOWN = ClaudeFamily(budget=True, thinks=False, samples=True, most=8_192)  # also of services that only speak like Anthropic


def sampling_fields(options: Options) -> dict[str, Any]:
    """Return the fields of a request that say how to think, how freely, and how long (PromptError: the model can't)."""
    family = family_of(options.model, "anthropic", ClaudeFamily) or _UNKNOWN
    thinking = _thinking(options.model, family, options.think)
    budget = thinking.get("thinking", {}).get("budget_tokens", 0)
    most = options.max_tokens or max(family.most, budget + _ANSWER)
    if budget >= most:
        raise PromptError(f"thinking takes {budget:,} of {most:,} --max-tokens; leave more for the answer, or think less (-k)")
    return {"max_tokens": most, **thinking, "temperature": _temperature(options, family, thinking)}


def _thinking(model: str, family: ClaudeFamily, think: str | int | None) -> dict[str, Any]:
    if think is None:
        return {"thinking": _ADAPTIVE} if family.thinks else {}
    if think in ("off", 0):
        if not family.off:
            raise PromptError(f"{model} always thinks; it offers: {family}")
        return {"thinking": {"type": family.off}}
    if isinstance(think, str) and family.efforts:
        if think not in family.efforts:
            raise PromptError(f"{model} can't think '{think}'; it offers: {family}")
        return {"thinking": _ADAPTIVE, "output_config": {"effort": think}}
    if not family.budget:
        raise PromptError(f"{model} takes a level of thinking, not a budget; it offers: {family}")
    tokens = think if isinstance(think, int) else _BUDGET_OF_LEVEL.get(think, 0)
    if tokens < _LEAST_BUDGET:
        asked = f"{tokens:,} tokens" if isinstance(think, int) else f"'{think}'"
        raise PromptError(f"{model} can't think {asked}; it offers: {family}")
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def _temperature(options: Options, family: ClaudeFamily, thinking: dict[str, Any]) -> float | None:
    if options.temperature is None:
        return None
    if not family.samples:
        raise PromptError(f"{options.model} takes no --temperature; leave it out")
    if thinking.get("thinking", {}).get("type") in ("adaptive", "enabled"):
        raise PromptError(f"{options.model} takes no --temperature while it thinks; leave it out, or say -k off")
    if options.temperature > 1:
        raise PromptError(f"{options.model} takes a --temperature from 0 to 1")
    return options.temperature


_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_JSON = "Answer with one JSON value and nothing else: no words around it, no code fence."


def anthropic_tools(options: Options) -> list[dict[str, Any]]:
    """Return our functions and the service's own tools (PromptError: the service does not take the name of a function)."""
    offered: list[dict[str, Any]] = []
    for tool in options.tools:
        if not _NAME.fullmatch(tool.name):
            what = f"A-Z a-z 0-9 _ - in the name of a tool, not {tool.name!r}"
            raise PromptError(f"Anthropic takes {what}; give another by name=…")
        schema = {"properties": {}, **tool.schema, "type": "object"}
        offered.append({"name": tool.name, "description": tool.description, "input_schema": schema})
    if options.search:
        offered.append({"type": "web_search_20250305", "name": "web_search"})
    if options.urls:
        cited = {"citations": {"enabled": True}} if not options.json else {}  # the form of an answer leaves no place for them
        offered.append({"type": "web_fetch_20250910", "name": "web_fetch", **cited})
    if options.run_code:
        offered.append({"type": "code_execution_20250825", "name": "code_execution"})
    return offered


def output_format(options: Options) -> dict[str, Any] | None:
    """Return what the service holds the answer to, if it can."""
    schema = supported_schema(options.schema.body) if options.schema else None
    return {"type": "json_schema", "schema": schema} if schema else None


def anthropic_instruction(options: Options) -> str | None:
    """Return the system prompt, with what is asked of the answer that the service can't hold it to."""
    words = [options.instruction]
    if options.json and not output_format(options):
        schema = (
            f" It must fit this JSON Schema: {json.dumps(options.schema.body, ensure_ascii=False)}" if options.schema else ""
        )
        words.append(_JSON + schema)
    return "\n\n".join(filter(None, words)) or None


_AS_IT_IS = ("enum", "const", "type", "$ref")
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_IN_WORDS = ("minimum", "maximum", "minItems", "maxItems", "format")
_UNSAYABLE = ("prefixItems", "patternProperties")


class _UnfitError(Exception):
    """There are no words for this."""


def supported_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema as the service can hold an answer to it; None if it can't."""
    types = {f"#/$defs/{name}": _references(inside) for name, inside in schema.get("$defs", {}).items()}
    with suppress(_UnfitError, CycleError):
        TopologicalSorter(types).prepare()  # a type that contains itself can't be said
        return _supported(schema)
    return None


def _supported(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, dict) or any(name in schema for name in _UNSAYABLE):
        raise _UnfitError
    said = {name: schema[name] for name in _AS_IT_IS if name in schema}
    for name in (name for name in ("properties", "$defs") if name in schema):
        said[name] = {key: _supported(inside) for key, inside in schema[name].items()}
    for name in (name for name in ("anyOf", "oneOf") if name in schema):
        said["anyOf"] = [_supported(inside) for inside in schema[name]]
    if "items" in schema:
        said["items"] = _supported(schema["items"])
    if schema.get("type") == "object":  # one that has these fields and no others
        if schema.get("additionalProperties") or not schema.get("properties"):
            raise _UnfitError
        said |= {"additionalProperties": False, "required": schema.get("required", [])}
    rules = [f"{name}: {json.dumps(schema[name])}" for name in _IN_WORDS if name in schema]
    if schema.get("format") in _FORMATS:
        said["format"], rules = schema["format"], []
    words = " ".join(filter(None, (schema.get("description"), f"({', '.join(rules)})" if rules else "")))
    return {**said, "description": words} if words else said


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return own + [found for inside in schema.values() for found in _references(inside)]
    return [found for inside in schema for found in _references(inside)] if isinstance(schema, list) else []
