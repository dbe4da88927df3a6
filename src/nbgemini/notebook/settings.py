"""The settings for the next prompt: from the environment, %config, keys that were typed, and the offline service."""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from nbgemini.errors import ConfigurationError
from nbgemini.notebook.api_key import key_for
from nbgemini.notebook.config import Gemini
from nbgemini.prices import Prices, bundled_prices, read_prices
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN, Service, compatible, offline, service_named
from nbgemini.settings import (
    DEFAULT_MODEL,
    LIVE_URL,
    Settings,
    from_environment,
    offline_settings,
    use_instead_of_environment,
)

if TYPE_CHECKING:
    from nbgemini.offline.server import OfflineService

_SAME = ("connect_timeout", "write_timeout", "first_timeout", "gap_timeout", "content_timeout", "retries", "max_streams")
_GOOGLE = {"gemini", "interactions"}  # one key for both


class SettingsResolver:
    """Resolves the settings; holds the keys that live in memory only, and the offline service while it answers."""

    def __init__(self, config: Gemini) -> None:
        """Begin with the environment and %config."""
        self._config = config
        self._keys: dict[str, Secret] = {}  # typed, by service
        self._secrets: dict[tuple[str, ...], Secret] = {}  # Colab's, by the names of the variables they stand in for
        self._service: OfflineService | None = None

    @property
    def name(self) -> str:
        """`live`, `offline`, or the host that answers in place of Google's."""
        if self._service:
            return "offline"
        base_url = self.settings().base_url
        return "live" if base_url == LIVE_URL else base_url

    def set_key(self, service: str, key: str) -> None:
        """Use this key for a service, and leave the demo.

        Raises:
            ConfigurationError: there is no such service, or it takes no key.
        """
        known = service_named(service, self._services())
        if not known.key_names and service in self._services():
            raise ConfigurationError(f"{service} needs no key; set {service.upper()}_API_KEY if yours does")
        self.leave_demo()
        self._keys["gemini" if service in _GOOGLE else service] = Secret(key)

    async def find_key(self, service: Service) -> None:
        """Get the key of a service from Colab's secrets, off the loop; typed keys and the environment come first.

        Raises:
            ConfigurationError: there is none, or this notebook may not read it.
        """
        self._secrets[service.key_names] = await asyncio.to_thread(key_for, service)

    def enter_demo(self, pace: float) -> str:
        """Answer from the offline service from now on; return its address."""
        from nbgemini.offline.server import OfflineService  # noqa: PLC0415 - only the demo needs a server

        if self._service is None:
            self._service = OfflineService(pace=pace).start()
            use_instead_of_environment(offline_settings(self._service.url))
        return self._service.url

    def leave_demo(self) -> None:
        """Answer from the live services again; harmless when they already do."""
        if self._service:
            use_instead_of_environment(None)
            self._service.stop()
            self._service = None

    def settings(self) -> Settings:
        """Return what holds for the next prompt."""
        config, settings = self._config, from_environment(os.environ)
        if self._service:
            settings = structs.replace(settings, base_url=self._service.url, version="v1beta", key=Secret("offline"))
        else:
            settings = structs.replace(settings, key=self._key("gemini", KNOWN["gemini"], settings.secret))
        return structs.replace(
            settings,
            model=str(config.aliases.get(config.model, config.model)) or DEFAULT_MODEL,
            prices=_prices(config.prices),
            services=self._services(),
            source=config.source,
            **{name: getattr(config, name) for name in _SAME},
            allow_secrets=config.allow_secrets,
            cache=Secret(config.cache) if config.cache else settings.cache,
            cache_seconds=config.cache_hours * 3600,
        )

    def _services(self) -> dict[str, Service]:
        """Return all services, one's own too, with their keys; in the demo, the offline one in their place."""
        own = {name: compatible(name, url, os.environ) for name, url in self._config.services.items()}
        known = {**from_environment(os.environ).known, **own}
        if self._service:
            return {name: offline(service, self._service.url) for name, service in known.items()}
        return {name: structs.replace(service, key=self._key(name, service, service.key)) for name, service in known.items()}

    def _key(self, name: str, service: Service, of_environment: Secret) -> Secret:
        return self._keys.get(name) or of_environment or self._secrets.get(service.key_names) or Secret("")


@lru_cache(1)
def _prices(file: str) -> Prices:
    """Return the list of prices in a file that was looked at when it was named; the package's own for no name."""
    return read_prices(Path(file)) if file else bundled_prices()
