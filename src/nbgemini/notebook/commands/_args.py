"""What stands behind a command: words, and names of chats."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbgemini.errors import PromptError
from nbgemini.notebook.kernel import environment
from nbgemini.notebook.magics.parsing import nearest

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session


def words_of(rest: str) -> list[str]:
    """Split as a shell does."""
    try:
        return shlex.split(rest)
    except ValueError:
        raise PromptError(f"a quote is not closed in: {rest}") from None


def only_name(words: list[str]) -> str | None:
    """Return the one name that was given, if any."""
    if len(words) > 1 or (words and words[0].startswith("-")):
        raise PromptError(f"expected the name of a chat, not {' '.join(words)!r}")
    return words[0] if words else None


def no_more(rest: str) -> None:
    """Refuse what stands behind a command that takes nothing."""
    if rest.strip():
        raise PromptError(f"nothing goes after this command: {rest.strip()!r}")


def saved_chats(session: Session) -> list[tuple[str, int, float]]:
    """Return the chats of former kernels that this one has not begun; a headless run is the same every time, and has none."""
    headless = environment.kernel_of(session.shell) is not None and not environment.someone_sits_there(session.shell)
    saved = session.journal.chats() if session.journal and not headless else []
    begun = {chat.name for chat in session.client.chats.values() if len(chat.transcript)}
    return [row for row in saved if row[0] not in begun]


def named_chat(session: Session, rest: str, also: Sequence[str] = ()) -> Any:  # a chat that has a name
    """Return the chat of this name, or the current one; `also` names some that are saved."""
    name = only_name(words_of(rest))
    known = [*session.client.chats, *also]
    if name is not None and name not in known:
        raise PromptError(f"no chat {name!r}{nearest(name, known)}; %gemini chats lists them")
    return session.client.chat(name or session.config.chat)


def exchanges_text(count: int) -> str:
    """Return a number of exchanges (a prompt and what came of it), as in "2 exchanges"."""
    return f"{count:,} exchange{'' if count == 1 else 's'}"


def day_text(at: float) -> str:
    """Return a time of the wall clock as day and minute."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
