"""Which of OpenAI's models reason, and in which words they are told how much: data, dated 2026-11-21.

A name that is not in the table, and one with a slash, which is a router's, passes through: other servers have their own rules.
Sources: developers.openai.com, the guides on reasoning and on GPT-6 and the deployment checklist; the compatibility matrix at
community.openai.com/t/1371738; openai/openai-agents-python#2089; goruck/home-generative-agent v3.46 (GPT-6).
"""

from __future__ import annotations

from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options
from nbgemini.providers.base import Model
from nbgemini.providers.common.parts import NeutralParts
from nbgemini.providers.gemini.citations import dicts
from nbgemini.providers.gemini.decode import load
from nbgemini.transport.request import Request

_LEVELS = ("low", "medium", "high")
_MORE = (*_LEVELS, "xhigh")
_ANY = ("none", *_MORE)
_PRO = ("medium", "high", "xhigh")
_CHAT = ("medium",)

# The efforts that a model takes; none at all if it doesn't reason. The longest matching beginning of the name counts.
_EFFORTS: dict[str, tuple[str, ...]] = {
    "chatgpt-": (),
    "gpt-3": (),
    "gpt-4": (),
    "gpt-audio": (),
    "gpt-5": ("minimal", *_LEVELS),
    "gpt-5-chat": (),
    "gpt-5-search": (),
    "gpt-5-codex": _LEVELS,
    "gpt-5-pro": ("high",),
    "gpt-5.1": ("none", *_LEVELS),
    "gpt-5.1-chat": _CHAT,
    "gpt-5.1-codex": _LEVELS,
    "gpt-5.1-codex-max": _MORE,
    "gpt-5.2": _ANY,
    "gpt-5.2-chat": _CHAT,
    "gpt-5.2-codex": _MORE,
    "gpt-5.2-pro": _PRO,
    "gpt-5.3": _MORE,
    "gpt-5.3-chat": _CHAT,
    "gpt-5.4": _ANY,
    "gpt-5.4-pro": _PRO,
    "gpt-5.5": _ANY,
    "gpt-5.5-pro": _PRO,
    "gpt-5.6": _ANY,
    "gpt-6": _ANY,
    "gpt-6-astra": _MORE,
    "gpt-6.1-sol": _MORE,
    "gpt-6.2": _MORE,
    "o1": _LEVELS,
    "o3": _LEVELS,
    "o4": _LEVELS,
}
_SILENT = (
    "embedding", "tts", "whisper", "dall-e", "moderation", "-image", "realtime", "transcribe", "sora", "babbage", "davinci",
)  # fmt: skip


class Listed(NeutralParts):
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
    matching = [start for start in _EFFORTS if model.startswith(start)]
    return _EFFORTS[max(matching, key=len)] if matching else None


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
