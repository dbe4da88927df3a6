"""The services that a client speaks to: to each, once it is asked, one way with its own codec, connections and places."""

from __future__ import annotations

from msgspec import structs

from nbgemini.cache.config import Caches
from nbgemini.cache.key import Identity
from nbgemini.cache.source import CachedSource
from nbgemini.chat.endpoint import Sending, Sleep
from nbgemini.chat.inline_files import Carrying
from nbgemini.chat.uploads import Files
from nbgemini.errors import ConfigurationError
from nbgemini.providers.registry import codec_of
from nbgemini.services import Service, key_command, service_named
from nbgemini.settings import Settings
from nbgemini.transport.base import Source
from nbgemini.transport.http import RestSource
from nbgemini.transport.retry import Policy
from nbgemini.transport.sdk import HAVE_CLIENTS, official
from nbgemini.transport.transport import Limits

_GOOGLE = ("gemini", "interactions")  # one key for both, and Google's store of files


class Connections:
    """The ways to all services, by one set of settings; nothing is opened before it is used."""

    def __init__(self, settings: Settings, sleep: Sleep, caches: Caches | None = None) -> None:
        """Ask by these settings; `sleep` waits so many seconds before a request is sent again; `caches` outlive them."""
        self._settings = settings
        self._caches = caches or Caches()
        self._sleep = sleep
        self._ways: dict[str, Sending] = {}

    def put(self, name: str, sending: Sending) -> None:
        """Ask a service this way."""
        self._ways[name] = sending

    def service(self, name: str) -> Service:
        """Return a service with what the settings say of it.

        Raises:
            ConfigurationError: there is none of this name.
        """
        service = service_named(name, self._settings.known)
        if name not in _GOOGLE:
            return service
        return structs.replace(service, key=self._settings.key, base_url=self._settings.base_url)

    def to(self, name: str) -> Sending:
        """Return the way to a service.

        Raises:
            ConfigurationError: there is none of this name, or no key for it.
        """
        if name not in self._ways:
            service = self.service(name)
            if service.lacks_key:
                raise ConfigurationError(_no_key(service))
            self._ways[name] = self._cached(self.through(self._source(service), service, self._sleep), service)
        return self._ways[name]

    def through(self, source: Source, service: Service, sleep: Sleep | None = None) -> Sending:
        """Return a new way to a service, through this source."""
        settings, sleep = self._settings, sleep or self._sleep
        codec, policy = codec_of(service.dialect, settings.version), Policy(attempts=settings.retries + 1)
        sending = Sending(source, policy, streams=settings.max_streams, sleep=sleep, provider=codec)
        kept = service.name in _GOOGLE
        sending.files = Files(source, settings.version, sending.attempts, sleep) if kept else Carrying()
        return sending

    def retire(self) -> None:
        """Close all connections as soon as the running streams have ended."""
        ways, self._ways = self._ways, {}
        for way in ways.values():
            way.source.retire()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        for way in self._ways.values():
            await way.source.aclose()

    def _cached(self, way: Sending, service: Service) -> Sending:
        """Return the same way by a cache, if there is one; files are uploaded past it."""
        cache = self._caches.of(self._settings.cache, self._settings.cache_seconds)
        if cache is None:
            return way
        whom = Identity(service.name, service.dialect, service.base_url, service.key)
        return way.through(CachedSource(way.source, cache, whom, way.provider.decoder))

    def _source(self, service: Service) -> Source:
        settings, limits = self._settings, _limits(self._settings)
        if service.cloud or (settings.source == "sdk" and service.dialect in HAVE_CLIENTS):
            return official(service, limits, settings.project, settings.location)
        return RestSource(service.base_url, service.key, service=service, limits=limits)


def _no_key(service: Service) -> str:
    """Say what is missing, and the ways out."""
    names = [*service.key_names[-1:], *service.key_names[:-1]]
    also = f" (or {', '.join(names[1:])})" if names[1:] else ""
    return f"no API key: set {names[0]}{also}, run {key_command(service)}, or try %gemini demo, which needs none"


def _limits(settings: Settings) -> Limits:
    return Limits(
        connect=settings.connect_timeout,
        write=settings.write_timeout,
        first=settings.first_timeout,
        gap=settings.gap_timeout,
        content=settings.content_timeout,
    )
