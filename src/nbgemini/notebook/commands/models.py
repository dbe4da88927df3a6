"""`%gemini models`: the models of a service, with limits, thinking levels and prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbgemini.errors import PromptError
from nbgemini.notebook.commands._output import show_line, show_table
from nbgemini.services import full_name, split_model

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session
    from nbgemini.providers.base import Model

_HEADERS = ("model", "", "input tokens", "output tokens", "-k, --think", "USD per million in / out")


async def models(session: Session, rest: str) -> None:
    """List the models whose names contain FILTER, of another service with SERVICE:FILTER: limits, thinking levels, prices."""
    service, word = split_model(rest.strip())
    listed = await session.client.list_models(service)
    found = [model for model in listed if model.answers and word.lower() in model.name.lower()]
    if not found:
        raise PromptError(f"no model name contains {word!r}; {_all(service)} lists all")
    prices = session.client.settings.prices
    show_table(_HEADERS, [_row(session, service, model) for model in found])
    own = "" if session.config.prices else '; %config Gemini.prices = "file.json" brings your own'
    show_line(f"prices of {prices.date}{own}")


def _row(session: Session, service: str, model: Model) -> tuple[str, ...]:
    from nbgemini.providers.gemini.models import thinking_text  # noqa: PLC0415 - with the session

    settings = session.client.settings
    full = full_name(service, model.name)
    marks = ["current"] if full == settings.model else []
    marks += [f"-m {alias}" for alias, name in session.config.aliases.items() if name == full]
    thinking = thinking_text(model.name) if model.thinking else "no" if service == "gemini" else ""
    limits = (_limit(model.input_limit), _limit(model.output_limit))
    return full, ", ".join(marks), *limits, thinking, settings.prices.text(model.name)


def _limit(tokens: int | None) -> str:
    return f"{tokens:,}" if tokens else ""


def _all(service: str) -> str:
    return f"%gemini models {full_name(service, '')}".strip()
