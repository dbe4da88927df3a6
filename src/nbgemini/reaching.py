"""What a client reaches: services by its settings, through its cache, recorded or replayed; and what they say of themselves."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import Self

from nbgemini.caching.cache import Cache
from nbgemini.caching.held import Caches
from nbgemini.connecting import Connections
from nbgemini.errors import ConfigurationError, PromptError
from nbgemini.fetching import fetch
from nbgemini.providers.protocol import Counting, Model
from nbgemini.sending import Sending, Sleep
from nbgemini.services import Service, split_model
from nbgemini.settings import Settings
from nbgemini.taping import Cassettes, Record, Replay, Taping, place_of, refuse_both
from nbgemini.turns import user_turn


class Reach:
    """The ways to all services, shared by whatever is asked.

    Attributes:
        settings: where and as whom it asks; change them with `use`.
        connections: the ways to the services that were asked.
    """

    def __init__(self, settings: Settings, sleep: Sleep) -> None:
        """Open nothing yet."""
        self.settings = settings
        self._sleep = sleep
        self._caches = Caches()
        self.connections = Connections(settings, sleep, self._caches)
        self._taping: Taping | None = None
        self._cassettes = Cassettes()

    @property
    def cache(self) -> Cache | None:
        """Where whole answers are kept; None if nowhere.

        Raises:
            ConfigurationError: the setting means nothing, or needs a package that is not installed.
        """
        return self._caches.of(self.settings.cache, self.settings.cache_seconds)

    @property
    def taping(self) -> Taping | None:
        """What is recorded or replayed for all prompts."""
        return self._taping

    async def record(self, path: str | Path | None) -> int:
        """Record what is asked from now on into a cassette and return its size, as it may hold answers already; None ends it.

        Raises:
            ConfigurationError: it can't be written, or is being replayed.
        """
        taping = Record(place_of(path)) if path is not None else None
        refuse_both(taping, self._taping)
        size = await self._cassettes.prepare(taping.path) if taping else 0
        self._taping = taping
        await self._cassettes.written()
        return size

    async def replay(self, path: str | Path | None, *, strict: bool = True, speed: float = math.inf) -> int:
        """Answer from a cassette from now on, from its beginning, and return how many answers it holds; None ends it.

        Args:
            path: the cassette.
            strict: an answer that it does not hold is an error; else it comes from the live service.
            speed: how many times faster than it was recorded; infinity plays at once.

        Raises:
            ConfigurationError: it can't be read, or is being recorded, or the speed is none.
        """
        if not speed > 0:
            raise ConfigurationError(f"a cassette plays at a speed above 0, not {speed}")
        taping = Replay(place_of(path), strict, speed) if path is not None else None
        refuse_both(taping, self._taping)
        if taping:
            self._cassettes.rewind(taping.path)
        count = await self._cassettes.answers(taping.path) if taping else 0
        self._taping = taping
        return count

    def sending(self, model: str, taping: Taping | None = None) -> Sending:
        """Return how requests go out to a model, while this is recorded or replayed, or what is by default.

        Raises:
            ConfigurationError: there is no such service, no key for it, or the cassette is in use the other way.
        """
        refuse_both(taping, self._taping)
        ways, (name, _) = self.connections, split_model(model)
        match taping or self._taping:
            case Record() as record:
                live, key = ways.to(name), ways.service(name).key
                return live.through(self._cassettes.recorded(live.source, record, live.provider.name, key))
            case Replay(speed=speed) as replay:
                source = self._cassettes.replayed(replay, lambda: ways.to(name).source)
                return ways.through(source, ways.service(name), lambda seconds: self._sleep(seconds / speed))
        return ways.to(name)

    def lacking(self, model: str, taping: Taping | None = None) -> Service | None:
        """Return the service of a model if a request to it would be refused for want of a key; a cassette needs none.

        Raises:
            ConfigurationError: there is no such service.
        """
        if isinstance(taping or self._taping, Replay):
            return None
        service = self.connections.service(split_model(model)[0])
        return service if service.lacks_key else None

    def use(self, settings: Settings) -> None:
        """Ask by other settings from the next request on."""
        self.settings = settings
        self.retire()
        self.connections = Connections(settings, self._sleep, self._caches)

    async def list_models(self, service: str = "gemini") -> list[Model]:
        """Return the models of a service, all pages.

        Raises:
            NbGeminiError: there is no such service, no key for it, or no answer.
        """
        models: list[Model] = []
        page, sending = "", self.sending(f"{service}:")
        while True:
            request = sending.provider.list_request(page)
            found, page = sending.provider.decode_models(await fetch(sending, request))
            models += found
            if not page:
                return models

    async def count_tokens(self, prompt: str, *, model: str | None = None) -> int:
        """Return how many tokens the service counts in `prompt`.

        Raises:
            PromptError: the service counts nothing.
        """
        sending, (service, name) = self.sending(model or self.settings.model), split_model(model or self.settings.model)
        if not isinstance(sending.provider, Counting):
            raise PromptError(f"{service} can't count tokens ahead of a prompt; Gemini and Anthropic can")
        request = sending.provider.count_request([user_turn(prompt)], name)
        return sending.provider.decode_count(await fetch(sending, request))

    def retire(self) -> None:
        """Close the connections as soon as the running streams have ended; the next prompt opens others."""
        self.connections.retire()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._cassettes.written()
        await self.connections.aclose()
        await self._caches.aclose()

    async def __aenter__(self) -> Self:
        """Enter."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close."""
        await self.aclose()
