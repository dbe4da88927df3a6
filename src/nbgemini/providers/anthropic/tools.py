"""What a model of Anthropic's may use, and in which form it is to answer.

The service's own tools are offered in their first versions, which all its models take and whose answers name their sources;
later versions let the model filter what it finds with code of its own.
Source: platform.claude.com, the pages on each tool and on structured outputs, and the tool reference (2026-11-21).
"""

from __future__ import annotations

import json
import re
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Declaration, Options
from nbgemini.providers.anthropic.schema import fitted
from nbgemini.providers.common.output_format import instruction_of

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_JSON = "Answer with one JSON value and nothing else: no words around it, no code fence."


def offered_tools(options: Options) -> list[dict[str, Any]]:
    """Return our functions and the service's own tools.

    Raises:
        PromptError: the service does not take the name of a function.
    """
    offered = [_declared(tool) for tool in options.tools]
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
    schema = fitted(options.schema.body) if options.schema else None
    return {"type": "json_schema", "schema": schema} if schema else None


def system_of(options: Options) -> str | None:
    """Return the system prompt, with what is asked of the answer that the service can't hold it to."""
    words = [instruction_of(options)]
    if options.json and not output_format(options):
        schema = (
            f" It must fit this JSON Schema: {json.dumps(options.schema.body, ensure_ascii=False)}" if options.schema else ""
        )
        words.append(_JSON + schema)
    return "\n\n".join(filter(None, words)) or None


def _declared(tool: Declaration) -> dict[str, Any]:
    if not _NAME.fullmatch(tool.name):
        raise PromptError(f"Anthropic takes A-Z a-z 0-9 _ - in the name of a tool, not {tool.name!r}; give another by name=…")
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": {"properties": {}, **tool.schema, "type": "object"},
    }
