"""The services that a client asks: an endpoint for each, by its settings, through its cache, recorded or replayed."""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbgemini.cache.cache import Cache, CachePool
from nbgemini.cache.entry import CacheScope
from nbgemini.cache.source import CachedSource
from nbgemini.chat.endpoint import Endpoint
from nbgemini.chat.uploads import FileUploader, InlineFiles
from nbgemini.errors import ApiError, ConfigurationError, NbGeminiError, PromptError
from nbgemini.messages.turns import Turn, user_turn
from nbgemini.prompts.secret_scan import redact_secrets, reject_secrets
from nbgemini.providers.base import Counting, Model, codec_of
from nbgemini.replay.session import Cassettes, Record, Replay, Taping, check_cassettes, resolve_path
from nbgemini.services import Service, full_name, key_command, split_model
from nbgemini.settings import GOOGLE, Settings
from nbgemini.transport.client import HttpClients
from nbgemini.transport.http import HttpSource
from nbgemini.transport.limiter import ConcurrencyLimiter
from nbgemini.transport.request import Source
from nbgemini.transport.retry import Retry, RetryPolicy, Sleep
from nbgemini.transport.timeouts import Timeouts

if TYPE_CHECKING:
    import httpx2

_NOT_FOUND = 404


class Endpoints:
    """The endpoints of all services by one set of settings; nothing is opened before it is used."""

    def __init__(self, settings: Settings, sleep: Sleep, caches: CachePool, http_client: httpx2.AsyncClient | None) -> None:
        """Ask by these settings; `sleep` waits before a request is sent again; the caches and a user's client outlive them."""
        self._settings = settings
        self._http_clients = HttpClients(http_client)
        self._retry = Retry(RetryPolicy(attempts=settings.retries + 1), sleep)
        self._caches = caches
        self._known: dict[str, Endpoint] = {}

    def put(self, name: str, endpoint: Endpoint) -> None:
        """Ask a service there."""
        self._known[name] = endpoint

    def of(self, name: str) -> Endpoint:
        """Return the endpoint of a service.

        Raises:
            ConfigurationError: there is no service of this name, or no key for it.
        """
        if name not in self._known:
            service = self._settings.service(name)
            if service.lacks_key:
                raise ConfigurationError(_no_key(service))
            self._known[name] = self._cached(self.over(self._source(service), service), service)
        return self._known[name]

    def over(self, source: Source, service: Service, sleep: Sleep | None = None) -> Endpoint:
        """Return a new endpoint of a service, over this source."""
        settings = self._settings
        retry = self._retry if sleep is None else Retry(self._retry.policy, sleep)
        uploads = FileUploader(source, settings.version, retry) if service.name in GOOGLE else InlineFiles()
        codec = codec_of(service.dialect, settings.version)
        return Endpoint(codec, source, ConcurrencyLimiter(settings.max_streams), retry, uploads, service.offline)

    def retire(self) -> None:
        """Close all connections as soon as the running streams have ended."""
        known, self._known = self._known, {}
        for endpoint in known.values():
            endpoint.source.retire()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        for endpoint in self._known.values():
            await endpoint.source.aclose()

    def _cached(self, endpoint: Endpoint, service: Service) -> Endpoint:
        """Return the same endpoint by a cache, if there is one; files are uploaded past it."""
        cache = self._caches.of(self._settings.cache, self._settings.cache_seconds)
        if cache is None:
            return endpoint
        whom = CacheScope(service.name, service.dialect, service.base_url, service.key)
        return endpoint.through(CachedSource(endpoint.source, cache, whom, endpoint.codec.decoder))

    def _source(self, service: Service) -> Source:
        settings = self._settings
        timeouts = Timeouts(
            connect=settings.connect_timeout,
            write=settings.write_timeout,
            first=settings.first_timeout,
            gap=settings.gap_timeout,
            content=settings.content_timeout,
        )
        if service.cloud or settings.source == "sdk":
            from nbgemini.transport.sdk import HAVE_CLIENTS, official  # noqa: PLC0415 - where they are asked for

            if service.cloud or service.dialect in HAVE_CLIENTS:
                return official(service, timeouts, self._http_clients, settings.project, settings.location)
        return HttpSource(service.base_url, service.key, service=service, timeouts=timeouts, clients=self._http_clients)


class ServiceRegistry:
    """What all chats of a client ask by, whatever is set meanwhile.

    Attributes:
        settings: where and as whom it asks; change them with `use`.
        endpoints: the endpoints of the services that were asked.
        taping: what is recorded or replayed for all prompts.
    """

    def __init__(self, settings: Settings, sleep: Sleep, http_client: httpx2.AsyncClient | None = None) -> None:
        self.settings = settings
        self.taping: Taping | None = None
        self._sleep = sleep
        self._http_client = http_client
        self._caches = CachePool()
        self._cassettes = Cassettes()
        self.endpoints = Endpoints(settings, sleep, self._caches, http_client)

    @property
    def cache(self) -> Cache | None:
        """Where whole answers are kept; None if nowhere.

        Raises:
            ConfigurationError: the setting means nothing, or needs a package that is not installed.
        """
        return self._caches.of(self.settings.cache, self.settings.cache_seconds)

    def use(self, settings: Settings) -> None:
        """Ask by other settings from the next request on."""
        self.settings = settings
        self.endpoints.retire()
        self.endpoints = Endpoints(settings, self._sleep, self._caches, self._http_client)

    async def record(self, path: str | Path | None) -> int:
        """Record what is asked from now on into a cassette, and replay no more; return its size. None ends it."""
        taping = Record(resolve_path(path)) if path is not None else None
        size = await self._cassettes.prepare(taping.path) if taping else 0
        self.taping = taping
        await self._cassettes.written()
        return size

    async def replay(self, path: str | Path | None, *, strict: bool = True, speed: float = math.inf) -> int:
        """Answer from a cassette, from its beginning, and record no more; return how many answers it holds. None ends it."""
        if not speed > 0:
            raise ConfigurationError(f"a cassette plays at a speed above 0, not {speed}")
        taping = Replay(resolve_path(path), strict, speed) if path is not None else None
        await self._cassettes.written()
        if taping:
            self._cassettes.rewind(taping.path)
        count = await self._cassettes.answers(taping.path) if taping else 0
        self.taping = taping
        return count

    def endpoint(self, model: str, taping: Taping | None = None) -> Endpoint:
        """Return the endpoint of a model, while this is recorded or replayed, or what is by default.

        Raises:
            ConfigurationError: there is no such service, no key for it, or the cassette is in use the other way.
        """
        check_cassettes(taping, self.taping)
        endpoints, (name, _) = self.endpoints, split_model(model)
        match taping or self.taping:
            case Record() as record:
                live, key = endpoints.of(name), self.settings.service(name).key
                return live.through(self._cassettes.recorded(live.source, record, live.codec.name, key))
            case Replay(speed=speed) as replay:
                source = self._cassettes.replayed(replay, lambda: endpoints.of(name).source)
                return endpoints.over(source, self.settings.service(name), lambda seconds: self._sleep(seconds / speed))
        return endpoints.of(name)

    def lacking(self, model: str, taping: Taping | None = None) -> Service | None:
        """Return the service of a model if a request to it would be refused for want of a key; a cassette needs none.

        Raises:
            ConfigurationError: there is no such service.
        """
        if isinstance(taping or self.taping, Replay):
            return None
        service = self.settings.service(split_model(model)[0])
        return service if service.lacks_key else None

    async def list_models(self, service: str) -> list[Model]:
        """Return the models of a service, all pages."""
        models: list[Model] = []
        page, endpoint = "", self.endpoint(f"{service}:")
        while True:
            found, page = endpoint.codec.decode_models(await endpoint.fetch(endpoint.codec.list_request(page)))
            models += found
            if not page:
                return models

    async def count_tokens(self, prompt: str, model: str) -> int:
        """Return how many tokens the service counts in `prompt`."""
        endpoint, (service, name) = self.endpoint(model), split_model(model)
        if not isinstance(endpoint.codec, Counting):
            raise PromptError(f"{service} can't count tokens ahead of a prompt; Gemini and Anthropic can")
        return endpoint.codec.decode_count(await endpoint.fetch(endpoint.codec.count_request([user_turn(prompt)], name)))

    async def explain(self, error: NbGeminiError, service: str, wanted: str) -> str:
        """Return the error's line; for a model the service does not know, with the nearest names."""
        if not isinstance(error, ApiError) or error.code != _NOT_FOUND:
            return str(error)
        try:
            names = [entry.name for entry in await self.list_models(service) if entry.answers]
        except NbGeminiError:
            return str(error)
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(full_name(service, name) for name in near)}?" if near else ""
        return f"no model {full_name(service, wanted)!r}; {hint or '%gemini models lists them'}"

    def guard(self, asked: Turn, system: str | None) -> None:
        """Refuse a prompt that holds a key, unless the settings allow it.

        Raises:
            PromptError: it holds one.
        """
        if not self.settings.allow_secrets:
            reject_secrets(asked, system, self.settings.keys)

    def mask(self, value: Any) -> Any:
        """Return a value without the keys in it, unless the settings allow them."""
        return value if self.settings.allow_secrets else redact_secrets(value, self.settings.keys)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._cassettes.written()
        await self.endpoints.aclose()
        await self._caches.aclose()


def _no_key(service: Service) -> str:
    """Say what is missing, and the ways out."""
    names = [*service.key_names[-1:], *service.key_names[:-1]]
    also = f" (or {', '.join(names[1:])})" if names[1:] else ""
    return f"no API key: set {names[0]}{also}, run {key_command(service)}, or try %gemini demo, which needs none"
