"""The services that can be asked: names, places, what each wants to hear; data, and how `-m` names one.

Sources: the services' own API references; the ports of local servers are those of their documentation (2026-11-21).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from nbgemini.errors import ConfigurationError
from nbgemini.secret import Secret

Dialect: TypeAlias = Literal["gemini", "interactions", "anthropic", "openai", "openai-chat"]


class Service(Struct, frozen=True):
    """One service and as whom it is asked.

    Attributes:
        name: what stands before the colon in `-m name:model`, and what usage is counted by.
        dialect: which codec speaks to it.
        base_url: where requests go; paths are put behind it.
        key: as whom; empty where none is needed.
        key_names: the environment variables that hold the key; the first that is set counts.
        url_names: the same for the base URL.
        header: which header carries the key, behind `scheme`.
        headers: what else every request says.
        cloud: whether it is asked with Google Cloud's credentials, which google-genai knows.
    """

    name: str
    dialect: Dialect
    base_url: str
    key: Secret = Secret("")
    key_names: tuple[str, ...] = ()
    url_names: tuple[str, ...] = ()
    header: str = "Authorization"
    scheme: str = "Bearer "
    headers: Mapping[str, str] = {}
    cloud: bool = False

    @property
    def needs_key(self) -> bool:
        """Whether nothing can be asked without a key."""
        return bool(self.key_names)

    @property
    def lacks_key(self) -> bool:
        """Whether nothing can be asked as things stand."""
        return self.needs_key and not self.key


GEMINI_URL = "https://generativelanguage.googleapis.com"
_GEMINI = ("GOOGLE_API_KEY", "GEMINI_API_KEY"), ("GOOGLE_GEMINI_BASE_URL",), "x-goog-api-key", ""
_OPENAI = "https://api.openai.com/v1", Secret(""), ("OPENAI_API_KEY",), ("OPENAI_BASE_URL",)

KNOWN: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service("gemini", "gemini", GEMINI_URL, Secret(""), *_GEMINI),
        Service("interactions", "interactions", GEMINI_URL, Secret(""), *_GEMINI),
        Service(
            "anthropic",
            "anthropic",
            "https://api.anthropic.com",
            Secret(""),
            ("ANTHROPIC_API_KEY",),
            ("ANTHROPIC_BASE_URL",),
            "x-api-key",
            "",
            {"anthropic-version": "2023-06-01"},
        ),
        Service("vertex", "gemini", "https://aiplatform.googleapis.com", cloud=True),
        Service("openai", "openai", *_OPENAI),
        Service("openai-chat", "openai-chat", *_OPENAI),
        Service("ollama", "openai-chat", "http://127.0.0.1:11434/v1"),
        Service("lmstudio", "openai-chat", "http://127.0.0.1:1234/v1"),
        Service("llamacpp", "openai-chat", "http://127.0.0.1:8080/v1"),
        Service("vllm", "openai-chat", "http://127.0.0.1:8000/v1"),
    )
}


def split_model(name: str) -> tuple[str, str]:
    """Return the service and the bare model that `name` means: Gemini's, unless another stands before a colon."""
    service, colon, model = name.partition(":")
    return (service, model) if colon else ("gemini", name)


def bare_model(name: str) -> str:
    """Return the model's name without its service."""
    return split_model(name)[1]


def full_name(service: str, model: str) -> str:
    """Return how `-m` names a model."""
    return model if service == "gemini" else f"{service}:{model}"


def key_command(service: Service) -> str:
    """Return what asks for the key of a service."""
    return "%gemini key" if service.dialect in ("gemini", "interactions") else f"%gemini key {service.name}"


def services_from(environ: Mapping[str, str]) -> dict[str, Service]:
    """Return the known services, with keys and addresses of the environment."""
    return {name: _from(service, environ) for name, service in KNOWN.items()}


def compatible(name: str, url: str, environ: Mapping[str, str]) -> Service:
    """Return a service of one's own that speaks OpenAI's Chat Completions; `NAME_API_KEY` holds its key, if it needs one."""
    variable = f"{name.upper().replace('-', '_')}_API_KEY"
    names = (variable,) if environ.get(variable) else ()
    return Service(name, "openai-chat", url, Secret(environ.get(variable) or ""), names)


def offline(service: Service, url: str) -> Service:
    """Return the offline service in the place of another: it speaks all dialects, where each expects it."""
    base_url = f"{url}/v1" if service.dialect.startswith("openai") else url
    return structs.replace(service, base_url=base_url, key=Secret("offline"), cloud=False)


def service_named(name: str, services: Mapping[str, Service]) -> Service:
    """Return the service of this name.

    Raises:
        ConfigurationError: there is none.
    """
    if name in services:
        return services[name]
    near = difflib.get_close_matches(name, services, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(services)}"
    raise ConfigurationError(f"no service {name!r} (what stands before the colon in -m); {hint}")


def _from(service: Service, environ: Mapping[str, str]) -> Service:
    key = next((environ[name] for name in service.key_names if environ.get(name)), "")
    url = next((environ[name] for name in service.url_names if environ.get(name)), service.base_url)
    return structs.replace(service, key=Secret(key), base_url=url)
