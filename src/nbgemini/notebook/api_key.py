"""Finds an API key that is neither set nor typed: in Colab's secrets. Elsewhere there is nowhere to look."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nbgemini.notebook.kernel.colab import in_colab
from nbgemini.notebook.kernel.interrupts import Interrupted

if TYPE_CHECKING:
    from nbgemini.notebook.options import PromptArgs
    from nbgemini.notebook.session import Session
    from nbgemini.services import Service


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
