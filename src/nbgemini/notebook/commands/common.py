"""What the commands share: their syntax, how a line is split, names of chats, and how a table or a line is shown."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbgemini.errors import PromptError, nearest
from nbgemini.notebook.kernel import environment

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

HELP_FLAGS = ("--help", "-h", "?")

SYNTAX: dict[str, str] = {  # what may follow each command
    "": "",
    "ask": "[OPTIONS] PROMPT",
    "fix": "[OPTIONS] [HINT]",
    "explain": "[OPTIONS] [OBJECT | -- WORDS]",
    "map": "[OPTIONS] NAME TEMPLATE",
    "models": "[FILTER | SERVICE:FILTER]",
    "chats": "",
    "show": "[CHAT]",
    "load": "[CHAT | FILE.json] [NEW_NAME]",
    "reset": "[CHAT]",
    "fork": "CHAT NEW_NAME",
    "drop": "[CHAT]",
    "retry": "[CHAT]",
    "stop": "[CHAT | --all]",
    "approvals": "[revoke TOOL | revoke --all]",
    "usage": "[today|week|all] [--by model|chat|day|provider|notebook]",
    "journal": "[N]",
    "export": "FILE [CHAT] [--thoughts] [--force]",
    "cache": "[clear]",
    "record": "FILE | off",
    "replay": "FILE [--strict | --live] [--speed X|now] | off",
    "key": "[SERVICE]",
    "demo": "[fast | off]",
    "doctor": "",
    "help": "[COMMAND | OPTION]",
}


def syntax(command: str) -> str:
    """Return how a command is written."""
    return f"%gemini {command} {SYNTAX[command]}".rstrip()


def usage_error(command: str, problem: str = "") -> PromptError:
    """Return the error for a line that a command can't understand: the problem and the syntax."""
    usage = f"usage: {syntax(command)}"
    return PromptError(f"{problem}; {usage}" if problem else usage)


def split_words(rest: str) -> list[str]:
    """Split as a shell does; a word may not be empty."""
    try:
        words = shlex.split(rest)
    except ValueError:
        raise PromptError(f"a quote is not closed in: {rest}") from None
    if "" in words:
        raise PromptError(f"a name is empty in: {rest}")
    return words


def optional_name(words: list[str]) -> str | None:
    """Return the name of a chat, or None if there is no word."""
    if len(words) > 1 or (words and words[0].startswith("-")):
        raise PromptError(f"expected the name of a chat, not {' '.join(words)!r}")
    return words[0] if words else None


def no_arguments(command: str, rest: str) -> None:
    """Refuse anything that follows a command without arguments."""
    if rest.strip():
        raise usage_error(command, f"unexpected {rest.strip()!r}")


def saved_chats(session: Session) -> list[tuple[str, int, float]]:
    """Return name, number of exchanges and last time of the chats that earlier sessions saved and this one has not begun.

    There are none in unattended runs, which give the same outputs each time.
    """
    if environment.is_unattended(session.shell):
        return []
    saved = session.journal.chats() if session.journal else []
    begun = {chat.name for chat in session.client.chats.values() if len(chat.transcript)}
    return [row for row in saved if row[0] not in begun]


def named_chat(session: Session, rest: str, also: Sequence[str] = ()) -> Any:  # a chat that has a name
    """Return the chat with this name, or the current one; `also` names some that are only saved."""
    known = [*session.client.chats, *also]
    name = rest.strip() if rest.strip() in known else optional_name(split_words(rest))  # with blanks in it, also without quotes
    if name is not None and name not in known:
        raise PromptError(f"no chat {name!r}{nearest(name, known)}; %gemini chats lists them")
    return session.client.chat(name or session.config.chat)


def time_text(at: float) -> str:
    """Return a wall-clock time as day and minute."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def show_table(headers: tuple[str, ...], rows: list[Any]) -> None:
    """Show rows of text."""
    from nbgemini.render.mimebundle import table_bundle  # noqa: PLC0415

    _publish(table_bundle(headers, rows))


def show_line(line: str) -> None:
    """Show one line."""
    from nbgemini.render.mimebundle import status_bundle  # noqa: PLC0415

    _publish(status_bundle(line))


def _publish(data: dict[str, Any]) -> None:
    from IPython.display import display  # noqa: PLC0415

    display(data, raw=True)
    sys.stdout.flush()
