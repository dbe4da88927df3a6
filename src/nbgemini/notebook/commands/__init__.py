"""`%gemini COMMAND`: everything that is not a prompt.

A command is a function of the session and the rest of its line; those that ask the service are coroutines. The runner handles
the commands that send a prompt, and `help`. Whatever is wrong with a line, or with what it names in the notebook, is a
PromptError.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from nbgemini.errors import PromptError, nearest
from nbgemini.notebook.commands import cache, chats, journal, record_replay, setup, status
from nbgemini.notebook.commands.common import HELP_FLAGS
from nbgemini.notebook.kernel.cell_transforms import MISPLACED

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

Run: TypeAlias = Callable[["Session", str], Coroutine[Any, Any, None] | None]


class Command(Struct, frozen=True):
    """One command; `run` is None for what the runner handles itself."""

    summary: str
    run: Run | None = None


COMMANDS: dict[str, Command] = {
    "": Command("Show the status: model, key, chats, running answers, tokens and cost so far.", status.status),
    "ask": Command("Send a prompt in one line: %gemini ask Why is the sky blue?"),
    "fix": Command("Fix the last exception: cell, traceback and values are sent, and you are offered the corrected cell."),
    "explain": Command("Explain an object, the words after --, or the last cell."),
    "map": Command("Ask one prompt for each row of a DataFrame, list or column; {column} is a placeholder."),
    "models": Command("List the models of a service: limits, thinking levels and prices.", setup.models),
    "chats": Command("List the chats of this session, and the saved chats of earlier ones.", chats.chats),
    "show": Command("Show a whole chat again, also a saved one.", chats.show),
    "load": Command("Continue a saved chat of an earlier session, or one that was exported as .json.", chats.load),
    "reset": Command("Stop a chat and delete it for good, on disk too.", chats.reset),
    "fork": Command("Copy a chat under a new name, to branch the conversation.", chats.fork),
    "drop": Command("Remove the last exchange of a chat.", chats.drop),
    "retry": Command("Send the last prompt of a chat again; the new answer replaces the old one."),
    "stop": Command("Stop the running answers of a chat (default: the current one), or all; what arrived is kept.", chats.stop),
    "approvals": Command("List the tools that you always allow, or revoke that.", status.approvals),
    "usage": Command("Add up exchanges, tokens, cost and waiting times of all notebooks.", journal.usage),
    "journal": Command("List the last N requests (10): when, chat, model, outcome, tokens, cost, times.", journal.journal),
    "export": Command("Export a chat as .md, .ipynb or .json; %gemini load can continue a .json file.", chats.export),
    "cache": Command("Show the size, hit rate and savings of the cache; clear empties it.", cache.cache),
    "record": Command("Record all answers from now on in FILE, a cassette; off ends it.", record_replay.record),
    "replay": Command("Answer all prompts from FILE, a cassette, without key or network; off ends it.", record_replay.replay),
    "key": Command("Enter the API key of Gemini or another SERVICE; it is kept in memory only.", setup.key),
    "demo": Command("Switch to the offline service (no key, no network), fast without pauses; off goes back.", setup.demo),
    "doctor": Command("Check versions, key, front end, and whether the service can be reached.", setup.doctor),
    "help": Command("Show the commands, or the help of one command or option."),
}

_OTHER_NAMES = {  # what other programs call it
    "clear": "reset",
    "config": "%config Gemini",
    "cost": "usage",
    "delete": "reset",
    "history": "show",
    "list": "chats",
    "login": "key",
    "model": "models, or %config Gemini.model = …",
    "resume": "load",
    "save": "export",
    "set": "%config Gemini",
    "status": "%gemini alone",
    "tools": "approvals",
    "undo": "drop",
    "version": "--version",
}
VERSION_FLAG = "--version"
_WITH_TEXT = ("ask", "fix", "explain", "map")  # their own parsers know --help: in their text it means nothing


def command_of(line: str) -> tuple[str, str]:
    """Split a line into its command and the rest; a line that asks for help is the `help` command."""
    name, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if name == MISPLACED:
        raise PromptError("%%gemini begins a cell: put the code above it into a cell of its own")
    if name == VERSION_FLAG or name in HELP_FLAGS:
        return "help", rest if name in HELP_FLAGS else name
    if name.endswith("?") and not rest:
        return "help", name.rstrip("?")
    if name not in COMMANDS:
        other = _OTHER_NAMES.get(name.casefold())
        hint = f" (did you mean {other}?)" if other else nearest(name, COMMANDS)
        question = f"to ask it: %gemini ask {line.strip()}" if rest else "a question: %gemini ask …"
        raise PromptError(f"no command {name!r}{hint}; %gemini help lists them ({question})")
    words = rest.split()
    wants_help = words[:1] in [[flag] for flag in HELP_FLAGS] or (
        name not in _WITH_TEXT and ({*words} & {"--help", "-h"} or rest.endswith("?"))
    )
    return ("help", name) if wants_help or (name == "map" and not rest) else (name, rest)
