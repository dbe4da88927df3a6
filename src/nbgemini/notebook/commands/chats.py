"""Chats, and the streams in them: `%gemini chats`, `show`, `load`, `export`, `reset`, `fork`, `drop`, `stop` and `retry`."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbgemini._storage import user_path, write_atomically
from nbgemini.errors import PromptError, nearest
from nbgemini.formatting import plural
from nbgemini.messages.attachments import display_text
from nbgemini.messages.transcript import Exchange
from nbgemini.notebook.commands.common import (
    named_chat,
    no_arguments,
    optional_name,
    saved_chats,
    show_line,
    show_table,
    split_words,
    time_text,
    usage_error,
)
from nbgemini.notebook.commands.status import chat_window_text, learn_windows, model_of
from nbgemini.notebook.options import PromptArgs

if TYPE_CHECKING:
    from nbgemini.chat.chat import Chat
    from nbgemini.notebook.session import Session
    from nbgemini.render.export import ExportedChat


_EXPORT_FLAGS = {"--thoughts", "--force"}


async def chats(session: Session, rest: str) -> None:
    """List the chats: exchanges, model, and how full the model's context window is."""
    no_arguments("chats", rest)
    await learn_windows(session)
    running = {job.chat for job in session.jobs.running}
    rows = [
        (
            str(chat.name),
            str(len(chat.transcript)),
            model_of(chat),
            chat_window_text(session, chat),
            "running" if chat.name in running else "",
        )
        for chat in session.client.chats.values()
    ]
    rows += [
        (name, str(count), "", "", f"earlier session, {time_text(at)} → %gemini load {shlex.quote(name)}")
        for name, count, at in saved_chats(session)
    ]
    show_table(("chat", "exchanges", "model", "context", ""), rows or [("none yet", "", "", "", "")])


def show(session: Session, rest: str) -> None:
    """Show a whole chat again from its transcript, or as an earlier session of this notebook left it."""
    chat = named_chat(session, rest, also=[name for name, *_ in saved_chats(session)])
    if len(chat.transcript):
        _show_exchanges(chat, chat.transcript)
        return
    saved = session.journal.exchanges(chat.name) if session.journal else []
    if saved:
        show_line(f"{chat.name} of an earlier session; %gemini load {shlex.quote(chat.name)} continues it")
        _show_exchanges(chat, saved)
    else:
        show_line(f"{chat.name}: no exchanges yet")


def _show_exchanges(chat: Chat, exchanges: Iterable[Exchange]) -> None:
    """Display every prompt and every segment of these exchanges, in order and as they stand at rest."""
    from IPython.display import display  # noqa: PLC0415

    from nbgemini.render.mimebundle import metadata_of, prompt_bundle, recalled_bundle, status_bundle  # noqa: PLC0415

    for number, exchange in enumerate(exchanges):
        form = exchange.facts.format if exchange.facts else None
        answer = (recalled_bundle(segment, form) for segment in chat.segments(exchange))
        shown = [prompt_bundle(display_text(exchange.asked)), *answer]
        if exchange.state != "complete":
            shown.append(status_bundle(" · ".join(filter(None, (exchange.state, exchange.note)))))
        for data in shown:
            display(data, raw=True, metadata=metadata_of(chat.name, number))


def load(session: Session, rest: str) -> None:
    """Continue a chat that an earlier session of this notebook saved, or that was exported as .json, maybe under a new name."""
    words = split_words(rest)
    if words and words[0].endswith(".json"):
        _load_file(session, words)
        return
    if words and words[0].endswith((".md", ".ipynb")):
        raise PromptError(f"only a chat that was exported as .json can be loaded, not {words[0]}")
    name = optional_name(words[:1]) or session.config.chat
    saved = session.journal.exchanges(name) if session.journal else []
    if not saved or session.journal is None:
        known = [row[0] for row in saved_chats(session)]
        raise PromptError(f"no earlier session saved a chat {name!r}{nearest(name, known)}; %gemini chats lists the saved ones")
    new_name = optional_name(words[1:]) or name
    _fill(session, new_name, saved, f"%gemini load {shlex.quote(name)} NEW_NAME loads the saved ones as another chat")
    session.journal.adopt(new_name, saved, former=name)


def _load_file(session: Session, words: list[str]) -> None:
    """Continue a chat that was exported; `load FILE NAME` calls it NAME."""
    from nbgemini.render.export import loaded  # noqa: PLC0415 - at the first use

    path = user_path(words[0])
    name, system, exchanges = loaded(_read_chat_file(path), path.name)
    name = optional_name(words[1:]) or name
    _fill(session, name, exchanges, f"%gemini load {shlex.quote(words[0])} NEW_NAME loads these as another chat")
    if session.journal:
        session.journal.replace(name, exchanges)
    if system:
        session.client.chat(name, system=system)
        show_line(f"its system instruction, sent with each prompt: {system}")


def _fill(session: Session, name: str, exchanges: list[Exchange], other_way: str) -> None:
    """Give a chat that has none the exchanges that were loaded."""
    chat = session.client.chat(name)
    if len(chat.transcript):
        raise PromptError(f"{name} has {plural(len(chat.transcript), 'exchange')} already; {other_way}")
    chat.transcript.exchanges[:] = exchanges
    show_line(f"{name}: {plural(len(exchanges), 'exchange')} loaded; the next prompt continues the chat")


def _read_chat_file(path: Path) -> bytes:
    """Return the content of a regular file: a pipe might never end, and a device holds no chat."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise PromptError(f"can't read {path}: it is not a regular file")
            return file.read()
    except OSError as error:
        raise PromptError(f"can't read {path}: {error.strerror}") from None


def reset(session: Session, rest: str) -> None:
    """Forget a chat for good, its saved exchanges too; its streams are stopped first."""
    saved = {name: count for name, count, _ in saved_chats(session)}
    chat = named_chat(session, rest, also=[*saved])
    session.jobs.stop(job for job in session.jobs.running if job.chat == chat.name)
    count = len(chat.transcript) or saved.get(chat.name, 0)
    chat.transcript.clear()
    if session.journal:
        session.journal.forget(chat.name)
    show_line(f"{chat.name}: {plural(count, 'exchange')} forgotten" if count else f"{chat.name}: no exchanges yet")


def fork(session: Session, rest: str) -> None:
    """Start a new chat with all exchanges of another one: `fork A B` starts B."""
    words = split_words(rest)
    if len(words) != 2:  # noqa: PLR2004 - from and to
        raise usage_error("fork", "two names are needed")
    chat, name = named_chat(session, shlex.quote(words[0])), str(optional_name(words[1:]))
    if name in session.client.chats and len(session.client.chats[name].transcript):
        raise PromptError(f"there is a chat {name!r} already; %gemini reset {shlex.quote(name)} forgets it")
    branch = session.client.chat(name)
    branch.options, branch.toolbox = chat.options, chat.toolbox
    branch.transcript.exchanges[:] = [exchange for exchange in chat.transcript if exchange.state not in ("running", "waiting")]
    if session.journal:
        session.journal.replace(name, branch.transcript.exchanges)
    show_line(f"{name}: {plural(len(branch.transcript), 'exchange')} of {chat.name}; -c {shlex.quote(name)} continues it")


def drop(session: Session, rest: str) -> None:
    """Forget the last exchange of a chat."""
    chat, _ = _last_of(session, rest, "exchange to drop")
    chat.transcript.exchanges.pop()
    if session.journal:
        session.journal.replace(chat.name, chat.transcript.exchanges)
    show_line(f"{chat.name}: the last exchange is forgotten, {plural(len(chat.transcript), 'exchange')} left")


def _last_of(session: Session, rest: str, what: str) -> tuple[Any, Exchange]:  # a chat that has a name
    """Return a chat and its last exchange, which must be over."""
    chat = named_chat(session, rest)
    if not len(chat.transcript):
        raise PromptError(f"{chat.name} has no {what}")
    last = chat.transcript.exchanges[-1]
    if last.state in ("running", "waiting"):
        raise PromptError(f"{chat.name} is still answering; %gemini stop {shlex.quote(chat.name)} first")
    return chat, last


def export(session: Session, rest: str) -> None:
    """Write a chat to a .md, .ipynb or .json file; `load` reads .json again."""
    path, name, flags = _parse_export(split_words(rest))
    chat = named_chat(session, shlex.quote(name) if name else "")
    exported = _exported(chat)
    if not exported.entries:
        raise PromptError(f"{chat.name} has no answer to export yet")
    files = _files(exported, path, thoughts="--thoughts" in flags)
    existing = next((file for file in files if file.exists() or file.is_symlink()), None)
    if existing and "--force" not in flags:
        raise PromptError(f"{existing} exists already; --force overwrites it")
    _write(files)
    left = len(chat.transcript) - len(exported.entries)
    rest_text = f"; {plural(left, 'exchange')} still answering, not in it" if left else ""
    pictures = f", its pictures ({len(files) - 1}) to {path.stem}_files" if len(files) > 1 else ""
    show_line(f"{chat.name}: {plural(len(exported.entries), 'exchange')} written to {path}{pictures}{rest_text}")


def _parse_export(words: list[str]) -> tuple[Path, str | None, set[str]]:
    flags = {word for word in words if word.startswith("--")}
    names = [word for word in words if not word.startswith("--")]
    for flag in sorted(flags - _EXPORT_FLAGS):
        raise usage_error("export", f"unknown option {flag}{nearest(flag, _EXPORT_FLAGS)}")
    if len(names) not in (1, 2):
        raise usage_error("export", "name a file" if not names else f"unexpected {' '.join(names[2:])!r}")
    path = user_path(names[0])
    if path.suffix not in (".md", ".ipynb", ".json"):
        raise PromptError(f"the file name must end with .md, .ipynb or .json, not {path.name!r}")
    return path, names[1] if len(names) > 1 else None, flags


def _exported(chat: Chat) -> ExportedChat:
    from nbgemini.render.export import Entry, ExportedChat  # noqa: PLC0415

    over = [exchange for exchange in chat.transcript if exchange.state not in ("running", "waiting")]
    entries = [Entry(exchange, chat.segments(exchange)) for exchange in over]
    at = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    model = next((entry.exchange.facts.model for entry in reversed(entries) if entry.exchange.facts), chat.options.model)
    return ExportedChat(chat.name or "", model, chat.options.system, at, entries)


def _files(exported: ExportedChat, path: Path, *, thoughts: bool) -> dict[Path, bytes]:
    """Return the content of each file to write."""
    from nbgemini.render.export import to_json, to_markdown, to_notebook  # noqa: PLC0415

    if path.suffix == ".md":
        folder = path.with_name(f"{path.stem}_files")
        text, pictures = to_markdown(exported, folder.name, thoughts=thoughts)
        return {path: text.encode(), **{folder / name: content for name, content in pictures.items()}}
    return {path: (to_notebook(exported) if path.suffix == ".ipynb" else to_json(exported)).encode()}


def _write(files: dict[Path, bytes]) -> None:
    """Write the files, the chat's own last, after the pictures that it refers to."""
    try:
        for path, content in reversed(files.items()):
            if path.parent.name.endswith("_files"):
                path.parent.mkdir(exist_ok=True, mode=0o700)
            write_atomically(path, content)
    except OSError as error:
        raise PromptError(f"can't write {error.filename}: {error.strerror}") from None


def stop(session: Session, rest: str) -> None:
    """Stop the streams of a chat (default: the current one), or all; what arrived is kept."""
    words, running = split_words(rest), session.jobs.running
    if words != ["--all"]:
        if words and words[0].startswith("-"):
            wrong = "--all stands alone" if words[0] == "--all" else f"unknown option {words[0]}{nearest(words[0], ['--all'])}"
            raise usage_error("stop", wrong)
        name = named_chat(session, rest).name
        in_chat = [job for job in running if job.chat == name]
        if words and not in_chat:
            show_line(f"nothing is running in the chat {name}")
            return
        running = in_chat or running[-1:]  # nothing of the current chat runs, but something does
    session.jobs.stop(running)
    show_line(f"stopped {plural(len(running), 'stream')}; what arrived is kept" if running else "nothing is running")


def last_exchange(session: Session, rest: str) -> tuple[PromptArgs, Exchange]:
    """Return the last exchange of a chat, to be sent again by `%gemini retry [CHAT]`."""
    chat, last = _last_of(session, rest, "prompt to send again")
    return PromptArgs(chat=chat.name, changes={"fresh": True}), last
