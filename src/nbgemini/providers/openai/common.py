"""What OpenAI's two dialects have in common: models and their reasoning, files and pictures, the form of an answer, usage.

A model whose name is not in `models.json`, and one with a slash, which is a router's, passes through: other servers have other
rules.
Sources: developers.openai.com, the guides on reasoning and on GPT-6 and the deployment checklist; the compatibility matrix at
community.openai.com/t/1371738; openai/openai-agents-python#2089; goruck/home-generative-agent v3.46 (GPT-6).
"""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options, Schema, Usage
from nbgemini.providers.base import Model
from nbgemini.providers.common.json import as_count, as_dict, dicts, load_frame
from nbgemini.providers.common.models import family_of
from nbgemini.providers.common.parts import PartStoreMixin, is_file_part
from nbgemini.transport.request import Request

_ANY = ("none", "low", "medium", "high", "xhigh")  # of a model that is not known
_SILENT = (
    "embedding", "tts", "whisper", "dall-e", "moderation", "-image", "realtime", "transcribe", "sora", "babbage", "davinci",
)  # fmt: skip


class GptFamily(Struct, frozen=True):
    """A family of models, by the efforts that it takes; none at all if it doesn't reason."""

    efforts: tuple[str, ...] = ()


class ModelListMixin(PartStoreMixin):
    """The half of a codec that OpenAI's two dialects share: how parts are kept, and the list of models."""

    def list_request(self, page: str = "") -> Request:
        """Return the request for the model list."""
        _ = page  # there is but one
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
    """Return how much the model is to reason, in its words; None where nothing should be said.

    Raises:
        PromptError: the model does not offer this.
    """
    model, think = options.model, options.think
    if think is None:
        return None
    known = efforts_of(model)
    if known == ():
        raise PromptError(f"{model} does not think; leave out --think")
    if isinstance(think, int) and think:
        raise PromptError(f"{model} takes a thinking level, not a budget; it offers: {_effort_names(known or _ANY)}")
    effort = str(think) if think not in ("off", 0) else "minimal" if "minimal" in (known or ()) else "none"
    if known and effort not in known:
        raise PromptError(f"{model} can't think '{think}'; it offers: {_effort_names(known)}")
    return effort


def temperature_of(options: Options) -> float | None:
    """Return the temperature, if one is asked for.

    Raises:
        PromptError: the model takes none while it reasons.
    """
    if options.temperature is None or not reasons(options.model) or effort_of(options) == "none":
        return options.temperature
    off = ", or add --think off" if "none" in (efforts_of(options.model) or ()) else ""
    raise PromptError(f"{options.model} takes no temperature while it thinks; leave out --temperature{off}")


def _model(entry: dict[str, Any]) -> Model:
    name = str(entry.get("id") or "")
    top = entry.get("top_provider")
    limits = {**(top if isinstance(top, dict) else {}), **entry}
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


def _effort_names(efforts: tuple[str, ...]) -> str:
    return ", ".join("off" if effort == "none" else effort for effort in efforts)


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


def arguments_json(call: Mapping[str, Any]) -> str:
    """Return the arguments of a call as JSON text."""
    args = call.get("args")
    return json.dumps(args if isinstance(args, Mapping) else {}, ensure_ascii=False)


def attached_to(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parts that a tool attached to its answer."""
    return [part for part in dicts(answer.get("parts")) if is_file_part(part)]


def named_schema(options: Options) -> dict[str, Any] | None:
    """Return name and schema that the answer must fit, where the service can hold the model to it.

    OpenAI and Anthropic take objects alone; servers of one's own (llama.cpp, Ollama, vLLM) take lists and choices too.
    """
    schema = options.schema
    if schema is None or not (_is_object(schema) or _is_free(options.model)):
        return None
    name = _NAME.sub("_", schema.name)[:_LONGEST_NAME] or "answer"
    return {"name": name, "schema": schema.body, "strict": False}


def openai_instruction(options: Options) -> str | None:
    """Return the system instruction, with the schema of an answer that not all services can be held to."""
    words = [options.instruction]
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
    given, made = as_count(said.get(f"{asked}_tokens")), as_count(said.get(f"{answered}_tokens"))
    of_input, of_output = as_dict(said.get(f"{asked}_tokens_details")), as_dict(said.get(f"{answered}_tokens_details"))
    thought = as_count(of_output.get("reasoning_tokens")) or as_count(said.get("reasoning_tokens"))
    cached = as_count(of_input.get("cached_tokens")) or as_count(said.get("cached_tokens"))
    cached = cached or as_count(said.get("prompt_cache_hit_tokens"))
    total = as_count(said.get("total_tokens")) or given + made
    inside = made - thought if thought <= made else made
    return Usage(given, thought, max(inside, total - given - thought), cached, 0, total)
