"""How much a model can be told at once, and how full a chat is; the service is asked when somebody wants to know, once."""

from __future__ import annotations

import asyncio

from nbgemini.client import Client
from nbgemini.errors import NbGeminiError
from nbgemini.formatting import percent
from nbgemini.services import full_name

WORTH_ASKING = 8_000  # tokens in a chat below which no window of today is half full
_PATIENCE = 5.0  # seconds for the list: it is a convenience


class Windows:
    """The windows of the models of every service that was asked."""

    def __init__(self) -> None:
        """Know none."""
        self._lists: dict[tuple[str, str], dict[str, int]] = {}
        self._asking = asyncio.Lock()

    def of(self, client: Client, model: str, service: str = "gemini") -> int | None:
        """Return how many tokens a model takes, as far as its service was asked."""
        return self._lists.get(_place(client, service), {}).get(model.removeprefix("models/"))

    def names(self, client: Client) -> list[str]:
        """Return the models of the client's services, as far as they were asked."""
        lists = ((name, self._lists.get(_place(client, name), {})) for name in client.settings.known)
        return [full_name(name, model) for name, models in lists for model in models]

    async def learn(self, client: Client, service: str = "gemini") -> None:
        """Ask a service, unless it was asked before; trouble leaves its windows unknown."""
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
    """Return what tells services apart: in the demo all have other addresses."""
    known = client.settings.known
    return service, client.settings.service(service).base_url if service in known else ""


def fill_text(tokens: int, window: int | None) -> str:
    """Return how full a window is, in words, as far as it is known."""
    return f"{percent(tokens, window)} of {window:,} tokens" if window else f"{tokens:,} tokens"
