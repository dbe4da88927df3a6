"""The services that can be asked: names, places, what each wants to hear; data, and how `-m` names one.

Sources: the services' own API references; the ports of local servers are those of their documentation (2026-11-21).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct, structs

from nbgemini.errors import ConfigurationError, nearest_name
from nbgemini.secrets import Secret

Dialect: TypeAlias = Literal["gemini", "interactions", "anthropic", "openai", "openai-chat"]


class Service(Struct, frozen=True):
    """One service and as whom it is asked.

    Attributes:
        name: the part before the colon in `-m name:model`, and what usage is counted by.
        dialect: which codec speaks to it.
        base_url: where requests go; paths are put behind it.
        key: as whom; empty where none is needed.
        key_names: the environment variables that hold the key; the first that is set counts.
        url_names: the same for the base URL.
        host_names: the same for host and port alone, as local servers spell them.
        maybe_key_names: the same for a key that is not needed.
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
    host_names: tuple[str, ...] = ()
    maybe_key_names: tuple[str, ...] = ()

    @property
    def needs_key(self) -> bool:
        """Whether nothing can be asked without a key."""
        return bool(self.key_names)

    @property
    def lacks_key(self) -> bool:
        """Whether nothing can be asked as things stand."""
        return self.needs_key and not self.key

    @property
    def offline(self) -> bool:
        """Whether the offline service answers in its place."""
        return self.key == OFFLINE_KEY


OFFLINE_KEY = Secret("offline")  # of the offline service, which needs none
GEMINI_URL = "https://generativelanguage.googleapis.com"
_GEMINI = ("GOOGLE_API_KEY", "GEMINI_API_KEY"), ("GOOGLE_GEMINI_BASE_URL",), "x-goog-api-key", ""
_OPENAI = "https://api.openai.com/v1", Secret(""), ("OPENAI_API_KEY",), ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_EVERYWHERE = ("", "0.0.0.0", "::")  # where a server listens, and nobody can be asked  # noqa: S104
_PORTS = {"http": 80, "https": 443}
_LARGEST_PORT = 65_535


def _local(name: str, port: int, *key_names: str, hosts: tuple[str, ...] = ()) -> Service:
    """Return a server on this machine, which `NAME_BASE_URL` may move and which may want a key of `NAME_API_KEY` after all."""
    variable = name.upper()
    return Service(
        name,
        "openai-chat",
        f"http://127.0.0.1:{port}/v1",
        url_names=(f"{variable}_BASE_URL",),
        host_names=hosts,
        maybe_key_names=(f"{variable}_API_KEY", *key_names),
    )


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
        _local("ollama", 11434, hosts=("OLLAMA_HOST",)),
        _local("lmstudio", 1234, "LM_API_TOKEN"),
        _local("llamacpp", 8080, "LLAMA_API_KEY"),
        _local("vllm", 8000),
    )
}

_KEY_VARIABLES = {name for service in KNOWN.values() for name in (*service.key_names, *service.maybe_key_names)}
_VARIABLES = {
    *_KEY_VARIABLES,
    *(name for service in KNOWN.values() for name in (*service.url_names, *service.host_names)),
}
_USUAL = {"claude-": "anthropic", "gpt-": "openai", "chatgpt-": "openai", "o1": "openai", "o3": "openai", "o4-": "openai"}


def split_model(name: str) -> tuple[str, str]:
    """Return the service and the bare model of a name: `service:model`, or with a slash for a known service; else Gemini's."""
    service, slash, model = name.partition("/")
    if slash and service in KNOWN:
        return service, model
    service, colon, model = name.partition(":")
    return (service, model) if colon else ("gemini", name)


def usual_service(model: str) -> str:
    """Return the service that a bare model name is known from."""
    return next((service for begin, service in _USUAL.items() if model.startswith(begin)), "gemini")


def bare_model(name: str) -> str:
    """Return the model's name without its service."""
    return split_model(name)[1]


def full_name(service: str, model: str) -> str:
    """Return how `-m` names a model."""
    return model if service == "gemini" else f"{service}:{model}"


def key_command(service: Service) -> str:
    """Return what asks for the key of a service."""
    return "%gemini key" if service.dialect in ("gemini", "interactions") else f"%gemini key {service.name}"


def keyless_text(service: Service) -> str:
    """Return why no key is asked for a service."""
    if service.cloud:
        return "uses your Google Cloud credentials → gcloud auth application-default login"
    return f"needs no key; set {_key_variable(service.name)} if yours does"


def services_from(environ: Mapping[str, str]) -> dict[str, Service]:
    """Return the known services, with keys and addresses of the environment; asked at every prompt, so each is read once."""
    found = {name: environ[name] for name in _VARIABLES if name in environ}
    return {name: _from(service, found) if found else service for name, service in KNOWN.items()}


def keys_from(environ: Mapping[str, str]) -> list[Secret]:
    """Return all keys of known services that the environment holds."""
    return [Secret(key) for name in _KEY_VARIABLES if (key := _first(environ, (name,)))]


def compatible(name: str, url: str, environ: Mapping[str, str]) -> Service:
    """Return a service of one's own that speaks OpenAI's Chat Completions; `NAME_API_KEY` holds its key, if it needs one.

    Raises:
        ConfigurationError: it can't have this name or address.
    """
    if not name or ":" in name or (name in KNOWN and KNOWN[name].dialect in ("gemini", "interactions")):
        raise ConfigurationError(f"no service of your own can be called {name!r}; give it another name, without a colon")
    if not url.strip().startswith(("http://", "https://")):
        raise ConfigurationError(f"the address of {name!r} must begin with http:// or https://, and {url!r} does not")
    url = url.strip().rstrip("/").removesuffix("/chat/completions")
    variable = _key_variable(name)
    names = (variable,) if environ.get(variable) else ()
    return Service(name, "openai-chat", url, Secret(environ.get(variable) or ""), names)


def _key_variable(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_API_KEY"


def offline(service: Service, url: str) -> Service:
    """Return the offline service in the place of another, at the address where it plays that one's recordings."""
    base_url = f"{url}/v1" if service.dialect.startswith("openai") else url
    return structs.replace(service, base_url=base_url, key=OFFLINE_KEY, cloud=False)


def service_named(name: str, services: Mapping[str, Service]) -> Service:
    """Return the service of this name.

    Raises:
        ConfigurationError: there is none.
    """
    if name in services:
        return services[name]
    near = nearest_name(name, services)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(services)}"
    raise ConfigurationError(f"no service {name!r} (the part before the colon in -m); {hint}")


def local_url(host: str, port: int) -> str:
    """Return the base URL of a local server by its host as Ollama reads it, with or without scheme, port and path.

    A scheme without a port means the scheme's own port, as there; an address at which servers listen means this machine.
    """
    scheme, named, rest = host.rpartition("://")
    scheme = scheme.lower() if named else "http"
    usual = _PORTS.get(scheme, port) if named else port
    place, _, path = rest.partition("/")
    name, digits = _split(place)
    number = int(digits) if digits.isdecimal() and 0 < int(digits[:9]) <= _LARGEST_PORT else usual
    name = "127.0.0.1" if name in _EVERYWHERE else f"[{name}]" if ":" in name else name
    at = name if number == _PORTS.get(scheme) else f"{name}:{number}"
    path = path.strip("/")
    return f"{scheme}://{at}{f'/{path}' if path else ''}{'' if path.endswith('v1') else '/v1'}"


def _split(place: str) -> tuple[str, str]:
    """Return host and port; an address of IPv6 may stand in brackets, and must if a port follows."""
    if place.startswith("["):
        name, _, port = place[1:].partition("]")
        return name, port.removeprefix(":")
    if place.count(":") > 1:
        return place, ""
    name, _, port = place.partition(":")
    return name, port


def _from(service: Service, environ: Mapping[str, str]) -> Service:
    key = _first(environ, service.key_names)
    maybe = "" if key else _first(environ, service.maybe_key_names)
    host, url = _first(environ, service.host_names), _first(environ, service.url_names)
    if host and not url:
        url = local_url(host, urlsplit(service.base_url).port or 0)
    names = service.maybe_key_names if maybe else service.key_names
    return structs.replace(service, key=Secret(key or maybe), key_names=names, base_url=url or service.base_url)


def _first(environ: Mapping[str, str], names: Iterable[str]) -> str:
    """Return the first of these variables that is set, without what shells and files leave around it."""
    return next((text for name in names if (text := environ.get(name, "").strip().strip("\"'").strip())), "")
