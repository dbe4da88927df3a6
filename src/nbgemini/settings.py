"""Everything that can be set, as plain values, and how the environment sets it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias, get_type_hints

import msgspec
from msgspec import Meta, Struct, field, structs

from nbgemini.errors import ConfigurationError
from nbgemini.messages.turns import type_text
from nbgemini.prices import Prices, bundled_prices
from nbgemini.secrets import Secret
from nbgemini.services import GEMINI_URL, OFFLINE_KEY, Service, compatible, keys_from, offline, service_named, services_from

LIVE_URL = GEMINI_URL
DEFAULT_MODEL = "gemini-flash-latest"
GOOGLE = ("gemini", "interactions")  # one key for both, and Google's store of files


def _version(environ: Mapping[str, str]) -> str:
    version = environ.get("GOOGLE_GENAI_API_VERSION") or "v1beta"
    return "v1beta" if version == "beta" else version


_ENVIRONMENT: dict[str, Callable[[Mapping[str, str]], Any]] = {  # what each of these settings is where it is not given
    "key": lambda environ: Secret(environ.get("GOOGLE_API_KEY") or environ.get("GEMINI_API_KEY") or ""),
    "base_url": lambda environ: environ.get("GOOGLE_GEMINI_BASE_URL") or LIVE_URL,
    "version": _version,
    "cache": lambda environ: Secret(environ.get("NBGEMINI_CACHE") or "off"),
    "services": services_from,
    "project": lambda environ: environ.get("GOOGLE_CLOUD_PROJECT") or "",
    "location": lambda environ: environ.get("GOOGLE_CLOUD_LOCATION") or "",
}
_instead: list[Settings] = []  # whose values stand in for those of the environment


def _default(name: str) -> Any:
    return getattr(_instead[-1], name) if _instead else _ENVIRONMENT[name](os.environ)


_CHECKED: dict[str, Any] = {"key": str | Secret, "cache": str | Secret, "prices": Prices, "services": Mapping}
_Positive: TypeAlias = Annotated[float, Meta(gt=0)]


class Settings(Struct, frozen=True):
    """Which services to ask, and how. What you don't give comes from the environment; timeouts are in seconds.

    Attributes:
        key: API key of Gemini, as text or a `Secret`; `base_url` and `version` are the address and version of its API.
        model: model to ask, such as `gemini-3.8-flash` or `openai:gpt-6-luna`.
        connect_timeout: limit for a connection; `write_timeout` for sending each piece of a request, `first_timeout` for the
            first byte of an answer, `gap_timeout` for silence, `content_timeout` for data without content.
        retries: how often a request is retried after a transient failure.
        max_streams: concurrency limit; further requests wait.
        allow_secrets: whether prompts may contain API keys.
        cache: cache of complete answers: `off`, `memory`, `sqlite`, `sqlite:PATH` or `redis://…`; `cache_seconds` is how long.
        prices: price list.
        services: your own services that speak Chat Completions: `{"mine": "http://127.0.0.1:9000/v1"}`.
        source: what sends requests: `rest` (nbgemini itself) or `sdk` (the services' own clients).
        project: Google Cloud project, and `location` its region, for `vertex:`.
    """

    key: Secret | str = field(default_factory=partial(_default, "key"))
    base_url: str = field(default_factory=partial(_default, "base_url"))
    version: str = field(default_factory=partial(_default, "version"))
    model: str = DEFAULT_MODEL
    connect_timeout: _Positive = 10.0
    write_timeout: _Positive = 60.0
    first_timeout: _Positive = 120.0
    gap_timeout: _Positive = 120.0
    content_timeout: _Positive = 300.0
    retries: Annotated[int, Meta(ge=0)] = 2
    max_streams: Annotated[int, Meta(ge=1)] = 1000
    allow_secrets: bool = False
    cache: Secret | str = field(default_factory=partial(_default, "cache"))
    cache_seconds: _Positive = 7 * 24 * 3600.0
    prices: Prices = field(default_factory=bundled_prices)
    services: Mapping[str, Service | str] = field(default_factory=partial(_default, "services"))
    source: Literal["rest", "sdk"] = "rest"
    project: str = field(default_factory=partial(_default, "project"))
    location: str = field(default_factory=partial(_default, "location"))

    def __post_init__(self) -> None:
        """Hide a key that was given as text.

        Raises:
            ConfigurationError: it is no text, or another setting can't have its value.
        """
        for name, kind in _CHECKED.items():
            if not isinstance(value := getattr(self, name), kind):
                what = "a key is text, not" if name == "key" else f"{name} can't be of type"
                raise ConfigurationError(f"{what} {type(value).__name__}")
        structs.force_setattr(self, "key", self.secret)
        for name, service in self.services.items():
            if isinstance(service, str):
                compatible(name, service, os.environ)  # which raises for a name or an address that can't be
            elif not isinstance(service, Service):
                raise ConfigurationError(f"the service {name!r} is given as its address or as a Service")
        try:
            msgspec.convert(structs.asdict(self), _SHAPE)
        except msgspec.ValidationError as error:
            name = str(error).rpartition("$.")[2].rstrip("`")
            why = type_text(error, _HINTS[name])
            raise ConfigurationError(f"{name}={getattr(self, name)!r} can't be used: {why}") from None

    @property
    def secret(self) -> Secret:
        """Google's key."""
        return self.key if isinstance(self.key, Secret) else Secret(self.key)

    @property
    def known(self) -> dict[str, Service]:
        """All services, the built-in ones and `services`, with their keys from the environment."""
        own = {
            name: compatible(name, service, os.environ) if isinstance(service, str) else service
            for name, service in self.services.items()
        }
        return {**_default("services"), **own}

    @property
    def keys(self) -> tuple[Secret, ...]:
        """All keys in use or in the environment; asked at every prompt, so no service is put together for it."""
        own = (
            compatible(name, service, os.environ).key if isinstance(service, str) else service.key
            for name, service in self.services.items()
        )
        return tuple({key for key in (self.secret, *own, *keys_from(os.environ)) if key})

    def service(self, name: str) -> Service:
        """Return a service with its key and address.

        Raises:
            ConfigurationError: there is none of this name.
        """
        service = service_named(name, self.known)
        return structs.replace(service, key=self.secret, base_url=self.base_url) if name in GOOGLE else service


_HINTS = get_type_hints(Settings, include_extras=True)
_SHAPE = msgspec.defstruct("_Shape", [(name, kind) for name, kind in _HINTS.items() if name not in _CHECKED])


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Return the settings that environment variables ask for.

    `GOOGLE_API_KEY` wins over `GEMINI_API_KEY`, and `GOOGLE_GENAI_API_VERSION=beta` means v1beta, as in google-genai.
    `NBGEMINI_CACHE` is the place for the address of a cache, since it may hold a password.
    """
    return Settings(**{name: read(environ) for name, read in _ENVIRONMENT.items()})


def use_instead_of_environment(settings: Settings | None) -> None:
    """Let settings that are not given be these, and no longer the environment's; None undoes that."""
    _instead[:] = [] if settings is None else [settings]


def offline_settings(url: str) -> Settings:
    """Return settings by which the offline service at `url` answers for all services: no key, no network."""
    services = {name: offline(service, url) for name, service in services_from({}).items()}
    return Settings(key=OFFLINE_KEY, base_url=url, version="v1beta", services=services)
