"""`%gemini export`, and `load` of what it wrote: a chat as a file."""

from __future__ import annotations

import os
import shlex
import stat
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nbgemini._storage import write_atomically
from nbgemini.errors import PromptError
from nbgemini.notebook.commands._args import exchanges_text, named_chat, split_words, usage_error
from nbgemini.notebook.commands._output import show_line

if TYPE_CHECKING:
    from nbgemini.chat.chat import Chat
    from nbgemini.notebook.session import Session
    from nbgemini.render.export import Said

_KINDS = ".md, .ipynb or .json"
_LOADED = ".json"


def export(session: Session, rest: str) -> None:
    """Write a chat to a .md, .ipynb or .json file; `load` reads .json again."""
    path, name, flags = _parse(split_words(rest))
    chat = named_chat(session, shlex.quote(name) if name else "")
    exported = _exported(chat)
    if not exported.entries:
        raise PromptError(f"{chat.name} has no answer to export yet")
    files = _files(exported, path, thoughts="--thoughts" in flags)
    _check_overwrite(list(files), force="--force" in flags)
    _write(files)
    left = len(chat.transcript) - len(exported.entries)
    rest_text = f"; {exchanges_text(left)} still answering, not in it" if left else ""
    pictures = f", its pictures ({len(files) - 1}) to {path.stem}_files" if len(files) > 1 else ""
    show_line(f"{chat.name}: {exchanges_text(len(exported.entries))} written to {path}{pictures}{rest_text}")


def is_file(word: str) -> bool:
    """Whether a word names an exported file, and not a chat."""
    return word.endswith(_LOADED)


def load_file(session: Session, words: list[str]) -> None:
    """Continue a chat that was exported; `load FILE NAME` calls it NAME.

    Raises:
        PromptError: the file can't be read or is another program's, or there is such a chat already.
    """
    from nbgemini.render.export import loaded  # noqa: PLC0415 - at the first use

    if len(words) > 2:  # noqa: PLR2004 - file and name
        raise usage_error("load", f"unexpected {' '.join(words[2:])!r}")
    path = Path(words[0]).expanduser()
    name, system, exchanges = loaded(_read(path), path.name)
    chat = session.client.chat(words[1] if len(words) > 1 else name)
    if len(chat.transcript):
        raise PromptError(f"{chat.name} has exchanges already; %gemini load {words[0]} NEW_NAME loads these as another chat")
    if system:
        session.client.chat(chat.name or name, system=system)
    chat.transcript.exchanges[:] = exchanges
    if session.journal:
        session.journal.replace(chat.name or name, exchanges)
    show_line(f"{chat.name}: {exchanges_text(len(exchanges))} loaded; the next prompt continues the chat")
    if system:
        show_line(f"its system instruction, sent with each prompt: {system}")


def _read(path: Path) -> bytes:
    """Return the content of a regular file: a pipe might never end, and a device holds no chat.

    Raises:
        PromptError: it is not a regular file, or can't be read.
    """
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise PromptError(f"can't read {path}: it is not a regular file")
            return file.read()
    except OSError as error:
        raise PromptError(f"can't read {path}: {error.strerror}") from None


def _parse(words: list[str]) -> tuple[Path, str | None, set[str]]:
    flags = {word for word in words if word.startswith("--")}
    names = [word for word in words if not word.startswith("--")]
    if flags - {"--thoughts", "--force"} or len(names) not in (1, 2):
        raise usage_error("export")
    path = Path(names[0]).expanduser()
    if path.suffix not in (".md", ".ipynb", ".json"):
        raise PromptError(f"the file name must end with {_KINDS}, not {path.name!r}")
    return path, names[1] if len(names) > 1 else None, flags


def _exported(chat: Chat) -> Said:
    from nbgemini.render.export import Entry, Said  # noqa: PLC0415

    over = [exchange for exchange in chat.transcript if exchange.state not in ("running", "waiting")]
    entries = [Entry(exchange, chat.segments(exchange)) for exchange in over]
    at = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    model = next((entry.exchange.facts.model for entry in reversed(entries) if entry.exchange.facts), chat.options.model)
    return Said(chat.name or "", model, chat.options.system, at, entries)


def _files(exported: Said, path: Path, *, thoughts: bool) -> dict[Path, bytes]:
    """Return the content of each file to write."""
    from nbgemini.render.export import to_json, to_markdown, to_notebook  # noqa: PLC0415

    if path.suffix == ".md":
        folder = path.with_name(f"{path.stem}_files")
        text, pictures = to_markdown(exported, folder.name, thoughts=thoughts)
        return {path: text.encode(), **{folder / name: content for name, content in pictures.items()}}
    return {path: (to_notebook(exported) if path.suffix == ".ipynb" else to_json(exported)).encode()}


def _check_overwrite(paths: list[Path], *, force: bool) -> None:
    existing = next((path for path in paths if path.exists() or path.is_symlink()), None)
    if existing and not force:
        raise PromptError(f"{existing} exists already; --force overwrites it")


def _write(files: dict[Path, bytes]) -> None:
    """Write the files, the chat's own last, after the pictures that it refers to."""
    try:
        for path, content in reversed(files.items()):
            if path.parent.name.endswith("_files"):
                path.parent.mkdir(exist_ok=True, mode=0o700)
            write_atomically(path, content)
    except OSError as error:
        raise PromptError(f"can't write {error.filename}: {error.strerror}") from None
