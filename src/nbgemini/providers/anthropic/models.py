"""What Anthropic's models take: thinking, temperature, the longest answer; an unknown model passes.

Models from 4.7 on think as much as their effort says and refuse budgets and temperatures; older ones take a budget. Thinking
comes readable only where that is asked for. `max_tokens` has to be said, and thinking counts against it.
Sources: platform.claude.com, the pages on thinking, effort and each model's migration; the types of anthropic 2.12.
"""

from __future__ import annotations

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
_NONE = ("off", 0)


class Family(Struct, frozen=True):
    """What a family of models takes.

    Attributes:
        efforts: the levels of effort; empty where only a budget is taken.
        budget: whether a thinking budget is taken.
        off: the kind of thinking that stands for none; empty where it can't be switched off.
        thinks: whether it thinks when nothing is said of it.
        samples: whether a temperature is taken.
        most: how long an answer may be when nothing is said of it, in tokens.
    """

    efforts: tuple[str, ...] = _EFFORTS
    budget: bool = False
    off: str = "disabled"
    thinks: bool = True
    samples: bool = False
    most: int = 64_000

    def __str__(self) -> str:
        """Say which thinking it offers."""
        budget = f"a budget from {_LEAST_BUDGET:,} tokens" if self.budget else ""
        levels = self.efforts or tuple(_BUDGET_OF_LEVEL)
        return ", ".join(filter(None, ("off" if self.off else "", *levels, budget)))


_UNKNOWN = Family(budget=True, thinks=False, samples=True, most=8_192)  # also of services that only speak like Anthropic


def sampling_fields(options: Options) -> dict[str, Any]:
    """Return the fields of a request that say how to think, how freely, and how long.

    Raises:
        PromptError: the model can't.
    """
    family = family_of(options.model, "anthropic", Family) or _UNKNOWN
    thinking = _thinking(options.model, family, options.think)
    budget = thinking.get("thinking", {}).get("budget_tokens", 0)
    most = options.max_tokens or max(family.most, budget + _ANSWER)
    if budget >= most:
        raise PromptError(f"thinking takes {budget:,} of {most:,} --max-tokens; leave more for the answer, or think less (-k)")
    return {"max_tokens": most, **thinking, **_temperature(options, family, thinking)}


def _thinking(model: str, family: Family, think: str | int | None) -> dict[str, Any]:
    if think is None:
        return {"thinking": _ADAPTIVE} if family.thinks else {}
    if think in _NONE:
        return _without(model, family)
    if isinstance(think, int):
        return _budget(model, family, think)
    if not family.efforts:
        return _budget(model, family, _BUDGET_OF_LEVEL.get(think, 0), f"'{think}'")
    if think not in family.efforts:
        raise PromptError(f"{model} can't think '{think}'; it offers: {family}")
    return {"thinking": _ADAPTIVE, "output_config": {"effort": think}}


def _without(model: str, family: Family) -> dict[str, Any]:
    if not family.off:
        raise PromptError(f"{model} always thinks; it offers: {family}")
    return {"thinking": {"type": family.off}}


def _budget(model: str, family: Family, tokens: int, asked: str = "") -> dict[str, Any]:
    if not family.budget:
        raise PromptError(f"{model} takes a level of thinking, not a budget; it offers: {family}")
    if tokens < _LEAST_BUDGET:
        raise PromptError(f"{model} can't think {asked or f'{tokens:,} tokens'}; it offers: {family}")
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def _temperature(options: Options, family: Family, thinking: dict[str, Any]) -> dict[str, Any]:
    if options.temperature is None:
        return {}
    if not family.samples:
        raise PromptError(f"{options.model} takes no --temperature; leave it out")
    if thinking.get("thinking", {}).get("type") in ("adaptive", "enabled"):
        raise PromptError(f"{options.model} takes no --temperature while it thinks; leave it out, or say -k off")
    if options.temperature > 1:
        raise PromptError(f"{options.model} takes a --temperature from 0 to 1")
    return {"temperature": options.temperature}
