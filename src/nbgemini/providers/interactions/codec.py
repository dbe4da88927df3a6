"""Google's Interactions dialect: turns to a list of steps, step events to events.

Nothing is stored at the service: the whole list of steps goes with each request, signed thoughts too. Its own steps go back as
they came, of others' parts what is neutral.

Invariants: the steps stand in the order of the parts; each result names the id of its call; nothing that another provider
signed or thought is in them.
Source: ai.google.dev/api/interactions; the types of google-genai 3.4, which the tests hold the requests against.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Part, Turn, merge_text
from nbgemini.providers.common.json import dicts, non_empty
from nbgemini.providers.common.parts import (
    CallIds,
    File,
    arguments_of,
    file_of,
    files_of,
    is_error,
    is_thinking,
    own_block,
    part_as_text,
)
from nbgemini.providers.gemini.codec import GoogleCodec
from nbgemini.providers.gemini.models import answer_format, gemini_tools, modalities, thinking_config
from nbgemini.providers.interactions.decode import NAME, InteractionDecoder
from nbgemini.transport.request import Request

_OWN_TOOLS = {"search": "google_search", "run_code": "code_execution", "urls": "url_context"}
_SPOKEN = {"user": "user_input", "model": "model_output"}
_DOCUMENTS = ("application/pdf", "application/msword", "application/vnd.", "text/csv")

_Step = dict[str, Any]


class InteractionsCodec(GoogleCodec):
    """The codec of the Interactions API."""

    name = NAME
    stream = InteractionDecoder

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:
        """Return the streaming request for these turns."""
        gemini_tools(options)  # what a model doesn't take together is refused as in Gemini's other API
        functions = [
            {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.schema}
            for tool in options.tools
        ]
        config = {
            "temperature": options.temperature,
            "max_output_tokens": options.max_tokens,
            "seed": options.seed,
            "stop_sequences": list(options.stop_at),
            **_thinking(options),
        }
        fields = {
            "system_instruction": options.instruction,
            "generation_config": non_empty(config) or None,
            "tools": functions + [{"type": name} for field, name in _OWN_TOOLS.items() if getattr(options, field)],
            "response_format": _response_format(options),
            "continuation_token": continuation,
        }
        body = {"model": options.model.removeprefix("models/"), "input": steps_of(turns), "stream": True, "store": False}
        return Request(f"{self._version}/interactions", {**body, **non_empty(fields)})


def _thinking(options: Options) -> dict[str, str]:
    """Return how much to think and whether to tell of it; this API knows levels only, for models that take budgets too."""
    if isinstance(options.think, int):
        raise PromptError("the Interactions API takes a thinking level, not a budget: --think low, medium or high")
    config = thinking_config(options.model, options.think)
    if config is None:
        return {}
    summaries = {"thinking_summaries": "auto" if config["includeThoughts"] else "none"}
    if options.think is None:
        return summaries
    level = config.get("thinkingLevel") or ("minimal" if options.think == "off" else options.think)
    return {**summaries, "thinking_level": level.lower()}


def _response_format(options: Options) -> dict[str, Any] | list[dict[str, str]] | None:
    if form := answer_format(options):
        schema = {"schema": form["responseJsonSchema"]} if "responseJsonSchema" in form else {}
        return {"type": "text", "mime_type": form["responseMimeType"], **schema}
    return [{"type": kind.lower()} for kind in modalities(options.model) or ()]


def steps_of(turns: Iterable[Turn]) -> list[_Step]:
    """Return the steps of these turns, those of one side that only say something joined; PromptError for what it can't take."""
    ids = CallIds()
    steps = [step for turn in turns for part in merge_text(turn.parts) for step in _steps(part, turn.role, ids)]
    joined: list[_Step] = []
    for kind, run in groupby(steps, key=lambda step: step.get("type")):
        if kind in _SPOKEN.values():
            joined.append({"type": kind, "content": [content for step in run for content in dicts(step.get("content"))]})
        else:
            joined += run
    return joined


def _steps(part: Part, role: str, ids: CallIds) -> Iterator[_Step]:
    """Yield what a part says to the service: at most one step, whose content may go on in the next."""
    block = own_block(NAME, part)
    if isinstance(call := part.get("functionCall"), Mapping):
        named = {"id": ids.of_call(call), "name": str(call.get("name") or "")}
        yield {**(block or {}), "type": "function_call", **named, "arguments": arguments_of(call)}
    elif isinstance(answer := part.get("functionResponse"), Mapping):
        yield _result(answer, ids)
    elif block:
        yield block
    elif not is_thinking(part) and (content := _content(part, role)):
        yield {"type": _SPOKEN[role], "content": [content]}


def _result(answer: Mapping[str, Any], ids: CallIds) -> _Step:
    response, media = answer.get("response"), [_file_content(file) for file in files_of(answer)]
    text = {"type": "text", "text": json.dumps(response, ensure_ascii=False)}
    named = {"type": "function_result", "call_id": ids.of_result(answer), "name": str(answer.get("name") or "")}
    failed = {"is_error": True} if is_error(response) else {}
    return {**named, "result": [text, *media] if media else response, **failed}


def _content(part: Part, role: str) -> _Step | None:
    """Return what a part shows or says as content of a step; None if there is nothing that this service could read."""
    file, text = file_of(part), part.get("text")
    if file and not isinstance(text, str) and (file.address or (file.data and (role == "user" or file.kind != "audio"))):
        return _file_content(file)
    said = text if isinstance(text, str) else part_as_text(part).strip("\n")  # code that another API ran, or what it printed
    return {"type": "text", "text": said} if said else None


def _file_content(file: File) -> _Step:
    kind = "document" if file.mime.startswith(_DOCUMENTS) else file.kind if file.kind in ("image", "audio", "video") else ""
    if file.address:
        mime = {"mime_type": file.mime} if file.mime else {}
        return {"type": kind or ("document" if file.mime else "video"), "uri": file.address, **mime}
    if kind:
        return {"type": kind, "data": file.data, "mime_type": file.mime}
    if file.text is not None:
        return {"type": "text", "text": file.text}
    raise PromptError(f"the Interactions API does not support {file.name}; attach images, audio, video, PDF or text")
