"""What one kernel has used: tokens and cost so far, the context windows of its models, and its journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from nbgemini._async.handle import StreamHandle
from nbgemini._storage import user_path
from nbgemini._storage.sqlite import default_path
from nbgemini.chat.reply import Reply
from nbgemini.client import Client
from nbgemini.errors import NbGeminiError
from nbgemini.formatting import percent
from nbgemini.journal import Journal
from nbgemini.messages.turns import Usage
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.kernel.environment import notebook_name
from nbgemini.services import full_name

WORTH_ASKING = 8_000  # tokens in a chat; no window of today is half full below
_PATIENCE = 5.0  # seconds to wait for a service's list of models

Spent: TypeAlias = tuple[Usage, float]


class UsageMeter:
    """What all replies and maps of a kernel used together: what runs is read when asked; what has ended is only a sum."""

    def __init__(self) -> None:
        self._total: Spent = Usage(), 0.0
        self._running: dict[StreamHandle, Callable[[], Spent]] = {}

    def follow(self, handle: StreamHandle, spent: Callable[[], Spent]) -> None:
        """Count from now on what `spent` returns: tokens, and USD where a price is known."""
        self._running[handle] = spent
        handle.when_done(lambda: self._settle(handle))

    def follow_reply(self, reply: Reply) -> None:
        """Count a reply from now on; the offline service costs nothing."""
        so_far = reply.so_far
        self.follow(reply, lambda: (so_far.usage, 0.0 if so_far.offline else so_far.cost or 0.0))

    @property
    def tokens(self) -> Usage:
        """Tokens."""
        return sum((spent()[0] for spent in self._running.values()), self._total[0])

    @property
    def cost(self) -> float:
        """USD, as far as prices are known."""
        return sum((spent()[1] for spent in self._running.values()), self._total[1])

    def _settle(self, handle: StreamHandle) -> None:
        tokens, cost = self._running.pop(handle)()
        self._total = self._total[0] + tokens, self._total[1] + cost


class ContextWindows:
    """The context windows of models, by service; each service is asked once, when the size is first needed."""

    def __init__(self) -> None:
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


class KernelJournal:
    """The journal of one kernel, opened and closed as %config Gemini.journal says."""

    def __init__(self, shell: Any, config: Gemini) -> None:
        self._shell = shell
        self._config = config
        self._open: Journal | None = None

    @property
    def current(self) -> Journal | None:
        """The journal that %config asks for; None if it asks for none."""
        wanted = self._config.journal
        path = default_path("journal.sqlite3") if wanted == "auto" else user_path(wanted)
        if self._open is not None and (wanted == "off" or path != self._open.path):
            self.close()
        if self._open is None and wanted != "off":
            self._open = Journal(path, notebook_name(self._shell))
        return self._open

    def follow(self, reply: Reply) -> None:
        """Write a reply from now on to its end."""
        if (journal := self.current) is not None:
            journal.follow(reply)

    async def saved(self) -> None:
        """Return when everything up to now is written."""
        if (journal := self.current) is not None:
            await journal.saved()

    def close(self) -> None:
        """Close the journal once the replies that were stopped just now are written to their ends."""
        journal, self._open = self._open, None
        if journal is not None:
            journal.retire()
