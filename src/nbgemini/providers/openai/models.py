"""Which of OpenAI's models reason, and in which words they are told how much.

A name that is not in `models.json`, and one with a slash, which is a router's, passes through: other servers have other rules.
Sources: developers.openai.com, the guides on reasoning and on GPT-6 and the deployment checklist; the compatibility matrix at
community.openai.com/t/1371738; openai/openai-agents-python#2089; goruck/home-generative-agent v3.46 (GPT-6).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options
from nbgemini.providers.base import Model
from nbgemini.providers.common.json import dicts, load
from nbgemini.providers.common.models import family_of
from nbgemini.providers.common.parts import PartStoreMixin
from nbgemini.transport.request import Request

_ANY = ("none", "low", "medium", "high", "xhigh")  # of a model that is not known
_SILENT = (
    "embedding", "tts", "whisper", "dall-e", "moderation", "-image", "realtime", "transcribe", "sora", "babbage", "davinci",
)  # fmt: skip


class Family(Struct, frozen=True):
    """A family of models, by the efforts that it takes; none at all if it doesn't reason."""

    efforts: tuple[str, ...] = ()


class ModelListMixin(PartStoreMixin):
    """The half of a codec that OpenAI's two dialects share: how parts are kept, and the list of models."""

    def list_request(self, page: str = "") -> Request:
        """Return the request for the model list."""
        _ = page  # there is but one
        return Request("models", None, {}, "GET")

    def decode_models(self, frame: bytes) -> tuple[list[Model], str]:
        """Return the models of the list, and that it has no other page."""
        return models_of(frame)


def efforts_of(model: str) -> tuple[str, ...] | None:
    """Return the efforts that a model takes, none if it doesn't reason; None where that is not known."""
    family = family_of(model, "openai", Family)
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
        raise PromptError(f"{model} takes a thinking level, not a budget; it offers: {_shown(known or _ANY)}")
    effort = str(think) if think not in ("off", 0) else "minimal" if "minimal" in (known or ()) else "none"
    if known and effort not in known:
        raise PromptError(f"{model} can't think '{think}'; it offers: {_shown(known)}")
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


def models_of(frame: bytes) -> tuple[list[Model], str]:
    """Return the models of a list, which has but one page; servers say more of them than OpenAI, each in its words."""
    data = load(frame)
    return [_model(entry) for entry in dicts(data.get("data") if isinstance(data, dict) else None)], ""


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


def _shown(efforts: tuple[str, ...]) -> str:
    return ", ".join("off" if effort == "none" else effort for effort in efforts)
