"""What may be typed in a place: models, chats, functions, types, values, paths, as far as they are known.

Invariant: nothing is called, evaluated or fetched: attributes are looked up without running properties.
"""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from nbgemini.notebook.config import Gemini
from nbgemini.notebook.kernel.environment import visible

_MOST_PATHS = 300


class CompletionSources:
    """What is known in one shell."""

    def __init__(self, shell: Any, config: Gemini, session: Callable[[], Any]) -> None:
        """`session` returns the session, or None while nothing was asked yet."""
        self._shell = shell
        self._config = config
        self._session = session

    def values(self, name: str, typed: str) -> Iterable[str]:
        """Return what the option called `name` may be given; nothing is known of words and numbers."""
        from nbgemini.notebook.options import THINK_LEVELS  # noqa: PLC0415 - at the first Tab

        by_name: dict[str, Callable[[], Iterable[str]]] = {
            "chat": self.chats,
            "tools": lambda: self._named(_is_tool),
            "schema": lambda: self._named(lambda value: isinstance(value, type)),
            "out": lambda: self._named(lambda value: not isinstance(value, ModuleType | type) and not callable(value)),
            "attach": lambda: ["plot", *self._named(_is_value), *paths(typed)],
            "think": lambda: THINK_LEVELS,
            "record": lambda: paths(typed),
            "replay": lambda: paths(typed),
        }
        return by_name[name]() if name in by_name else ()

    def models(self, typed: str) -> list[str]:
        """Return the aliases, and the models of each service that has a key or whose name is typed.

        A service that was not asked yet has those that the price list names.
        """
        from nbgemini.prices import bundled_prices  # noqa: PLC0415 - at the first Tab
        from nbgemini.services import full_name, services_from, split_model, usual_service  # noqa: PLC0415

        session = self._session()
        listed = session.windows.names(session.client) if session else []
        asked = {split_model(name)[0] for name in listed}
        priced = ((usual_service(model), model) for model in bundled_prices().models)
        listed += [full_name(service, model) for service, model in priced if service not in asked]
        known = session.client.settings.known if session else services_from(os.environ)
        named = {name for name in known if typed.startswith(f"{name}:")}
        ready = {"gemini", *named, *(name for name, service in known.items() if service.key)}
        prefixes = [f"{name}:" for name in known if typed and name.startswith(typed)]
        return [*self._config.aliases, *(name for name in listed if split_model(name)[0] in ready), *prefixes]

    def chats(self) -> list[str]:
        """Return the chats begun so far."""
        session = self._session()
        return [*session.client.chats] if session else [self._config.chat]

    def saved_chats(self) -> list[str]:
        """Return the chats that earlier sessions of this notebook saved."""
        from nbgemini.notebook.commands._args import saved_chats  # noqa: PLC0415 - with the session

        session = self._session()
        return [name for name, *_ in saved_chats(session)] if session else []

    def services(self) -> list[str]:
        """Return the services whose key can be set."""
        from nbgemini.services import KNOWN  # noqa: PLC0415 - at the first Tab

        session = self._session()
        return [*(session.client.settings.known if session else KNOWN)]

    def always_allowed(self) -> list[str]:
        """Return the tools that run without asking."""
        session = self._session()
        return session.always_allowed.names() if session else []

    def objects(self, typed: str) -> Iterable[str]:
        """Return the names of the notebook, or what the object before the last dot holds."""
        names = visible(self._shell)
        path, dot, _ = typed.rpartition(".")
        return [f"{path}.{name}" for name in _held(names, path)] if dot else names

    def fields(self, typed: str) -> Iterable[str]:
        """Return what may stand in a prompt's braces."""
        if "." in typed:
            return self.objects(typed)
        return self._named(lambda value: not isinstance(value, ModuleType))

    def rows(self, typed: str) -> Iterable[str]:
        """Return what a map may go through: tables and lists of the notebook, and the columns of a table."""
        from nbgemini.notebook.magics.map_options import is_rows  # noqa: PLC0415 - at the first Tab

        name, dot, _ = typed.rpartition(".")
        return [f"{name}.{column}" for column in self.columns(name) if column.isidentifier()] if dot else self._named(is_rows)

    def columns(self, name: str) -> Iterable[str]:
        """Return what a row of this table gives to a template."""
        from nbgemini.notebook.magics.map_options import column_names  # noqa: PLC0415 - at the first Tab

        return column_names(visible(self._shell).get(name)) or ["row"]

    def _named(self, wanted: Callable[[Any], bool]) -> list[str]:
        return [name for name, value in visible(self._shell).items() if not name.startswith("_") and wanted(value)]


def paths(typed: str) -> Iterator[str]:
    """Yield the files and directories that begin as typed."""
    directory, begin = os.path.split(typed)
    try:
        entries = sorted(os.scandir(Path(directory or ".").expanduser()), key=lambda entry: entry.name)
    except (OSError, ValueError):
        return
    shown = (entry for entry in entries if entry.name.startswith(begin) and (begin or not entry.name.startswith(".")))
    for entry, _ in zip(shown, range(_MOST_PATHS), strict=False):
        path = os.path.join(directory, entry.name)  # noqa: PTH118 - Path would drop the `./` that was typed
        yield shlex.quote(path) + ("/" if entry.is_dir() else "") if not path.startswith("~") else path


def _held(names: Mapping[str, Any], path: str) -> list[str]:
    """Return the public attributes of what a path leads to, as far as it leads without running anything."""
    first, *attributes = path.split(".")
    value = names[first]
    for attribute in attributes:
        value = inspect.getattr_static(value, attribute)
        if hasattr(type(value), "__get__"):
            return []  # a property: its value is not known before it runs
    return [name for name in dir(value) if not name.startswith("_")]


def _is_tool(value: Any) -> bool:
    return inspect.isroutine(value) or type(value).__name__ in ("Tool", "McpServer")


def _is_value(value: Any) -> bool:
    return not isinstance(value, ModuleType | type) and not inspect.isroutine(value)
