"""Tab completion: options and their values, commands and what goes with them, and names in a prompt's braces.

Invariants: only what is known is offered; a list of models that is not known yet is fetched beside, never waited for; nothing
is called or evaluated: attributes are looked up without running properties; whatever goes wrong, there is no completion and no
error. What has blanks in it is offered in quotes, as the line must have it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeAlias

from nbgemini._storage import user_path
from nbgemini.notebook.config import Gemini
from nbgemini.notebook.kernel.environment import kernel_of, user_names

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
        from nbgemini.notebook.options import THINK_LEVELS  # noqa: PLC0415 - when it is asked for

        by_name: dict[str, Callable[[], Iterable[str]]] = {
            "chat": self.chats,
            "tools": lambda: [*self._named(_is_tool), *self._members(typed)],
            "schema": lambda: [*self._named(lambda value: isinstance(value, type)), *self._members(typed)],
            "out": lambda: self._named(lambda value: not isinstance(value, ModuleType | type) and not callable(value)),
            "attach": lambda: ["plot", *self._named(_is_value), *self._members(typed), *paths(typed)],
            "think": lambda: THINK_LEVELS,
            "record": lambda: paths(typed),
            "replay": lambda: paths(typed),
        }
        return by_name[name]() if name in by_name else ()

    def models(self, typed: str) -> list[str]:
        """Return the aliases, and the models of each service that has a key or whose name is typed.

        A service that was not asked yet has those that the price list names.
        """
        from nbgemini.prices import bundled_prices  # noqa: PLC0415 - when it is asked for
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
        return [*map(shlex.quote, session.client.chats if session else [self._config.chat])]

    def saved_chats(self) -> list[str]:
        """Return the chats that earlier sessions of this notebook saved."""
        from nbgemini.notebook.commands.common import saved_chats  # noqa: PLC0415 - with the session

        session = self._session()
        return [shlex.quote(name) for name, *_ in saved_chats(session)] if session else []

    def services(self) -> list[str]:
        """Return the services whose key can be set."""
        from nbgemini.services import KNOWN  # noqa: PLC0415 - when it is asked for

        session = self._session()
        return [*(session.client.settings.known if session else KNOWN)]

    def always_allowed(self) -> list[str]:
        """Return the tools that run without asking."""
        session = self._session()
        return session.always_allowed.names() if session else []

    def objects(self, typed: str) -> Iterable[str]:
        """Return the names of the notebook, or what the object before the last dot holds."""
        return [*user_names(self._shell), *self._members(typed)]

    def fields(self, typed: str) -> Iterable[str]:
        """Return what may stand in a prompt's braces."""
        if "." in typed:
            return self._members(typed)
        return self._named(lambda value: not isinstance(value, ModuleType))

    def rows(self, typed: str) -> Iterable[str]:
        """Return what a map may go through: tables and lists of the notebook, and the columns of a table."""
        from nbgemini.notebook.prompt.lookup import is_rows  # noqa: PLC0415 - when it is asked for

        name, dot, _ = typed.rpartition(".")
        return [f"{name}.{column}" for column in self.columns(name) if column.isidentifier()] if dot else self._named(is_rows)

    def columns(self, name: str) -> Iterable[str]:
        """Return what a row of this table gives to a template."""
        from nbgemini.notebook.prompt.lookup import column_names  # noqa: PLC0415 - when it is asked for

        return column_names(user_names(self._shell).get(name)) or ["row"]

    def _members(self, typed: str) -> list[str]:
        """Return what the object before the last dot holds; nothing without a dot."""
        names, path = user_names(self._shell), typed.rpartition(".")[0]
        return [f"{path}.{name}" for name in _held(names, path)] if path.partition(".")[0] in names else []

    def _named(self, wanted: Callable[[Any], bool]) -> list[str]:
        return [name for name, value in user_names(self._shell).items() if not name.startswith("_") and wanted(value)]


def paths(typed: str) -> Iterator[str]:
    """Yield the files and directories that begin as typed."""
    directory, begin = os.path.split(typed)
    try:
        entries = sorted(os.scandir(user_path(directory or ".")), key=lambda entry: entry.name)
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


Found: TypeAlias = tuple[str, Iterable[str]]  # what is being typed, and all that could stand there

_CELL = re.compile(r"%%gemini(\s|$)")
_LINE = re.compile(r"\s*(?:[\w.,\s]+=\s*)?%gemini\s+(?P<rest>.*)$")
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'?|"[^"]*"?)+""")
_FIELD = re.compile(r"(?<!\{)\{(?P<path>(?:[^\W\d][\w.]*)?)$")
_PROMPTS = ("ask", "fix", "explain")
_MOST = 500
_NOTHING: Found = ("", ())


class Completer:
    """What Tab offers in one shell."""

    def __init__(self, shell: Any, config: Gemini, session: Callable[[], Any]) -> None:
        """`session` returns the session, or None while nothing was asked: it is not made for a Tab."""
        self._shell = shell
        self._session = session
        self._sources = CompletionSources(shell, config, session)
        self._learning: asyncio.Task[None] | None = None

    def offered(self, text: str, row: int, column: int) -> tuple[str, list[str]]:
        """Return what is being typed at a place in a cell, and the whole words of ours that it may become."""
        try:
            typed, known = self._found(text, row, column)
            plain = _unquoted(typed)
            words = [word for word in dict.fromkeys(known) if _unquoted(word).startswith(plain)][:_MOST]
        except Exception:  # noqa: BLE001 - Tab never fails
            return "", []
        return typed, words or ([typed] if typed else [])  # itself, or IPython would add what it knows

    def _found(self, text: str, row: int, column: int) -> Found:
        lines = text.split("\n")
        before = lines[row][:column]
        if not _CELL.match(lines[0]):
            match = _LINE.match(before)
            return self._in_command(match["rest"]) if match else _NOTHING
        command, _, of_map = lines[0].removeprefix("%%gemini").lstrip().partition(" ")
        if row:
            return self._in_map(f"{of_map.lstrip()} {before}") if command == "map" else self._in_prompt(before)
        line = before.removeprefix("%%gemini")
        if line.lstrip().startswith("map "):
            return self._in_map(line.lstrip().removeprefix("map").lstrip())
        return self._in_options(line.lstrip()) if line else _NOTHING

    def _in_command(self, rest: str) -> Found:
        from nbgemini.notebook.commands import COMMANDS  # noqa: PLC0415 - when it is asked for

        name, blank, rest = rest.partition(" ")
        if not blank:
            return name, filter(None, COMMANDS)
        if name in _PROMPTS:
            options, words = self._in_options(rest.lstrip()), self._in_words(name, rest)
            both = options[0] == words[0] and options is not _NOTHING
            return (options[0], [*words[1], *options[1]]) if both else words if options is _NOTHING else options
        if name == "map":
            return self._in_map(rest.lstrip())
        typed = _split(rest)[1]
        return typed, self._behind(name, _unquoted(typed))

    def _in_map(self, rest: str) -> Found:
        """Return what may stand in the line of a map: options, then a table, then columns in braces."""
        from nbgemini.notebook.options import build_map_parser, leading_options, split_word  # noqa: PLC0415

        parser = build_map_parser()
        found = self._in_options(rest, parser)
        if found is not _NOTHING:
            return found if found[0] or not isinstance(found[1], dict) else ("", [*self._sources.rows(""), *found[1]])
        name, template = split_word(leading_options(rest, parser)[1])
        if not template and not rest.endswith(" "):
            return name, self._sources.rows(name)
        match = _FIELD.search(rest)
        return (match["path"], self._sources.columns(name)) if match else _NOTHING

    def _behind(self, command: str, typed: str) -> Iterable[str]:
        """Return what may stand behind a command that asks nothing."""
        sources = self._sources
        behind: dict[str, Callable[[], Iterable[str]]] = {
            "show": lambda: [*sources.chats(), *sources.saved_chats()],
            "reset": lambda: [*sources.chats(), *sources.saved_chats()],
            "load": lambda: [*sources.saved_chats(), *paths(typed)],
            "fork": sources.chats,
            "drop": sources.chats,
            "retry": sources.chats,
            "stop": lambda: ["--all", *sources.chats()],
            "demo": lambda: ("fast", "off"),
            "record": lambda: ["off", *paths(typed)],
            "replay": lambda: ["--live", "--speed", "--strict", "off", *paths(typed)],
            "export": lambda: [*paths(typed), *sources.chats(), "--thoughts", "--force"],
            "models": lambda: self._models(typed),
            "help": self._topics,
            "approvals": lambda: ["revoke", "--all", *sources.always_allowed()],
            "usage": lambda: ("today", "week", "all", "--by", "model", "chat", "day", "provider", "notebook"),
            "cache": lambda: ("clear",),
            "key": sources.services,
        }
        return behind[command]() if command in behind else ()

    def _in_words(self, command: str, rest: str) -> Found:
        """Return what may stand in the words behind a question's options."""
        typed = _split(rest)[1]
        in_prompt = self._in_prompt(rest)
        return (typed, self._sources.objects(typed)) if command == "explain" and in_prompt is _NOTHING else in_prompt

    def _in_prompt(self, before: str) -> Found:
        match = _FIELD.search(before)
        return (match["path"], self._sources.fields(match["path"])) if match else _NOTHING

    def _in_options(self, rest: str, parser: Any = None) -> Found:
        """Return what may stand at the end of a line of options; nothing where the prompt has begun."""
        from nbgemini.notebook.options import build_parser  # noqa: PLC0415 - when it is asked for

        parser = parser or build_parser()
        actions = {name: action for action in parser._actions for name in action.option_strings}  # noqa: SLF001
        words, typed = _split(rest)
        wanted: Any = None  # the option whose value comes next
        for word in words:
            if wanted is None and not word.startswith("-"):
                return _NOTHING
            wanted = None if wanted is not None or "=" in word else actions.get(word)
            wanted = wanted if wanted is not None and wanted.nargs != 0 else None
        name, equals, value = typed.partition("=")
        if wanted is None and equals and name in actions:
            wanted, typed = actions[name], value
        if wanted is not None:
            return self._in_value(wanted, typed)
        return (typed, actions) if not typed or typed.startswith("-") else _NOTHING

    def _in_value(self, option: Any, typed: str) -> Found:
        if option.choices:
            return typed, option.choices
        if option.dest == "model":
            return typed, self._models(typed)
        if option.dest in ("tools", "schema"):
            typed = re.split(r"[\[\],|\s'\"]", typed)[-1]
        return typed, self._sources.values(option.dest, _unquoted(typed))

    def _topics(self) -> list[str]:
        """Return what `%gemini help` may be asked about."""
        from nbgemini.notebook.commands import COMMANDS  # noqa: PLC0415 - when it is asked for
        from nbgemini.notebook.options import build_parser  # noqa: PLC0415

        return [*filter(None, COMMANDS), *build_parser().options]

    def _models(self, typed: str) -> list[str]:
        """Return the known models, and learn more for the next time."""
        session = self._session()
        if session and kernel_of(self._shell) is not None and (self._learning is None or self._learning.done()):
            with contextlib.suppress(RuntimeError):  # no loop runs here
                loop = asyncio.get_running_loop()
                named = typed.partition(":")[0]
                service = named if named in session.client.settings.known else "gemini"
                self._learning = loop.create_task(session.windows.learn(session.client, service))
        return self._sources.models(typed)


def _split(text: str) -> tuple[list[str], str]:
    """Return the whole words of a line, and the one that is being typed; in quotes blanks belong to a word."""
    words = _WORD.findall(text)
    typed = words.pop() if words and text.endswith(words[-1]) else ""
    return words, typed


def _unquoted(word: str) -> str:
    return word.replace("'", "").replace('"', "")
