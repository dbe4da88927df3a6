"""%gemini COMMAND: where we stand, and everything that is not a prompt.

Every command is a function of the session and the rest of its line; those that ask the service are coroutines.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from nbgemini.errors import PromptError
from nbgemini.notebook.commands import cache, chats, export, journal, models, record_replay, setup, status, usage
from nbgemini.notebook.commands.map import map_
from nbgemini.notebook.magics.parsing import nearest

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

Command: TypeAlias = Callable[["Session", str], Coroutine[Any, Any, None] | None]


def _ask(_session: Session, _rest: str) -> None:
    """Ask in one line: %gemini ask [options] your question."""
    raise AssertionError("the magic handles ask itself")


def _retry(_session: Session, _rest: str) -> None:
    """Ask a chat's last prompt once more; its old answer is forgotten."""
    raise AssertionError("the magic handles retry itself")


def _fix(_session: Session, _rest: str) -> None:
    """Ask about the last exception, with its cell, traceback and values: %gemini fix [options] [hint]."""
    raise AssertionError("the magic handles fix itself")


def _explain(_session: Session, _rest: str) -> None:
    """Ask about an object, some words, or the last cell: %gemini explain [options] [OBJECT | -- words]."""
    raise AssertionError("the magic handles explain itself")


COMMANDS: dict[str, Command] = {
    "": status.status,
    "ask": _ask,
    "fix": _fix,
    "explain": _explain,
    "map": map_,
    "models": models.models,
    "chats": chats.chats,
    "show": chats.show,
    "load": chats.load,
    "reset": chats.reset,
    "fork": chats.fork,
    "drop": chats.drop,
    "retry": _retry,
    "stop": chats.stop,
    "usage": usage.usage,
    "journal": journal.journal,
    "export": export.export,
    "cache": cache.cache,
    "record": record_replay.record,
    "replay": record_replay.replay,
    "key": setup.key,
    "demo": setup.demo,
    "doctor": setup.doctor,
}


def command_of(line: str) -> tuple[str, str]:
    """Split a line into its command and the rest.

    Raises:
        PromptError: there is no such command; the message names the nearest.
    """
    name, _, rest = line.strip().partition(" ")
    if name not in COMMANDS:
        raise PromptError(f"no command {name!r}{nearest(name, COMMANDS)}; %gemini? lists them (a question: %gemini ask …)")
    return name, rest
