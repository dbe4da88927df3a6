"""`%gemini key`, `demo`, `doctor` and `models`: which service answers, with which key, and which models it has."""

from __future__ import annotations

import getpass
from contextlib import suppress
from typing import TYPE_CHECKING

from nbgemini.errors import ConfigurationError, NbGeminiError, PromptError, nearest
from nbgemini.notebook.commands.common import no_arguments, show_line, show_table, split_words, usage_error
from nbgemini.notebook.commands.status import key_text
from nbgemini.notebook.kernel import environment
from nbgemini.services import full_name, keyless_text, split_model, usual_service

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session
    from nbgemini.providers.base import Model

_MODEL_COLUMNS = ("model", "", "input tokens", "output tokens", "-k, --think", "USD per million in / out")


def key(session: Session, rest: str) -> None:
    """Ask for the API key of Gemini, or of another service, and keep it in memory only.

    Raises:
        PromptError: the word is no service (it may be a key), or nothing was typed.
        ConfigurationError: the run is unattended.
    """
    name = rest.strip() or "gemini"
    known = session.client.settings.known
    if name not in known:
        if hint := nearest(name, known):
            raise PromptError(f"no service {name!r}{hint}")
        services = ", ".join(service for service in known if known[service].key_names)
        way_out = f"%gemini key [SERVICE] asks for that of {services}"
        raise PromptError(f"never type a key into a cell, where it would be saved; {way_out}")
    if not known[name].key_names:
        raise ConfigurationError(f"{name} {keyless_text(known[name])}")
    if environment.is_unattended(session.shell):
        raise ConfigurationError(f"nobody can type a key in an unattended run; set {known[name].key_names[-1]} instead")
    typed = ""
    with suppress(EOFError):  # Ctrl-D
        typed = getpass.getpass(f"{'Gemini' if name == 'gemini' else name} API key (hidden): ").strip()
    if not typed:
        raise PromptError("no key was typed; nothing changed")
    session.backend.set_key(name, typed)
    show_line("key kept in memory until the kernel ends")


def demo(session: Session, rest: str) -> None:
    """Switch to the offline service, or back with `off`."""
    words = split_words(rest)
    if words == ["off"]:
        session.backend.leave_demo()
        show_line("live service from here on")
        return
    if words not in ([], ["fast"]):
        raise usage_error("demo", f"{rest.strip()!r} is not understood")
    session.backend.enter_demo(0.0 if words else 1.0)
    show_line("offline service from here on: no key, no network, prepared answers; %gemini demo off ends it")


async def doctor(session: Session, rest: str) -> None:
    """Check versions, key, front end, and whether the service can be reached."""
    from nbgemini._environment import versions  # noqa: PLC0415

    no_arguments("doctor", rest)
    front_end = "unattended run: cells wait for their answers"
    if not environment.is_unattended(session.shell):
        in_terminal = environment.kernel_of(session.shell) is None
        front_end = "terminal: cells wait for their answers" if in_terminal else "interactive: cells return at once"
    try:
        reached = f"reachable, {len(await session.client.list_models())} models"
    except NbGeminiError as error:
        reached = f"✗ {error}"
    rows = [
        *versions(),
        ("backend", session.answering),
        ("key", key_text(session)),
        ("other services", _other_keys(session)),
        ("front end", front_end),
        ("service", reached),
    ]
    show_table(("check", "result"), rows)


def _other_keys(session: Session) -> str:
    """Return the other services that have a key."""
    if session.answering == "offline":
        return "none needed"
    services = session.client.settings.known.values()
    ready = [service.name for service in services if service.key and service.dialect not in ("gemini", "interactions")]
    return f"key set for {', '.join(ready)}" if ready else "no key set; %gemini key anthropic asks for one"


async def models(session: Session, rest: str) -> None:
    """List the models whose names contain FILTER, of another service with SERVICE:FILTER: limits, thinking levels, prices."""
    service, word = split_model(rest.strip())
    listed = await session.client.list_models(service)
    found = [model for model in listed if model.answers and word.lower() in model.name.lower()]
    if not found:
        if service == "gemini":  # `openai`, or `claude`, without the service's colon
            service = word if word in session.client.settings.known else usual_service(f"{word}-")
        all_models = f"%gemini models {full_name(service, '')}".strip()
        whose = "all" if service == "gemini" else f"those of {service}"
        raise PromptError(f"no model name contains {word!r}; {all_models} lists {whose}")
    prices = session.client.settings.prices
    show_table(_MODEL_COLUMNS, [_model_row(session, service, model) for model in found])
    own = "" if session.config.prices else '; %config Gemini.prices = "file.json" uses your own'
    show_line(f"prices as of {prices.date}{own}")


def _model_row(session: Session, service: str, model: Model) -> tuple[str, ...]:
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
