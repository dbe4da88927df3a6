"""%gemini chats, show, load, reset, fork, drop, stop and retry: conversations and what runs in them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from nbgemini.errors import PromptError
from nbgemini.messages.transcript import Exchange
from nbgemini.notebook.commands._args import day_text, exchanges_text, named_chat, no_more, only_name, saved_chats, words_of
from nbgemini.notebook.commands._output import show_line, show_table
from nbgemini.notebook.commands.export import is_file, load_file
from nbgemini.notebook.commands.status import context_of, learn_windows, model_of
from nbgemini.notebook.magics.parsing import Ask, nearest

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session


async def chats(session: Session, rest: str) -> None:
    """List the chats: exchanges, model, and how full the model's window is."""
    no_more(rest)
    await learn_windows(session)
    running = {job.chat.name for job in session.jobs.running}
    rows = [
        (
            chat.name,
            str(len(chat.transcript)),
            model_of(chat),
            context_of(session, chat),
            "running" if chat.name in running else "",
        )
        for chat in session.client.chats.values()
    ]
    rows += [
        (name, str(count), "", "", f"saved {day_text(at)}; %gemini load {name}") for name, count, at in saved_chats(session)
    ]
    show_table(("chat", "exchanges", "model", "context", ""), rows or [("none yet", "", "", "", "")])


def show(session: Session, rest: str) -> None:
    """Show a whole chat again from its transcript, or as a former kernel of this notebook left it."""
    from nbgemini.notebook.display.history import recall  # noqa: PLC0415

    chat = named_chat(session, rest, also=[name for name, *_ in saved_chats(session)])
    if len(chat.transcript):
        recall(chat, chat.transcript)
        return
    saved = session.journal.exchanges(chat.name) if session.journal else []
    if saved:
        show_line(f"{chat.name}, as a former kernel left it; %gemini load {chat.name} continues it")
        recall(chat, saved)
    else:
        show_line(f"{chat.name}: nothing asked yet")


def load(session: Session, rest: str) -> None:
    """Continue a chat that a former kernel of this notebook left, or that was exported to FILE.json; `load A B` calls it B."""
    words = words_of(rest)
    if words and is_file(words[0]):
        load_file(session, words)
        return
    name = only_name(words[:1]) or session.config.chat
    saved = session.journal.exchanges(name) if session.journal else []
    if not saved or session.journal is None:
        known = [row[0] for row in saved_chats(session)]
        raise PromptError(f"no former kernel left a chat {name!r}{nearest(name, known)}; %gemini chats lists what there is")
    called: str = only_name(words[1:]) or name
    chat = session.client.chat(called)
    if len(chat.transcript):
        count = exchanges_text(len(chat.transcript))
        raise PromptError(f"{chat.name} has {count} already; %gemini load {name} NAME loads the saved ones as another chat")
    chat.transcript.exchanges[:] = saved
    session.journal.adopt(called, saved, former=name)
    show_line(f"{chat.name}: {exchanges_text(len(saved))} loaded; the next prompt continues them")


def reset(session: Session, rest: str) -> None:
    """Forget a chat, for good: what former kernels saved of it too; its streams are stopped first."""
    saved = {name: count for name, count, _ in saved_chats(session)}
    chat = named_chat(session, rest, also=[*saved])
    session.jobs.stop(chat.name)
    count = len(chat.transcript) or saved.get(chat.name, 0)
    chat.transcript.clear()
    if session.journal:
        session.journal.forget(chat.name)
    show_line(f"{chat.name}: {exchanges_text(count)} forgotten")


def fork(session: Session, rest: str) -> None:
    """Branch a chat: `fork A B` begins B with all that was said in A."""
    words = words_of(rest)
    if len(words) != 2:  # noqa: PLR2004 - from and to
        raise PromptError("%gemini fork takes two names: the chat to branch, and the new one's")
    chat, name = named_chat(session, shlex.quote(words[0])), words[1]
    if name in session.client.chats and len(session.client.chats[name].transcript):
        raise PromptError(f"there is a chat {name!r} already; %gemini reset {name} forgets it")
    branch = session.client.chat(name)
    branch.options, branch.toolbox = chat.options, chat.toolbox
    branch.transcript.exchanges[:] = [exchange for exchange in chat.transcript if exchange.state not in ("running", "waiting")]
    if session.journal:
        session.journal.replace(name, branch.transcript.exchanges)
    show_line(f"{name}: {exchanges_text(len(branch.transcript))} of {chat.name}; -c {name} continues there")


def drop(session: Session, rest: str) -> None:
    """Forget the last exchange of a chat."""
    chat = named_chat(session, rest)
    if not len(chat.transcript):
        raise PromptError(f"{chat.name} has no exchange to drop")
    last = chat.transcript.exchanges[-1]
    if last.state in ("running", "waiting"):
        raise PromptError(f"{chat.name} is still answering; %gemini stop {chat.name} first")
    chat.transcript.exchanges.pop()
    if session.journal:
        session.journal.replace(chat.name, chat.transcript.exchanges)
    show_line(f"{chat.name}: the last exchange is forgotten, {exchanges_text(len(chat.transcript))} left")


def stop(session: Session, rest: str) -> None:
    """Stop the streams of a chat (default: the current one), or of all; what arrived is kept."""
    words = words_of(rest)
    if words == ["--all"]:
        show_line(_stopped(len(session.jobs.stop())))
        return
    name: str | None = only_name(words) or session.config.chat
    running = [job.chat.name for job in session.jobs.running]
    if name not in running and not words and running:
        name = running[-1]  # nothing of the current chat runs, but something does
    show_line(_stopped(len(session.jobs.stop(name)) if name or running else 0))


def _stopped(count: int) -> str:
    return "nothing is running" if not count else f"stopped {count} stream{'' if count == 1 else 's'}; what arrived is kept"


def last_asked(session: Session, rest: str) -> tuple[Ask, Exchange]:
    """Return what `%gemini retry [CHAT]` asks again.

    Raises:
        PromptError: nothing was asked, or it is still being answered.
    """
    chat = named_chat(session, rest)
    if not len(chat.transcript):
        raise PromptError(f"{chat.name} has no prompt to ask again")
    last: Exchange = chat.transcript.exchanges[-1]
    if last.state in ("running", "waiting"):
        raise PromptError(f"{chat.name} is still answering; %gemini stop {chat.name} first")
    return Ask(chat=chat.name, changes={"fresh": True}), last
