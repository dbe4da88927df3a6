"""Everything that can be set, as plain values, and how the environment sets it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Literal

from msgspec import Struct, field

from nbgemini.prices import Prices, shipped
from nbgemini.secrets import Secret
from nbgemini.services import GEMINI_URL, Service, compatible, offline, services_from

LIVE_URL = GEMINI_URL
DEFAULT_MODEL = "gemini-flash-latest"


class Settings(Struct, frozen=True):
    """Where and as whom to ask, and with what patience (seconds).

    `project` and `location` are Google Cloud's, for `vertex:`. With the source `sdk` the services' own clients carry requests.
    `key`, `base_url` and `version` are Google's; `services` holds those of all others, by what stands before the colon in a
    model's name: whole, or as the address of one of your own that speaks Chat Completions. `allow_secrets` lets prompts hold
    keys. `cache` says where whole answers are kept for `cache_seconds`: `off`, `memory`, `sqlite`, `sqlite:PATH` or `redis://…`.
    """

    key: Secret = Secret("")
    base_url: str = LIVE_URL
    version: str = "v1beta"
    model: str = DEFAULT_MODEL
    connect_timeout: float = 10.0
    write_timeout: float = 60.0
    first_timeout: float = 120.0
    gap_timeout: float = 120.0
    content_timeout: float = 300.0
    retries: int = 2
    max_streams: int = 1000
    allow_secrets: bool = False
    cache: str | Secret = "off"
    cache_seconds: float = 7 * 24 * 3600.0
    prices: Prices = field(default_factory=shipped)
    services: Mapping[str, Service | str] = field(default_factory=partial(services_from, {}))
    source: Literal["rest", "sdk"] = "rest"
    project: str = ""
    location: str = ""

    @property
    def known(self) -> dict[str, Service]:
        """All services that can be asked: those that are always known, and `services`, with their keys of the environment."""
        own = {
            name: compatible(name, service, os.environ) if isinstance(service, str) else service
            for name, service in self.services.items()
        }
        return {**services_from({}), **own}

    @property
    def keys(self) -> tuple[Secret, ...]:
        """All keys in use."""
        return tuple({key for key in (self.key, *(service.key for service in self.known.values())) if key})


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Return the settings that environment variables ask for.

    `GOOGLE_API_KEY` wins over `GEMINI_API_KEY`, and `GOOGLE_GENAI_API_VERSION=beta` means v1beta, as in google-genai.
    `NBGEMINI_CACHE` is the place for the address of a cache, since it may hold a password.
    """
    version = environ.get("GOOGLE_GENAI_API_VERSION") or "v1beta"
    return Settings(
        key=Secret(environ.get("GOOGLE_API_KEY") or environ.get("GEMINI_API_KEY") or ""),
        base_url=environ.get("GOOGLE_GEMINI_BASE_URL") or LIVE_URL,
        version="v1beta" if version == "beta" else version,
        services=services_from(environ),
        project=environ.get("GOOGLE_CLOUD_PROJECT") or "",
        location=environ.get("GOOGLE_CLOUD_LOCATION") or "",
        cache=Secret(environ.get("NBGEMINI_CACHE") or "off"),
    )


def offline_settings(url: str) -> Settings:
    """Return settings by which the offline service at `url` answers for all services: no key, no network."""
    services = {name: offline(service, url) for name, service in services_from({}).items()}
    return Settings(key=Secret("offline"), base_url=url, services=services)
