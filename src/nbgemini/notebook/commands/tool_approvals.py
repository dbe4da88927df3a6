"""`%gemini approvals`: which tools always run without asking in this session, and how that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbgemini.errors import PromptError
from nbgemini.notebook.commands._args import plural, split_words, usage_error
from nbgemini.notebook.commands._output import show_line, show_table
from nbgemini.notebook.options import nearest

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

_REVOKE = ["revoke", "TOOL"]


def approvals(session: Session, rest: str) -> None:
    """List the tools that "Always allow" was clicked for, or revoke that for one or all.

    Raises:
        PromptError: no such tool is always allowed, or the line can't be understood.
    """
    always, words = session.always_allowed, split_words(rest)
    if not words:
        _show(always.names())
    elif len(words) != len(_REVOKE) or words[0] != "revoke":
        raise usage_error("approvals", f"{rest.strip()!r} is not understood")
    elif words[1] == "--all":
        show_line(f"{plural(always.clear(), 'approval')} revoked; every call asks again")
    elif always.revoke(words[1]):
        show_line(f"{words[1]} asks again before each call")
    else:
        raise PromptError(
            f"{words[1]!r} is not always allowed{nearest(words[1], always.names())}; %gemini approvals lists what is"
        )


def _show(names: list[str]) -> None:
    if names:
        show_table(("always allowed", "until the kernel ends"), [(name, f"%gemini approvals revoke {name}") for name in names])
    else:
        show_line(
            'no tool is always allowed; "Always allow" on a card lets a function run without asking until the kernel ends'
        )
