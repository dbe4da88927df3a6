"""What OpenAI's two dialects have in common of what is said and shown: words, files, pictures, and in which form to answer."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Mapping
from typing import Any

from nbgemini.messages.turns import Options, Schema, Usage
from nbgemini.providers.common.json import as_dict, count, dicts
from nbgemini.providers.common.output_format import instruction_of
from nbgemini.providers.common.text_fallback import is_file
from nbgemini.providers.openai.models import efforts_of

_PAPERS = ("application/pdf", "application/msword", "application/vnd.", "application/rtf")
_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 64
_OBJECTS_ALONE = ("anthropic/", "claude-")
_OBJECT = "Answer with a JSON object and nothing else."
_FITTING = "Answer with nothing but JSON, without a code fence, that fits this JSON Schema: "


def is_paper(mime: str) -> bool:
    """Whether this is a kind of document that goes as a file."""
    return mime.startswith(_PAPERS)


def data_url(mime: str, data: str) -> str:
    """Return a file as an address."""
    return f"data:{mime};base64,{data}"


def file_name(mime: str) -> str:
    """Return a name for a file without one: the service wants one, and reads its ending."""
    return f"attached{mimetypes.guess_extension(mime) or ''}"


def arguments_of(call: Mapping[str, Any]) -> str:
    """Return the arguments of a call as JSON text."""
    args = call.get("args")
    return json.dumps(args if isinstance(args, Mapping) else {}, ensure_ascii=False)


def attached_to(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parts that a tool attached to its answer."""
    return [part for part in dicts(answer.get("parts")) if is_file(part)]


def schema_of(options: Options) -> dict[str, Any] | None:
    """Return name and schema that the answer must fit, where the service can hold the model to it.

    OpenAI and Anthropic take objects alone; servers of one's own (llama.cpp, Ollama, vLLM) take lists and choices too.
    """
    schema = options.schema
    if schema is None or not (_is_object(schema) or _is_free(options.model)):
        return None
    name = _NAME.sub("_", schema.name)[:_LONGEST_NAME] or "answer"
    return {"name": name, "schema": schema.body, "strict": False}


def system_of(options: Options) -> str | None:
    """Return the system instruction, with the schema of an answer that not all services can be held to."""
    words = [instruction_of(options)]
    if options.schema and not _is_object(options.schema):
        words.append(_FITTING + json.dumps(options.schema.body, ensure_ascii=False))
    return "\n\n".join(filter(None, words)) or None


def _is_object(schema: Schema) -> bool:
    return schema.body.get("type") == "object"


def _is_free(model: str) -> bool:
    """Whether this is no model of a service that takes nothing but objects, by its own name or a router's."""
    return efforts_of(model.rpartition("/")[2]) is None and not model.startswith(_OBJECTS_ALONE)


def json_reminder(options: Options) -> str | None:
    """Return the words without which the service refuses to answer in JSON of no schema: it looks for "JSON" in the prompt."""
    return _OBJECT if options.json and options.schema is None else None


def usage_of(said: Mapping[str, Any], asked: str, answered: str) -> Usage:
    """Return token counts; `asked` and `answered` are the dialect's words for input and output.

    What was answered is what the total leaves of it: that is right for xAI too, whose output does not hold the reasoning. Where
    the total leaves too little, as it counts no reasoning, it is the output itself.
    """
    given, made = count(said.get(f"{asked}_tokens")), count(said.get(f"{answered}_tokens"))
    of_input, of_output = as_dict(said.get(f"{asked}_tokens_details")), as_dict(said.get(f"{answered}_tokens_details"))
    thought = count(of_output.get("reasoning_tokens")) or count(said.get("reasoning_tokens"))
    cached = count(of_input.get("cached_tokens")) or count(said.get("cached_tokens"))
    cached = cached or count(said.get("prompt_cache_hit_tokens"))
    total = count(said.get("total_tokens")) or given + made
    inside = made - thought if thought <= made else made
    return Usage(given, thought, max(inside, total - given - thought), cached, 0, total)
