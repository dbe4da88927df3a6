"""The key that a prompt wants and nobody has set: Colab may have it. Elsewhere there is nothing to look for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nbgemini.notebook.kernel.colab import in_colab
from nbgemini.notebook.kernel.interrupts import Interrupted
from nbgemini.notebook.session import taping_of

if TYPE_CHECKING:
    from nbgemini.notebook.magics.parsing import Ask
    from nbgemini.notebook.session import Session
    from nbgemini.services import Service


def keyless(session: Session, ask: Ask) -> Service | None:
    """Return the service that a prompt can't be asked of yet, if its key may be had from Colab.

    Raises:
        ConfigurationError: there is no such service.
    """
    if not in_colab():
        return None
    model = session.model_named(ask.model or session.config.model) or session.client.settings.model
    return session.client.services.lacking(model, taping_of(ask, session.shell))


async def find_key(session: Session, ask: Ask) -> None:
    """Let Colab say the key, off the loop.

    Raises:
        ConfigurationError: there is none, or this notebook does not get it.
    """
    service = keyless(session, ask)
    try:
        if service is not None:
            await session.backend.find_key(service)
    except asyncio.CancelledError:
        raise Interrupted("the key was not there yet, nothing was asked") from None
