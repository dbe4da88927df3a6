"""%gemini: where we stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbgemini.formatting import money_text, tokens_text
from nbgemini.notebook.commands._args import exchanges_text, no_more
from nbgemini.notebook.commands._output import show_table
from nbgemini.replay.session import Record
from nbgemini.services import key_command, split_model

if TYPE_CHECKING:
    from nbgemini.chat.chat import Chat
    from nbgemini.notebook.jobs import Job
    from nbgemini.notebook.session import Session


async def status(session: Session, rest: str) -> None:
    """Show where we stand: model, backend, key, chats and how full they are, what runs, tokens and cost so far, journal."""
    no_more(rest)
    client, spent = session.client, session.spending
    await learn_windows(session)
    rows = [
        ("model", client.settings.model),
        ("backend", session.answering),
        *([("recorded into", client.services.taping.path.name)] if isinstance(client.services.taping, Record) else []),
        ("key", _needless(session.answering) or _key_text(session)),
        *([(f"chat {chat.name}", _chat_text(session, chat)) for chat in client.chats.values()] or [("chats", "none yet")]),
        *([(_label(job), job.doing) for job in session.jobs.running] or [("running", "nothing")]),
        ("tokens so far", tokens_text(spent.usage) or "0"),
        ("cost so far", money_text(spent.cost) or "$0"),
        *([("cache", client.cache.trouble or client.cache.where)] if client.cache else []),
        ("journal", (session.journal.trouble or _short(session.journal.path)) if session.journal else "off"),
    ]
    show_table(("", "nbgemini"), rows)


async def learn_windows(session: Session) -> None:
    """Ask how large the windows are, if there is a chat that fills one."""
    told = [chat.transcript.facts for chat in session.client.chats.values()]
    for service in {facts.provider for facts in told if facts}:
        await session.windows.learn(session.client, service)


def context_of(session: Session, chat: Chat) -> str:
    """Return how full a chat is, in words."""
    from nbgemini.notebook.context_windows import fill_text  # noqa: PLC0415 - with the session

    facts = chat.transcript.facts
    return fill_text(facts.context, session.windows.of(session.client, facts.model, facts.provider)) if facts else ""


def model_of(chat: Chat) -> str:
    """Return who answered last in a chat, or who is to."""
    return chat.transcript.facts.model if chat.transcript.facts else chat.options.model


def _chat_text(session: Session, chat: Chat) -> str:
    context = context_of(session, chat)
    cost = sum(exchange.facts.cost or 0.0 for exchange in chat.transcript if exchange.facts)
    return " · ".join(filter(None, (exchanges_text(len(chat.transcript)), context and f"context {context}", money_text(cost))))


def _label(job: Job) -> str:
    return "waiting" if job.reply.state == "waiting" else "running"


def _short(path: Path) -> str:
    """Return a path without the name of whose home it lies in."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _needless(backend: str) -> str:
    return "offline, none needed" if backend == "offline" else "none needed" if backend.startswith("replay") else ""


def _key_text(session: Session) -> str:
    """Say whether there is a key for the model that is asked."""
    client = session.client
    service = client.settings.service(split_model(client.settings.model)[0])
    return "set" if service.key else f"none → {key_command(service)}" if service.needs_key else "none needed"
