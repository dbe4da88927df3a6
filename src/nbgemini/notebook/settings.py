"""The settings and the options of the next prompt.

Settings come from the environment, %config, keys that were typed and the offline service; options from the prompt's own line,
its chat and %config.
"""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from nbgemini.errors import ConfigurationError, PromptError
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.kernel.environment import is_unattended
from nbgemini.notebook.options import PromptArgs, think_level
from nbgemini.prices import Prices, bundled_prices, read_prices
from nbgemini.replay.session import AT_ONCE, Record, Replay, Taping, resolve_path
from nbgemini.secrets import Secret
from nbgemini.services import KNOWN, Service, compatible, key_command, offline, split_model, usual_service
from nbgemini.settings import (
    DEFAULT_MODEL,
    LIVE_URL,
    Settings,
    from_environment,
    offline_settings,
    use_instead_of_environment,
)

if TYPE_CHECKING:
    from nbgemini.messages.turns import Options
    from nbgemini.offline.server import OfflineService

_SAME = ("connect_timeout", "write_timeout", "first_timeout", "gap_timeout", "content_timeout", "retries", "max_streams")
_PANEL = "in the Secrets panel (the key at the left of the page)"
_GOOGLE = {"gemini", "interactions"}  # one key for both


class SettingsResolver:
    """Resolves the settings; holds the keys that live in memory only, and the offline service while it answers."""

    def __init__(self, config: Gemini) -> None:
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
        """Use this key for a service, and leave the demo."""
        self.leave_demo()
        self._keys["gemini" if service in _GOOGLE else service] = Secret(key)

    async def find_key(self, service: Service) -> None:
        """Get the key of a service from Colab's secrets, off the loop; typed keys and the environment come first.

        A secret is asked of the page by a message whose answer the asking thread polls for, ten seconds at most; the user may
        be asked first. So this is called when a prompt needs a key that is not set, never before.

        Raises:
            ConfigurationError: there is none, or this notebook may not read it.
        """
        self._secrets[service.key_names] = await asyncio.to_thread(_colab_secret, service)

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


class OptionResolver:
    """Resolves a prompt's options: its own line first, then its chat, then %config."""

    def __init__(self, shell: Any, config: Gemini) -> None:
        self._shell = shell
        self._config = config

    def resolve(self, args: PromptArgs, chat: Options) -> dict[str, Any]:
        """Return the options of a prompt in a chat whose own options are `chat`.

        Raises:
            PromptError: the model belongs to a service that must be named.
        """
        config = self._config
        defaults = {
            "model": self.model(config.model),
            "system": chat.system or config.system,
            "think": think_level(config.think) if config.think else None,
            "format": None if args.schema else config.format,
        }
        given = {**args.changes, **({"model": self.model(args.model)} if args.model else {})}
        return {name: value for name, value in defaults.items() if value} | given

    def model(self, name: str) -> str:
        """Return the model that a name or an alias of %config stands for.

        Raises:
            PromptError: it is the model of a service that must be named.
        """
        model = str(self._config.aliases.get(name, name))
        service = usual_service(model) if split_model(model) == ("gemini", model) else "gemini"
        if service != "gemini":
            raise PromptError(f"{model} is not a model of Gemini; say -m {service}:{model}")
        return model

    def chat_name(self, args: PromptArgs) -> str:
        """Return the name of the chat that a prompt belongs to."""
        return args.chat or self._config.chat

    def approve(self, args: PromptArgs) -> str:
        """Return how a prompt's tool calls are approved."""
        return args.approve or self._config.approve

    def taping(self, args: PromptArgs) -> Taping | None:
        """Return the cassette that a prompt is recorded in or replayed from, if there is one."""
        if args.record:
            return Record(resolve_path(args.record))
        return Replay(resolve_path(args.replay), speed=usual_speed(self._shell)) if args.replay else None


def usual_speed(shell: Any) -> float:
    """Return how fast a cassette is played: as it was recorded, but at once in unattended runs."""
    return AT_ONCE if is_unattended(shell) else 1.0


@lru_cache(1)
def _prices(file: str) -> Prices:
    """Return the list of prices in a file that was looked at when it was named; the package's own for no name."""
    return read_prices(Path(file)) if file else bundled_prices()


def _colab_secret(service: Service) -> Secret:
    """Return the first of the user's secrets that are called like the service's keys; waits, so it belongs into a thread."""
    from google.colab import userdata  # noqa: PLC0415 - only there

    troubles: list[str] = []
    for name in service.key_names:
        try:
            found = Secret(str(userdata.get(name) or ""))
        except Exception as error:  # noqa: BLE001 - whatever the page says, the prompt is refused in our own words
            kind = type(error).__name__
        else:
            if found:
                return found
            kind = "SecretNotFoundError"  # an empty one is none
        if kind == "NotebookAccessError":
            troubles.append(f"this notebook may not have the secret {name} → switch on its notebook access {_PANEL}")
        elif kind != "SecretNotFoundError":
            why = "its page did not answer in time" if kind == "TimeoutException" else f"its page could not be asked ({kind})"
            way_out = f"run the cell again with the page open, or {key_command(service)}"
            troubles.append(f"Colab did not hand over the secret {name}: {why} → {way_out}")
            break  # nobody answers: the next would wait as long
    raise ConfigurationError(troubles[0] if troubles else _no_secret(service))


def _no_secret(service: Service) -> str:
    last, *others = reversed(service.key_names)
    also = f" (or {', '.join(others)})" if others else ""
    return f"no API key: add a secret {last}{also} {_PANEL}, run {key_command(service)}, or try %gemini demo, which needs none"
