"""%gemini key, demo and doctor: the service that answers, and as whom we ask."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from nbgemini.errors import ConfigurationError, NbGeminiError, PromptError
from nbgemini.notebook.commands._args import no_more, words_of
from nbgemini.notebook.commands._output import show_line, show_table
from nbgemini.notebook.kernel import environment

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session


def key(session: Session, rest: str) -> None:
    """Ask for the API key of Gemini, or of another SERVICE (anthropic, openai …), and keep it in memory only."""
    service = rest.strip() or "gemini"
    if service not in session.client.settings.known:
        raise PromptError("a key is never typed into a cell, where it would be saved; run %gemini key [SERVICE], it asks")
    if environment.kernel_of(session.shell) is not None and not environment.someone_sits_there(session.shell):
        raise ConfigurationError(f"nobody to ask for a key here; set {_variable(session, service)} instead")
    typed = getpass.getpass(f"API key of {service}: ").strip()
    if not typed:
        raise PromptError("no key was typed; nothing changed")
    session.backend.set_key(service, typed)
    show_line("key kept in memory until the kernel ends")


def demo(session: Session, rest: str) -> None:
    """Switch to the offline service (no key, no network), or back with `off`."""
    words = words_of(rest)
    if words == ["off"]:
        session.backend.leave_demo()
        show_line("live service from here on")
        return
    if words not in ([], ["fast"]):
        raise PromptError("%gemini demo, %gemini demo fast (no pauses), or %gemini demo off")
    session.backend.enter_demo(0.0 if words else 1.0)
    show_line("offline service from here on: no key, no network, prepared answers; %gemini demo off ends it")


async def doctor(session: Session, rest: str) -> None:
    """Check versions, key, reachability and widgets."""
    from nbgemini._environment import versions  # noqa: PLC0415

    no_more(rest)
    rows = [
        *versions(),
        ("backend", session.answering),
        ("key", "set" if session.client.settings.secret else "none → %gemini key"),
        ("other services", _others(session)),
    ]
    rows.append(
        (
            "front end",
            "someone sits there" if environment.someone_sits_there(session.shell) else "headless: cells wait",
        )
    )
    try:
        rows.append(("service", f"reachable, {len(await session.client.list_models())} models"))
    except NbGeminiError as error:
        rows.append(("service", f"✗ {error}"))
    show_table(("check", "found"), rows)


def _variable(session: Session, service: str) -> str:
    names = session.client.settings.known[service].key_names
    return names[-1] if names else f"{service.upper()}_API_KEY"


def _others(session: Session) -> str:
    """Return which of the other services can be asked as things stand."""
    services = session.client.settings.known.values()
    ready = [service.name for service in services if service.key and service.dialect not in ("gemini", "interactions")]
    return f"key set for {', '.join(ready)}" if ready else "no key set; %gemini key anthropic asks for one"
