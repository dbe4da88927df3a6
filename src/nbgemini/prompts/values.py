"""A Python value as the model gets it: text for what can be said, pictures and media as parts, in place.

Invariants: every value is bounded, and what was left out is said where it was; what says nothing is refused; nothing is
imported to look at a value.
"""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from pathlib import Path
from types import ModuleType
from typing import Any

from nbgemini._async.handle import StreamHandle
from nbgemini._storage import user_path
from nbgemini.errors import PromptError
from nbgemini.messages.attachments import data_part, file_part, note
from nbgemini.messages.events import InlineMedia
from nbgemini.messages.media import HEAD, TEXT, mime_of, size_text
from nbgemini.messages.turns import NOTE, Part, Turn, merge_text
from nbgemini.prompts import leave_out
from nbgemini.prompts.file_text import decode_text, fence, is_table_file, notebook_text, table_file_text
from nbgemini.prompts.images import picture_of, takes_time
from nbgemini.prompts.jsonable import converted, cut, record_of, to_builtins
from nbgemini.prompts.object_text import array_text, describe_object, markdown_table, shown_text, source_of
from nbgemini.prompts.placeholders import Placeholder

NOTEBOOK_BYTES = 64 * 1024 * 1024  # of a notebook's file, most of which are its pictures
TEXT_CHARACTERS = 4_000_000  # about what a window of a million tokens holds
OTHER_CHARACTERS = 20_000  # of what a value without a form of its own says
_LINE = 100
_FEW = 20


def value_to_parts(value: Any, name: str) -> list[Part] | None:
    """Return what a value says to a model; None if it says nothing and its braces stay as typed.

    Raises:
        PromptError: it is of no kind that can be sent, or can't be read.
    """
    try:
        return _render(value, name)
    except PromptError:
        raise
    except Exception as error:  # noqa: BLE001 - any object may come, and its methods may do anything
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise PromptError(f"{name} can't be sent as text or image, {why}; nothing was sent") from None


def _render(value: Any, name: str) -> list[Part] | None:
    if isinstance(value, str | Path) or _is_reply(value):
        return _text_parts(value, name)
    if isinstance(value, ModuleType | type) or inspect.isroutine(value):
        return _source_parts(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return [_from_bytes(bytes(value), name)]
    if (table := markdown_table(value)) is not None:
        return [text_part(table)]
    is_formula = callable(getattr(type(value), "_repr_latex_", None)) and not isinstance(value, InlineMedia)
    if not is_formula and (picture := picture_of(value)):  # a formula is better read than seen
        return [data_part(picture[1], picture[0], name)]
    return _plain(value, name)


def is_slow(value: Any) -> bool:
    """Whether a value is read, or drawn, better beside the loop."""
    return isinstance(value, Path) or takes_time(value)


def render_piece(piece: str | Placeholder) -> list[Part]:
    """Return what stands in the place of a piece of a prompt; a field that says nothing stays as typed.

    Raises:
        PromptError: the value can't be sent.
    """
    if isinstance(piece, str):
        return [{"text": piece}]
    said = value_to_parts(piece.value, piece.name)
    return [{"text": piece.typed}] if said is None else said


def turn_of(parts: Iterable[Part]) -> Turn:
    """Return the user's turn of these parts; lone surrogates, which UTF-8 can't carry, become question marks."""
    clean = [{**part, "text": part["text"].encode("utf-8", "replace").decode()} if "text" in part else part for part in parts]
    return Turn("user", merge_text(part for part in clean if part.get("text") != ""))


def text_part(words: str, most: int = TEXT_CHARACTERS) -> Part:
    """Return a part that says `words`, or as many characters of them."""
    if len(words) > most:
        leave_out(f"{most:,} of {len(words):,} characters sent")
    return {"text": cut(words, most)}


def set_apart(pieces: Sequence[str | Placeholder], rendered: Sequence[Sequence[Part]]) -> list[Part]:
    """Return the parts of all pieces in order, blank lines around a table, code or a file that stands inside a sentence."""
    parts: list[Part] = []
    follows_block = False
    for piece, some in zip(pieces, rendered, strict=True):
        if piece == "":
            continue
        block = _is_block(piece, some)
        before, after = parts[-1].get("text", "\n") if parts else "\n", some[0].get("text", "\n")
        apart = before.endswith("\n") or after.startswith("\n")
        if (block or follows_block) and not apart:
            parts.append({"text": "\n\n"})
        parts += some
        follows_block = block
    return parts


def describe_left_out(name: str, value: Any, notes: Sequence[str]) -> str:
    """Return in one line what is sent of a value that is too large, and how to send more."""
    if any("→" in line for line in notes):
        return f"{name}: {notes[0]}"
    to_csv = next((method for method in ("to_csv", "write_csv") if callable(getattr(value, method, None))), None)
    more = f"text = {name}.{to_csv}(), and {{text}} is all of it" if to_csv else "name a text made of it to send more"
    return f"{name}: {'; '.join(notes)} → {more}"


def _is_block(piece: str | Placeholder, parts: Sequence[Part]) -> bool:
    """Whether a value takes lines of its own; the text of a string stands where it is put."""
    verbatim = isinstance(piece, str) or isinstance(piece.value, str) or _is_reply(piece.value)
    return not verbatim and any("\n" in part.get("text", "") for part in parts)


def file_parts(path: Path) -> list[Part]:
    """Return a file: text inline, under its name, anything else as a part, or raise PromptError: it can't be read or sent."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        mime = mime_of(head, path.name)
        if is_table_file(path) and mime != TEXT:
            words = table_file_text(path)
            return [_file_text_part(f"{path.name}:\n{words}\n", path, "table")]
        if head and mime not in ("", TEXT):
            return [file_part(path)]
        return [_text_part(path)]
    except OSError as error:
        raise PromptError(f"{path} can't be read: {error.strerror or error}; nothing was sent") from None


def _text_part(path: Path) -> Part:
    """Return a file of text, or one of no kind that is known, which may be text in another encoding than UTF-8."""
    size, is_notebook = path.stat().st_size, path.suffix.lower() == ".ipynb"
    if size > (NOTEBOOK_BYTES if is_notebook else TEXT_CHARACTERS):  # it may be larger than the memory
        with path.open("rb") as file:
            if decode_text(file.read(HEAD)) is None:
                return file_part(path)
        raise PromptError(
            f"{path.name} is too long for a prompt, {size_text(size)} of text: attach some of it; nothing was sent"
        )

    data = path.read_bytes()
    found = decode_text(data)
    if found is None:
        if b"\0" in data[:TEXT_CHARACTERS] or mime_of(data[:HEAD], path.name) not in ("", TEXT):
            return file_part(path)
        raise PromptError(
            f"{path.name} is text in an encoding other than UTF-8, or no text → text = Path({path.name!r}).read_text('…') with"
            " its encoding in a cell, and attach text; nothing was sent"
        )
    words, encoding = found
    if is_notebook and (cells := notebook_text(words)) is not None:
        return _file_text_part(f"{path.name}:\n{cut(cells, TEXT_CHARACTERS)}\n", path, "notebook")
    read_as = f"read as {encoding}" if encoding else ""
    title = f"{path.name} ({read_as})" if read_as else path.name
    shown = f"{title}:\n{fence(words, path.suffix.removeprefix('.'))}"
    return _file_text_part(shown, path, f"text, {read_as}" if read_as else "text")


def _file_text_part(words: str, path: Path, kind: str) -> Part:
    return {"text": words, NOTE: note(path.name, kind, path.stat().st_size)}


def _is_reply(value: Any) -> bool:
    """Tell a reply, whose text is meant, from other things that run."""
    return isinstance(value, StreamHandle) and hasattr(type(value), "text")


def _text_parts(value: Any, name: str) -> list[Part]:
    if isinstance(value, Path):
        path = user_path(value)
        if path.is_file():
            return file_parts(path)
        why = "it is a folder → name a file in it" if path.is_dir() else "there is no such file → check the path"
        leave_out(f"only the path sent, as {why}")
        return [text_part(str(value))]
    if isinstance(value, str):
        return [text_part(value)]
    if not value.text:
        raise PromptError(f"the reply {name!r} has no text ({value.state}); nothing was sent")
    return [text_part(value.text)]


def _source_parts(value: Any) -> list[Part] | None:
    """Return how a function or class of Python is written; None if nobody knows."""
    source = None if isinstance(value, ModuleType) else source_of(value)
    if source is None:
        leave_out("it stays as typed, as its source is not known → put what you mean into a text")
    return None if source is None else [text_part(cut(source, OTHER_CHARACTERS))]


def _from_bytes(data: bytes, name: str) -> Part:
    mime = mime_of(data[:HEAD])
    if not data:
        return text_part("")
    found = decode_text(data) if mime in ("", TEXT) else None
    if found is None:
        return data_part(data, mime if mime != TEXT else "", name)  # which refuses what is of no kind
    return text_part(found[0] + (f"\n({name} was read as {found[1]})" if found[1] else ""))


def _plain(value: Any, name: str) -> list[Part]:
    if (numbers := array_text(value)) is not None:
        return [text_part(numbers, OTHER_CHARACTERS)]
    if type(value) in (tuple, set, frozenset) and len(value) < _FEW and len(words := str(value)) <= _LINE:
        return [text_part(words)]  # `df.shape` as Python has it: JSON knows no such kinds
    inner = to_builtins(value)[0]
    if inner is not value and record_of(value) is not None and "<table" in (shown := shown_text(value) or ""):
        return [text_part(shown, OTHER_CHARACTERS)]  # a table that is made up of fields
    if not isinstance(inner, Mapping | AbstractSet | Sequence) or isinstance(inner, str | range):
        return [text_part(_describe_object(value, name), OTHER_CHARACTERS)]
    response, media = converted(value)
    remark = f"\n({response['note']})" if "note" in response else ""
    if remark:
        leave_out(str(response["note"]))
    pictures = [data_part(base64.b64decode(item.data), item.mime, f"picture {number}") for number, item in enumerate(media, 1)]
    line = json.dumps(response["output"], ensure_ascii=False)
    said = line if len(line) <= _LINE else json.dumps(response["output"], ensure_ascii=False, indent=1)
    return [text_part(said + remark), *pictures]


def _describe_object(value: Any, name: str) -> str:
    try:
        words = describe_object(value)
    except Exception as error:  # noqa: BLE001 - any object may come
        return f"a value of type {type(value).__name__}, which can't be shown: {type(error).__name__}"
    if words is None:
        raise PromptError(
            f"{name} is of type {type(value).__name__}, which has no readable text → name an attribute of it, or"
            " give text, a list, a table or a picture made of it; nothing was sent"
        )
    return words
