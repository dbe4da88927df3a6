"""How much a model can be told at once, and how full a chat is; the service is asked when somebody wants to know, once."""

from __future__ import annotations

import asyncio

from nbgemini.client import Client
from nbgemini.errors import NbGeminiError

WORTH_ASKING = 8_000  # tokens in a chat below which no window of today is half full
_PATIENCE = 5.0  # seconds for the list: it is a convenience


class Windows:
    """The windows of the models of every service that was asked."""

    def __init__(self) -> None:
        """Know none."""
        self._lists: dict[str, dict[str, int]] = {}
        self._asking = asyncio.Lock()

    def of(self, client: Client, model: str) -> int | None:
        """Return how many tokens a model takes, as far as its service was asked."""
        return self._lists.get(client.settings.base_url, {}).get(model.removeprefix("models/"))

    def names(self, client: Client) -> list[str]:
        """Return the models of the client's service, as far as it was asked."""
        return [*self._lists.get(client.settings.base_url, {})]

    async def learn(self, client: Client) -> None:
        """Ask the client's service, unless it was asked before; trouble leaves its windows unknown."""
        async with self._asking:
            service = client.settings.base_url
            if service in self._lists:
                return
            try:
                async with asyncio.timeout(_PATIENCE):
                    found = await client.list_models()
            except (NbGeminiError, TimeoutError):
                return
            self._lists[service] = {model.name: model.input_limit for model in found if model.input_limit}


def fill_text(tokens: int, window: int | None) -> str:
    """Return how full a window is, in words, as far as it is known."""
    return f"{percent(tokens, window)} of {window:,} tokens" if window else f"{tokens:,} tokens"


def percent(tokens: int, window: int) -> str:
    """Return a share; one that is not nothing is never called 0 %."""
    share = 100 * tokens / window
    return f"{share:.0f} %" if share >= 1 else "< 1 %"
