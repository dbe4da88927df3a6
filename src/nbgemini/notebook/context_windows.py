"""The context windows of models; each service is asked once, when the size is first needed."""

from __future__ import annotations

import asyncio

from nbgemini.client import Client
from nbgemini.errors import NbGeminiError
from nbgemini.formatting import percent
from nbgemini.services import full_name

WORTH_ASKING = 8_000  # tokens in a chat; no window of today is half full below
_PATIENCE = 5.0  # seconds to wait for the list


class ContextWindows:
    """The context windows, by service, as far as each was asked."""

    def __init__(self) -> None:
        """Know none."""
        self._lists: dict[tuple[str, str], dict[str, int]] = {}
        self._asking = asyncio.Lock()

    def of(self, client: Client, model: str, service: str = "gemini") -> int | None:
        """Return how many tokens a model takes; None if it is not known."""
        return self._lists.get(_place(client, service), {}).get(model.removeprefix("models/"))

    def names(self, client: Client) -> list[str]:
        """Return the models of the services that were asked, as -m names them."""
        lists = ((name, self._lists.get(_place(client, name), {})) for name in client.settings.known)
        return [full_name(name, model) for name, models in lists for model in models]

    async def learn(self, client: Client, service: str = "gemini") -> None:
        """Ask a service, unless it was asked before; an error leaves its windows unknown."""
        async with self._asking:
            place = _place(client, service)
            if place in self._lists:
                return
            try:
                async with asyncio.timeout(_PATIENCE):
                    found = await client.list_models(service)
            except (NbGeminiError, TimeoutError):
                return
            self._lists[place] = {model.name: model.input_limit for model in found if model.input_limit}


def _place(client: Client, service: str) -> tuple[str, str]:
    """Return what tells services apart: in the demo they have other addresses."""
    known = client.settings.known
    return service, client.settings.service(service).base_url if service in known else ""


def fill_text(tokens: int, window: int | None) -> str:
    """Return how full a context window is, in words."""
    return f"{percent(tokens, window)} of {window:,} tokens" if window else f"{tokens:,} tokens"
