"""A chat as JSON: all that is needed to continue it, thoughts and signatures too, and read again with a reader's suspicion."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.messages.attachments import content_hash, display_text
from nbgemini.messages.transcript import Exchange, ExchangeStats
from nbgemini.messages.turns import NOTE, ORIGIN, Part, Turn
from nbgemini.render.export.model import ExportedChat

_KINDS = {"text", "inlineData", "fileData"}
_ASKED = {*_KINDS, NOTE}
_ANSWERED = {"functionResponse", "thoughtSignature", NOTE, ORIGIN}
_HOW_IT_WENT = {  # what the card of a call shows
    "state": str,
    "seconds": int | float,
    "unasked": bool,
    "about": str,
    "printed": str,
}
_FOUND = {"citations": dict}  # the sources below an answer


class _Exchange(Struct, forbid_unknown_fields=True):
    asked: list[dict[str, Any]]
    past: list[Turn]
    came: list[dict[str, Any]]
    state: Literal["complete", "truncated", "interrupted", "blocked", "failed"]
    note: str = ""
    facts: ExchangeStats | None = None


class ChatFile(Struct, forbid_unknown_fields=True):
    """A chat as it stands in its file."""

    nbgemini: Literal["chat"]
    version: Literal[1]
    chat: str
    model: str
    at: str
    exchanges: list[_Exchange]
    system: str | None = None


def to_json(chat: ExportedChat) -> str:
    """Return the file's text."""
    exchanges = [_saved(entry.exchange) for entry in chat.entries]
    file = ChatFile("chat", 1, chat.name, chat.model, chat.at, exchanges, chat.system)
    return msgspec.json.format(msgspec.json.encode(file), indent=1).decode() + "\n"


def loaded(data: bytes, file: str) -> tuple[str, str | None, list[Exchange]]:
    """Return the name of a chat, its system instruction and its exchanges; `file` is what the error calls it.

    Raises:
        PromptError: it is another program's file, another version's, or was changed so that it can't be continued.
    """
    try:
        chat = msgspec.json.decode(data, type=ChatFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PromptError(f"{file} is not a chat from %gemini export ({error})") from None
    for number, one in enumerate(chat.exchanges, 1):
        if not _is_whole(one):
            raise PromptError(f"{file} was changed: exchange {number} has no prompt, or calls without their answers")
        if not _is_shown(one):
            raise PromptError(f"{file} was changed: exchange {number} contains something that would be sent but not shown")
    return chat.chat, chat.system, [_exchange(one) for one in chat.exchanges]


def _saved(exchange: Exchange) -> _Exchange:
    state: Any = exchange.state
    asked, came = list(map(dict, exchange.asked.parts)), list(map(dict, exchange.parts))
    return _Exchange(asked, list(exchange.past), came, state, exchange.note, exchange.facts)


def _exchange(one: _Exchange) -> Exchange:
    exchange = Exchange(Turn("user", tuple(map(_trusted, one.asked))))
    exchange.past = [Turn(turn.role, tuple(filter(None, map(_trusted, turn.parts)))) for turn in one.past]
    exchange.parts = list(filter(None, map(_trusted, one.came)))
    exchange.state, exchange.note, exchange.facts = one.state, one.note, one.facts
    return exchange


def _trusted(part: Part) -> Part:
    """Return a part without what only this program may say of it, what another service alone reads, and files by their hash.

    A note of ours would hide its text or name a file to open; a hash would send what another chat attached.
    """
    if content_hash(part):
        return {"text": f"[a file of type {part['fileData'].get('mimeType', '')} was attached here; it is no longer at hand]"}
    bare = {name: value for name, value in part.items() if name not in (NOTE, ORIGIN)}
    if ORIGIN in part:
        bare.pop("thoughtSignature", None)  # it is that service's own
        bare = {} if bare.get("text") == "" and bare.keys() <= {"text", "thought"} else bare
    said = part.get(NOTE)
    shown = _HOW_IT_WENT if "functionResponse" in part else _FOUND if part.keys() == {NOTE} else {}
    kept = {name: said[name] for name, kind in shown.items() if isinstance(said, dict) and isinstance(said.get(name), kind)}
    return {**bare, NOTE: kept} if kept else bare


def _is_shown(one: _Exchange) -> bool:
    """Whether all that would be sent is shown too: a prompt of text and files, answers to calls that are nothing else."""
    asked = all(len(part.keys() & _KINDS) == 1 and part.keys() <= _ASKED for part in one.asked)
    return asked and all(
        "functionResponse" in part and part.keys() <= _ANSWERED for turn in one.past[1::2] for part in turn.parts
    )


def _is_whole(one: _Exchange) -> bool:
    """Whether an exchange can be sent again: it was asked, and each round of calls is a pair of turns of equal length."""
    try:
        asked = bool(display_text(Turn("user", tuple(one.asked))).strip())
    except (TypeError, ValueError, AttributeError, OverflowError):  # a note that is none of ours
        return False
    rounds = list(zip(one.past[::2], one.past[1::2], strict=False))
    return asked and len(rounds) * 2 == len(one.past) and all(_is_round(*turns) for turns in rounds)


def _is_round(theirs: Turn, ours: Turn) -> bool:
    calls = sum("functionCall" in part for part in theirs.parts)
    answers = sum("functionResponse" in part for part in ours.parts)
    return (theirs.role, ours.role) == ("model", "user") and calls == answers > 0
