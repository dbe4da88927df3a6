"""Finds an API key that is neither set nor typed: in Colab's secrets. Elsewhere there is nowhere to look.

A secret is asked of the page by a message whose answer the asking thread polls for, ten seconds at most; its owner may be asked
first. So it is asked for when a prompt wants a key that nobody has set, never before, and off the loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nbgemini.errors import ConfigurationError
from nbgemini.notebook.kernel.environment import in_colab
from nbgemini.notebook.kernel.interrupts import Interrupted
from nbgemini.secrets import Secret
from nbgemini.services import Service, key_command

if TYPE_CHECKING:
    from nbgemini.notebook.options import PromptArgs
    from nbgemini.notebook.session import Session

_PANEL = "in the Secrets panel (the key at the left of the page)"


def keyless(session: Session, args: PromptArgs) -> Service | None:
    """Return the service whose key a prompt still needs, if Colab may have it.

    Raises:
        ConfigurationError: there is no such service.
    """
    if not in_colab():
        return None
    model = session.options.model(args.model or session.config.model) or session.client.settings.model
    return session.client.services.lacking(model, session.options.taping(args))


async def find_key(session: Session, args: PromptArgs) -> None:
    """Get the key that a prompt still needs from Colab's secrets, off the loop.

    Raises:
        ConfigurationError: there is none, or this notebook may not read it.
    """
    service = keyless(session, args)
    try:
        if service is not None:
            await session.backend.find_key(service)
    except asyncio.CancelledError:
        raise Interrupted("the key was not found yet; nothing was sent") from None


def key_for(service: Service) -> Secret:
    """Return the first of the user's secrets that are called like the service's keys; waits, so it belongs into a thread.

    Raises:
        ConfigurationError: there is none, the notebook may not have it, or the page does not answer.
    """
    from google.colab import userdata  # noqa: PLC0415 - only there

    troubles: list[str] = []
    for name in service.key_names:
        try:
            found = Secret(str(userdata.get(name) or ""))
        except Exception as error:  # noqa: BLE001 - whatever the page says, the prompt is refused in our own words
            kind = type(error).__name__
        else:
            if found:
                return found
            kind = "SecretNotFoundError"  # an empty one is none
        if kind == "NotebookAccessError":
            troubles.append(f"this notebook may not have the secret {name} → switch on its notebook access {_PANEL}")
        elif kind != "SecretNotFoundError":
            troubles.append(_silence(service, name, kind))
            break  # nobody answers: the next would wait as long
    raise ConfigurationError(troubles[0] if troubles else _none(service))


def _silence(service: Service, name: str, kind: str) -> str:
    why = "its page did not answer in time" if kind == "TimeoutException" else f"its page could not be asked ({kind})"
    return (
        f"Colab did not hand over the secret {name}: {why} → run the cell again with the page open, or {key_command(service)}"
    )


def _none(service: Service) -> str:
    last, *others = reversed(service.key_names)
    also = f" (or {', '.join(others)})" if others else ""
    return f"no API key: add a secret {last}{also} {_PANEL}, run {key_command(service)}, or try %gemini demo, which needs none"
