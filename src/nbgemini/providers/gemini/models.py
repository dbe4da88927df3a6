"""Which of Gemini's models takes which word for thinking; an unknown model passes through.

Source: the Gemini API's thinking guide; 2.x models take a budget in tokens, 3.x and 4.x a level, and never both.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.providers.common.models import family_of


class Family(Struct, frozen=True):
    """How a family of models is told to think: by `levels`, or by a budget between `lowest` and `highest`, or 0 for `off`."""

    levels: tuple[str, ...] = ()
    lowest: int = 0
    highest: int = 0
    off: bool = True
    thinks: bool = True

    def takes(self, tokens: int) -> bool:
        """Whether this is a budget."""
        return self.lowest <= tokens <= self.highest or (tokens == 0 and self.off)

    def __str__(self) -> str:
        """Say what it takes."""
        if self.levels:
            return ", ".join(level.lower() for level in self.levels)
        return f"{'off, ' if self.off else ''}{self.lowest or 1:,} to {self.highest:,} tokens" if self.thinks else ""


_BUDGET_OF_LEVEL = {"off": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768}
_NONE = Family(thinks=False)


def thinking_config(model: str, think: str | int | None) -> dict[str, Any] | None:
    """Return the `thinkingConfig` that says `think` to `model`, or None where nothing should be said.

    Raises:
        PromptError: the model does not offer this level or budget.
    """
    family = _family(model)
    if think is None:
        return {"includeThoughts": True} if family and family.thinks else None
    if family and not family.thinks:
        raise PromptError(f"{model} does not think; leave out --think")
    shown = {"includeThoughts": think not in ("off", 0)}
    if isinstance(think, int):
        return {**shown, "thinkingBudget": _budget(model, family, think)}
    if family is None or family.levels:
        return {**shown, "thinkingLevel": _level(model, family, think)}
    return {**shown, "thinkingBudget": _budget(model, family, min(_BUDGET_OF_LEVEL[think], family.highest))}


def thinking_text(model: str) -> str:
    """Return what a model that thinks takes, in words; "yes" where that is not known."""
    return str(_family(model) or "yes")


def _family(model: str) -> Family | None:
    name = model.rsplit("/", 1)[-1]
    if "-tts" in name:
        return _NONE
    return family_of(name, "gemini", Family)


def _level(model: str, family: Family | None, think: str) -> str:
    level = "MINIMAL" if think == "off" else think.upper()
    if family and level not in family.levels:
        raise PromptError(f"{model} can't think '{think}'; it offers: {family}")
    return level


def _budget(model: str, family: Family | None, tokens: int) -> int:
    if family is None:
        return tokens
    if family.levels:
        raise PromptError(f"{model} takes a thinking level, not a budget; it offers: {family}")
    if not family.takes(tokens):
        raise PromptError(f"{model} takes a thinking budget, not {tokens:,}; it offers: {family}")
    return tokens
