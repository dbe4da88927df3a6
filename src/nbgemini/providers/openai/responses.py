"""OpenAI's Responses dialect: turns to a list of items, stream events to events.

Nothing is stored at the service: the whole list of items goes with each request, encrypted reasoning too. Its own items go back
as they came, of others' parts what is neutral.

Invariants: the items stand in the order of the parts; each output names the id of its call; nothing that another provider
signed or thought is in them, and no reasoning of OpenAI's own goes to a model that doesn't reason (it refuses such items).
Source: developers.openai.com/api/docs, the guides on reasoning, conversation state and the tools; the types of openai 3.52.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Part, Turn
from nbgemini.providers.common.json import non_empty
from nbgemini.providers.common.parts import CallIds, File, files_of, own_block, part_as_text
from nbgemini.providers.openai import common
from nbgemini.providers.openai.common import Item
from nbgemini.providers.openai.responses_decode import NAME, ResponsesDecoder
from nbgemini.transport.request import Request

_OWN_TOOLS: dict[str, Item] = {
    "search": {"type": "web_search"},
    "run_code": {"type": "code_interpreter", "container": {"type": "auto"}},
}


class ResponsesCodec(common.OpenAICodec):
    """The codec of the Responses API."""

    name = NAME
    stream = ResponsesDecoder
    title = "OpenAI's Responses API"
    files = "pictures, PDF or text"
    text_type = "input_text"

    def encode(self, turns: Sequence[Turn], options: Options, *, continuation: str | None = None) -> Request:  # noqa: ARG002
        """Return the streaming request for these turns."""
        _refuse(options)
        reminder, form = common.json_reminder(options), common.response_format(options, nested=False)
        first = [{"type": "message", "role": "developer", "content": reminder}] if reminder else []
        body = {"model": options.model, "input": first + self.items_of(turns, options.model), "stream": True, "store": False}
        fields = {
            "instructions": common.openai_instruction(options),
            "tools": _tools(options),
            "reasoning": _reasoning(options),
            "include": _include(options),
            "text": {"format": form} if form else None,
            "max_output_tokens": options.max_tokens,
            "temperature": common.temperature_of(options),
        }
        return Request("responses", {**body, **non_empty(fields)})

    def _result(self, answer: Mapping[str, Any], call_id: str) -> Item:
        """Return the answer to a call: text, and beside it what the tool attached, as far as the service can see it."""
        text, files = json.dumps(answer.get("response"), ensure_ascii=False), files_of(answer)
        seen = [self._text(text), *(self._show(file) or self._text(file.in_words) for file in files)] if files else text
        return {"type": "function_call_output", "call_id": call_id, "output": seen}

    def _user_message(self, content: list[Item]) -> Item:
        return {"type": "message", "role": "user", "content": content}

    def _answered(self, parts: Iterable[Part], ids: CallIds, model: str, *, called: bool) -> Iterator[Item]:  # noqa: ARG002
        takes_reasoning = common.efforts_of(model) != ()
        said: list[str] = []
        for part in parts:
            block = own_block(NAME, part) or {}
            kind = block.get("type")
            if isinstance(call := part.get("functionCall"), Mapping):
                yield from _message(said)
                named = {"call_id": ids.of_call(call), "name": str(call.get("name") or "")}
                yield {"type": "function_call", **named, "arguments": common.arguments_json(call)}
            elif kind == "message":
                yield from _message(said, block.get("phase"))
            elif kind in ("reasoning", "web_search_call"):  # these go back as they came
                yield from _message(said)
                yield from [block] if takes_reasoning or kind != "reasoning" else []
            else:
                said.append(part_as_text(part))
        yield from _message(said)

    def _show(self, file: File) -> Item | None:
        if file.kind == "image":
            return {"type": "input_image", "image_url": file.url, "detail": "auto"}
        if common.is_paper(file) and file.address:
            return {"type": "input_file", "file_url": file.address}
        if common.is_paper(file):
            return {"type": "input_file", "filename": common.file_name(file), "file_data": file.url}
        return self._show_text(file)


def _message(said: list[str], phase: Any = None) -> Iterator[Item]:
    """Yield what was said since the last item, if anything."""
    text = "".join(said)
    said.clear()
    if text:
        yield {"type": "message", "role": "assistant", "content": text, **({"phase": phase} if phase else {})}


def _refuse(options: Options) -> None:
    """Refuse what this API has no word for."""
    for option, name, asked in (("--seed", "seed", options.seed is not None), ("--stop-at", "stop text", options.stop_at)):
        if asked:
            raise PromptError(f"OpenAI's Responses API takes no {name}; leave out {option}, or ask by -m openai-chat:MODEL")
    if options.urls and not options.search:
        raise PromptError("OpenAI does not support --urls; --search reads web pages too")


def _tools(options: Options) -> list[Item]:
    functions: list[Item] = [
        {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.schema, "strict": False}
        for tool in options.tools
    ]
    return functions + [tool for field, tool in _OWN_TOOLS.items() if getattr(options, field)]


def _reasoning(options: Options) -> Item | None:
    """Return how much to reason, and that a summary of it be told.

    Summaries are for who asks for thinking: without being verified, an organisation gets an error for them, not an answer.
    Source: BerriAI/litellm#16032.
    """
    effort = common.effort_of(options)
    if effort is None:
        return None
    return {"effort": effort} if options.think in ("off", 0) else {"effort": effort, "summary": "auto"}


def _include(options: Options) -> list[str]:
    """Return what the service leaves out unless asked; models that don't reason refuse to encrypt what they reasoned."""
    encrypted = ["reasoning.encrypted_content"] if common.reasons(options.model) else []
    return encrypted + (["code_interpreter_call.outputs"] if options.run_code else [])
