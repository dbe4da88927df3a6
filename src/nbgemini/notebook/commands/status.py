"""`%gemini` and `%gemini approvals`: the state of things in this kernel, and which tools always run without asking."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from nbgemini.errors import PromptError, nearest
from nbgemini.formatting import money_text, plural, tokens_text
from nbgemini.notebook.commands.common import (
    no_arguments,
    saved_chats,
    show_line,
    show_table,
    split_words,
    time_text,
    usage_error,
)
from nbgemini.replay.session import Record
from nbgemini.services import key_command, split_model

if TYPE_CHECKING:
    from nbgemini.chat.chat import Chat
    from nbgemini.notebook.session import Session


async def status(session: Session, rest: str) -> None:
    """Show model, backend, key, chats and how full they are, what runs, tokens and cost so far, cache and journal."""
    no_arguments("", rest)
    client, usage = session.client, session.usage
    await learn_windows(session)
    chats = [(f"chat {chat.name}", _chat_text(session, chat)) for chat in client.chats.values() if len(chat.transcript)]
    rows = [
        ("model", client.settings.model),
        ("backend", session.answering),
        *([("recorded in", client.services.taping.path.name)] if isinstance(client.services.taping, Record) else []),
        ("key", key_text(session)),
        *(chats or [("chats", "none yet")]),
        *((f"chat {name} (earlier session)", _saved_text(name, count, at)) for name, count, at in saved_chats(session)),
        *([("waiting" if job.state == "waiting" else "running", job.description) for job in session.jobs.running]),
        ("tokens so far", tokens_text(usage.tokens) or "0"),
        ("cost so far", money_text(usage.cost) or "$0"),
        *([("cache", client.cache.trouble or client.cache.where)] if client.cache else []),
        ("journal", (session.journal.trouble or _short(session.journal.path)) if session.journal else "off"),
        ("help", "%gemini help"),
    ]
    show_table(("", "nbgemini"), rows)


async def learn_windows(session: Session) -> None:
    """Ask the services of the chats how large their models' context windows are."""
    facts = [chat.transcript.facts for chat in session.client.chats.values()]
    for service in {known.provider for known in facts if known}:
        await session.windows.learn(session.client, service)


def chat_window_text(session: Session, chat: Chat) -> str:
    """Return how full the context window of a chat is."""
    from nbgemini.notebook.usage import fill_text  # noqa: PLC0415 - with the session

    facts = chat.transcript.facts
    return fill_text(facts.context, session.windows.of(session.client, facts.model, facts.provider)) if facts else ""


def model_of(chat: Chat) -> str:
    """Return the model that answered last in a chat, or will answer first."""
    return chat.transcript.facts.model if chat.transcript.facts else chat.options.model


def key_text(session: Session) -> str:
    """Return whether there is a key for the current model, or that none is needed."""
    if session.answering == "offline" or session.answering.startswith("replay"):
        return "none needed"
    client = session.client
    service = client.settings.service(split_model(client.settings.model)[0])
    return "set" if service.key else f"none → {key_command(service)}" if service.needs_key else "none needed"


def _chat_text(session: Session, chat: Chat) -> str:
    context = chat_window_text(session, chat)
    cost = sum(exchange.facts.cost or 0.0 for exchange in chat.transcript if exchange.facts)
    facts = (plural(len(chat.transcript), "exchange"), context and f"context {context}", money_text(cost))
    return " · ".join(filter(None, facts))


def _saved_text(name: str, count: int, at: float) -> str:
    return f"{plural(count, 'exchange')}, {time_text(at)} → %gemini load {shlex.quote(name)} continues it"


def _short(path: Path) -> str:
    """Return a path with `~` for the home directory, so that no user name shows."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def approvals(session: Session, rest: str) -> None:
    """List the tools that "Always allow" was clicked for, or revoke that for one or all."""
    always, words = session.always_allowed, split_words(rest)
    if not words:
        _list_allowed(always.names())
    elif len(words) != 2 or words[0] != "revoke":  # noqa: PLR2004 - revoke TOOL
        raise usage_error(
            "approvals", "name a tool, or --all" if words == ["revoke"] else f"{rest.strip()!r} is not understood"
        )
    elif words[1] == "--all":
        count = always.clear()
        show_line(f"{plural(count, 'approval')} revoked; every call asks again" if count else "no tool was always allowed")
    elif always.revoke(words[1]):
        show_line(f"{words[1]} asks again before each call")
    else:
        raise PromptError(
            f"{words[1]!r} is not always allowed{nearest(words[1], always.names())}; %gemini approvals lists what is"
        )


def _list_allowed(names: list[str]) -> None:
    if names:
        show_table(("always allowed", "until the kernel ends"), [(name, f"%gemini approvals revoke {name}") for name in names])
    else:
        show_line(
            'no tool is always allowed; "Always allow" on a card lets a function run without asking until the kernel ends'
        )
