"""What OpenAI's two dialects have in common: models and their reasoning, prompts and files, the form of an answer, usage.

A model whose name is not in `models.json`, and one with a slash, which is a router's, passes through: other servers have other
rules. What the service can't take is refused in the last turn, which can be asked anew, and becomes words in those before.
Sources: developers.openai.com, the guides on reasoning and on GPT-6 and the deployment checklist; the compatibility matrix at
community.openai.com/t/1371738; openai/openai-agents-python#2089; goruck/home-generative-agent v3.46 (GPT-6).
"""

from __future__ import annotations

import json
import mimetypes
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Part, Schema, Turn, Usage, merge_text
from nbgemini.providers.base import Model
from nbgemini.providers.common.decoder import BaseCodec
from nbgemini.providers.common.json import as_count, as_dict, dicts, load_frame
from nbgemini.providers.common.models import family_of
from nbgemini.providers.common.parts import CallIds, File, arguments_of, file_of
from nbgemini.transport.request import Request

_ANY = ("none", "low", "medium", "high", "xhigh")  # of a model that is not known
_SILENT = (
    "embedding", "tts", "whisper", "dall-e", "moderation", "-image", "realtime", "transcribe", "sora", "babbage", "davinci",
)  # fmt: skip
_PAPERS = ("application/pdf", "application/msword", "application/vnd.", "application/rtf")
_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 64
_OBJECTS_ALONE = ("anthropic/", "claude-")
_OBJECT = "Answer with a JSON object and nothing else."
_FITTING = "Answer with nothing but JSON, without a code fence, that fits this JSON Schema: "

Item = dict[str, Any]


class GptFamily(Struct, frozen=True):
    """A family of models, by the efforts that it takes; none at all if it doesn't reason."""

    efforts: tuple[str, ...] = ()


class OpenAICodec(BaseCodec, ABC):
    """The half of a codec that OpenAI's two dialects share: what is asked, how calls are kept, and the list of models."""

    title: ClassVar[str]
    files: ClassVar[str]  # that it takes, in words
    text_type: ClassVar[str]

    @abstractmethod
    def _result(self, answer: Mapping[str, Any], call_id: str) -> Item:
        """Return the answer to a call."""

    def _beside_results(self, answer: Mapping[str, Any]) -> list[Item]:  # noqa: ARG002
        """Return what of a call's answer the user has to show."""
        return []

    @abstractmethod
    def _user_message(self, content: list[Item]) -> Item:
        """Return what the user says and shows."""

    @abstractmethod
    def _answered(self, parts: Iterable[Part], ids: CallIds, model: str, *, called: bool) -> Iterator[Item]:
        """Yield the model's side; `called` if it answers to the results of calls."""

    @abstractmethod
    def _show(self, file: File) -> Item | None:
        """Return a file as content; None if there is no form for its kind."""

    def items_of(self, turns: Sequence[Turn], model: str) -> list[Item]:
        """Return the messages, or items, of these turns; PromptError for what can't be sent of the last of them."""
        ids, called = CallIds(), False
        items: list[Item] = []
        for number, turn in enumerate(turns, 1):
            parts = merge_text(turn.parts)
            if turn.role == "model":
                items += self._answered(parts, ids, model, called=called)
            else:
                items += self._asked(parts, ids, last=number == len(turns))
            called = any("functionResponse" in part for part in parts)
        return items

    def _asked(self, parts: Iterable[Part], ids: CallIds, *, last: bool) -> Iterator[Item]:
        """Yield our side: the answers to calls, which come first, and one message."""
        content: list[Item] = []
        for part in parts:
            if isinstance(answer := part.get("functionResponse"), Mapping):
                yield self._result(answer, ids.of_result(answer))
                content += self._beside_results(answer)
            elif isinstance(text := part.get("text"), str):
                content += [self._text(text)] if text else []
            elif file := file_of(part):
                shown = self._show(file)
                if shown is None and last:
                    raise PromptError(f"{self.title} takes no {file.name}; attach {self.files}")
                content.append(shown or self._text(file.in_words))
        if content:
            yield self._user_message(content)

    def _text(self, text: str) -> Item:
        """Return a text as content."""
        return {"type": self.text_type, "text": text}

    def _show_text(self, file: File) -> Item | None:
        """Return a file of text as content; None for another."""
        return None if file.text is None else self._text(file.text)

    def list_request(self, page: str = "") -> Request:  # noqa: ARG002 - there is but one
        """Return the request for the model list."""
        return Request("models", None, {}, "GET")

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of a list, which has but one page; servers say more of them than OpenAI, each in its words."""
        return [_model(entry) for entry in dicts(as_dict(load_frame(frame)).get("data"))], ""


def efforts_of(model: str) -> tuple[str, ...] | None:
    """Return the efforts that a model takes, none if it doesn't reason; None where that is not known."""
    family = family_of(model, "openai", GptFamily)
    return family.efforts if family else None


def reasons(model: str) -> bool:
    """Whether this is a model of OpenAI's that is known to reason."""
    return bool(efforts_of(model))


def effort_of(options: Options) -> str | None:
    """Return how much the model is to reason, in its words; None for nothing, PromptError where it doesn't offer that."""
    model, think = options.model, options.think
    if think is None:
        return None
    known = efforts_of(model)
    if known == ():
        raise PromptError(f"{model} does not think; leave out --think")
    offered = ", ".join("off" if effort == "none" else effort for effort in known or _ANY)
    if isinstance(think, int) and think:
        raise PromptError(f"{model} takes a thinking level, not a budget; it offers: {offered}")
    effort = str(think) if think not in ("off", 0) else "minimal" if "minimal" in (known or ()) else "none"
    if known and effort not in known:
        raise PromptError(f"{model} can't think '{think}'; it offers: {offered}")
    return effort


def temperature_of(options: Options) -> float | None:
    """Return the temperature, if one is asked for (PromptError: the model takes none while it reasons)."""
    if options.temperature is None or not reasons(options.model) or effort_of(options) == "none":
        return options.temperature
    off = ", or add --think off" if "none" in (efforts_of(options.model) or ()) else ""
    raise PromptError(f"{options.model} takes no temperature while it thinks; leave out --temperature{off}")


def _model(entry: dict[str, Any]) -> Model:
    name = str(entry.get("id") or "")
    limits = {**as_dict(entry.get("top_provider")), **entry}
    return Model(
        name,
        str(entry.get("name") or ""),
        str(entry.get("description") or ""),
        _limit(limits, "context_length", "max_model_len", "context_window"),
        _limit(limits, "max_completion_tokens", "max_output_tokens"),
        reasons(name) or "reasoning" in str(entry.get("supported_parameters")),
        not any(word in name for word in _SILENT),
    )


def _limit(entry: dict[str, Any], *names: str) -> int | None:
    return next((entry[name] for name in names if type(entry.get(name)) is int and entry[name] > 0), None)


def is_paper(file: File) -> bool:
    """Whether this is a kind of document that goes as a file."""
    return file.mime.startswith(_PAPERS)


def file_name(file: File) -> str:
    """Return a name for a file without one: the service wants one, and reads its ending."""
    return f"attached{mimetypes.guess_extension(file.mime) or ''}"


def arguments_json(call: Mapping[str, Any]) -> str:
    """Return the arguments of a call as JSON text."""
    return json.dumps(arguments_of(call), ensure_ascii=False)


def response_format(options: Options, *, nested: bool) -> Item | None:
    """Return the form of an answer, its schema `nested` in an object of its own or not; None for plain text.

    OpenAI and Anthropic take objects alone; servers of one's own (llama.cpp, Ollama, vLLM) take lists and choices too.
    """
    schema = options.schema
    if schema and (_is_object(schema) or _takes_any_schema(options.model)):
        name = _NAME.sub("_", schema.name)[:_LONGEST_NAME] or "answer"
        named = {"name": name, "schema": schema.body, "strict": False}
        return {"type": "json_schema", "json_schema": named} if nested else {"type": "json_schema", **named}
    return {"type": "json_object"} if json_reminder(options) else None


def openai_instruction(options: Options) -> str | None:
    """Return the system instruction, with the schema of an answer that not all services can be held to."""
    words = [options.instruction]
    if options.schema and not _is_object(options.schema):
        words.append(_FITTING + json.dumps(options.schema.body, ensure_ascii=False))
    return "\n\n".join(filter(None, words)) or None


def _is_object(schema: Schema) -> bool:
    return schema.body.get("type") == "object"


def _takes_any_schema(model: str) -> bool:
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
    given, made = as_count(said.get(f"{asked}_tokens")), as_count(said.get(f"{answered}_tokens"))
    of_input, of_output = as_dict(said.get(f"{asked}_tokens_details")), as_dict(said.get(f"{answered}_tokens_details"))
    thought = as_count(of_output.get("reasoning_tokens")) or as_count(said.get("reasoning_tokens"))
    cached = as_count(of_input.get("cached_tokens")) or as_count(said.get("cached_tokens"))
    cached = cached or as_count(said.get("prompt_cache_hit_tokens"))
    total = as_count(said.get("total_tokens")) or given + made
    inside = made - thought if thought <= made else made
    return Usage(given, thought, max(inside, total - given - thought), cached, 0, total)
