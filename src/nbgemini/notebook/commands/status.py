"""`%gemini`: the state of things."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbgemini.formatting import money_text, tokens_text
from nbgemini.notebook.commands._args import exchanges_text, no_arguments, saved_chats, time_text
from nbgemini.notebook.commands._output import show_table
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


def context_text(session: Session, chat: Chat) -> str:
    """Return how full the context window of a chat is."""
    from nbgemini.notebook.context_windows import fill_text  # noqa: PLC0415 - with the session

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
    context = context_text(session, chat)
    cost = sum(exchange.facts.cost or 0.0 for exchange in chat.transcript if exchange.facts)
    facts = (exchanges_text(len(chat.transcript)), context and f"context {context}", money_text(cost))
    return " · ".join(filter(None, facts))


def _saved_text(name: str, count: int, at: float) -> str:
    return f"{exchanges_text(count)}, {time_text(at)} → %gemini load {name} continues it"


def _short(path: Path) -> str:
    """Return a path with `~` for the home directory, so that no user name shows."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
