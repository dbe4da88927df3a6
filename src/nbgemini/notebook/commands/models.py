"""%gemini models: what the service offers, what each model takes, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbgemini.errors import PromptError
from nbgemini.notebook.commands.showing import show_line, show_table

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session
    from nbgemini.providers.protocol import Model

_HEADERS = ("model", "", "input tokens", "output tokens", "-k, --think", "USD per million in / out")


async def models(session: Session, rest: str) -> None:
    """List the service's models whose name contains FILTER: limits, thinking, prices, which is current, and aliases."""
    word = rest.strip().lower()
    found = [model for model in await session.client.list_models() if model.answers and word in model.name.lower()]
    if not found:
        raise PromptError(f"no model's name contains {word!r}; %gemini models lists all")
    prices = session.client.settings.prices
    show_table(_HEADERS, [_row(session, model) for model in found])
    own = "" if session.config.prices else '; %config Gemini.prices = "file.json" brings your own'
    show_line(f"prices of {prices.date}{own}")


def _row(session: Session, model: Model) -> tuple[str, ...]:
    from nbgemini.providers.thinking import thinking_text  # noqa: PLC0415 - with the session

    settings = session.client.settings
    marks = ["current"] if model.name == settings.model else []
    marks += [f"-m {alias}" for alias, name in session.config.aliases.items() if name == model.name]
    thinking = thinking_text(model.name) if model.thinking else "no"
    limits = (_limit(model.input_limit), _limit(model.output_limit))
    return model.name, ", ".join(marks), *limits, thinking, settings.prices.text(model.name)


def _limit(tokens: int | None) -> str:
    return f"{tokens:,}" if tokens else ""
