"""How the requests of a client go out: through a source, so many at once, and again after trouble that passes.

The one owner of retries: no source and no provider sends anything twice.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Self, TypeAlias
from weakref import WeakKeyDictionary

from nbgemini.admission import Place, Places
from nbgemini.carrying import Carrying
from nbgemini.files import Files
from nbgemini.providers.gemini import Gemini
from nbgemini.providers.protocol import Provider
from nbgemini.retry import Attempts, Budget, Policy
from nbgemini.sources.protocol import Source

Sleep: TypeAlias = Callable[[float], Awaitable[object]]

BUDGET = Budget()  # of the process: a hundred clients in a storm are one storm


class Sending:
    """What all requests of a client to one service share.

    Attributes:
        provider: the codec that the service is spoken to with.
        files: how files go along.
    """

    def __init__(
        self,
        source: Source,
        policy: Policy | None = None,
        *,
        streams: int = 1000,
        sleep: Sleep = asyncio.sleep,
        provider: Provider | None = None,
    ) -> None:
        """Send `streams` requests at once; `sleep` waits so many seconds before one is sent again."""
        self.provider = provider or Gemini()
        self.files: Files | Carrying = Files(source, "v1beta", self.attempts, sleep)
        self.source = source
        self.sleep = sleep
        self._policy = policy or Policy()
        self._streams = streams
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, Places] = WeakKeyDictionary()

    def through(self, source: Source) -> Self:
        """Return the same way through another source: both stand in one line."""
        other = copy.copy(self)
        other.source = source
        return other

    def once(self) -> Self:
        """Return the same way, on which nothing is sent again: who asks has a patience of its own."""
        other = copy.copy(self)
        other._policy = Policy(attempts=1)  # noqa: SLF001 - one of our own
        return other

    def attempts(self) -> Attempts:
        """Return the count of one request's attempts, from now on."""
        return Attempts(self._policy, BUDGET, monotonic, random.random)

    def place(self) -> Place:
        """Return a place among the requests of the running loop."""
        loop = asyncio.get_running_loop()
        places = self._places.get(loop)
        if places is None:
            places = self._places[loop] = Places(self._streams)
        return places.place()
