"""Which calls need the reader's leave: the word of --approve, what is marked safe, and what may not go unasked.

Invariant: while the tools of one prompt together read what is private, take in what strangers wrote and can send something out,
a labelled one runs unasked only if its user says `unguarded` with that prompt: a stranger's text could ask for what is private.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from nbgemini.errors import PromptError
from nbgemini.tools.decorator import LABELS, Tool
from nbgemini.tools.toolbox import Approve, Toolbox, allow, forbid, refuse

WORDS = ("ask", "auto", "never", "unguarded")
_DEEDS = dict(zip(LABELS, ("read what is private", "take in what strangers wrote", "send something out"), strict=True))


def toolbox(tools: Iterable[Tool], approve: Approve | str, ask: Approve = refuse) -> Toolbox:
    """Return the tools of a prompt with who decides about their calls.

    Args:
        tools: what is offered.
        approve: one of `WORDS`, or a function of the user's own that says whether a call runs.
        ask: who is asked where that is wanted; nobody is there by default.

    Raises:
        PromptError: the word is none, or it may not be said about these tools; or two of them have one name.
    """
    offered = list(tools)
    if not isinstance(approve, str):
        return Toolbox(offered, approve)
    if approve not in WORDS:
        raise PromptError(f"approve is {', '.join(WORDS[:-1])} or {WORDS[-1]}, not {approve!r}")
    if approve == "never":
        return Toolbox([structs.replace(tool, safe=False) for tool in offered], forbid)
    if approve == "unguarded":
        return Toolbox(offered, allow)
    if not _dangerous(offered):
        return Toolbox(offered, allow if approve == "auto" else ask)
    if approve == "auto":
        raise PromptError(_warning(offered))
    return Toolbox([_guarded(tool) for tool in offered], ask)


def _dangerous(tools: Iterable[Tool]) -> bool:
    """Whether tools do together what none of them should do for a stranger: the "lethal trifecta"."""
    return set().union(*(tool.labels for tool in tools)) == set(LABELS)


def _guarded(tool: Tool) -> Tool:
    return structs.replace(tool, safe=False, guarded=True) if tool.labels else tool


def _warning(tools: Iterable[Tool]) -> str:
    known = list(tools)
    deeds = [f"{_DEEDS[label]} ({', '.join(tool.name for tool in known if label in tool.labels)})" for label in LABELS]
    return (
        f"approve auto is refused: together these tools {deeds[0]}, {deeds[1]} and {deeds[2]}, so a stranger's text could have"
        " your data sent away; let each call ask (--approve ask), leave one tool out, or say --approve unguarded"
    )
