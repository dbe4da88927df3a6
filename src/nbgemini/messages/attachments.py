"""What is attached to a prompt, as a part: small things inside it, large ones by the hash of their content.

Invariants: a large thing's part names `sha256:…` until its request goes out, so that a transcript outlives the 48 hours that
the service keeps a file; what concerns its reader (name, size, path) stands in the part's note and is never sent.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError
from nbgemini.messages.media import TAKEN, is_supported, media_kind, mime_of, size_text, suggest_conversion
from nbgemini.messages.turns import NOTE, Part, Turn

INLINE_BYTES = 6 * 1024 * 1024  # of one thing; what is larger is uploaded once instead of sent with every turn
LARGEST_BYTES = 2 * 1000**3  # of one file that the service keeps
SCHEME = "sha256:"
_BLOCK = 1024 * 1024


class Attachment(Struct, frozen=True):
    """One thing to upload: in memory, or a file that must not change meanwhile."""

    digest: str
    name: str
    mime: str
    size: int
    data: bytes | None = None
    path: str = ""
    changed: int = 0

    def read(self, start: int, count: int) -> bytes:
        """Return some of it (PromptError: the file has changed or gone since it was attached)."""
        if self.data is not None:
            return self.data[start : start + count]
        try:
            with Path(self.path).open("rb") as file:
                if _stamp(file.fileno()) != (self.size, self.changed):
                    raise PromptError(f"{self.name} has changed since it was attached; run the cell again")
                file.seek(start)
                return file.read(count)
        except OSError as error:
            raise PromptError(f"{self.name} can't be read any more: {error.strerror}; run the cell again") from None


_held: dict[str, Attachment] = {}  # of the process: named by their content, they mean the same for everyone


def data_part(data: bytes, mime: str, name: str) -> Part:
    """Return the part for some bytes (PromptError: the service doesn't take their kind, or so many)."""
    _check(len(data), mime, name)
    if len(data) > INLINE_BYTES:
        return _keep_content(Attachment(hashlib.sha256(data).hexdigest(), name, mime, len(data), data))
    inline = {"mimeType": mime, "data": base64.b64encode(data).decode()}
    return {"inlineData": inline, NOTE: note(name, media_kind(mime), len(data))}


def file_part(path: Path, mime: str = "") -> Part:
    """Return the part for a file that is not text; reads all of it.

    Raises:
        PromptError: the service doesn't take its kind or size.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        size, changed = _stamp(file.fileno())
        mime = mime or mime_of(file.read(64), path.name)
        _check(size, mime, path.name)
        file.seek(0)
        if size <= INLINE_BYTES:
            return data_part(file.read(), mime, path.name)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _keep_content(Attachment(digest, path.name, mime, size, None, str(path.resolve()), changed))


def note(name: str, kind: str, size: int, **more: Any) -> dict[str, Any]:
    """Return what a part's reader is told of it."""
    return {"name": name, "kind": kind, "size": size, **more}


def hidden_text(text: str, told: str = "") -> Part:
    """Return text for the model alone, which its reader sees as `told`."""
    return {"text": text, NOTE: {"told": told}}


def describe_part(part: Part) -> str:
    """Return what a reader is told of a part that is not just text: name, kind and size; empty for mere text."""
    about = part.get(NOTE)
    if isinstance(about, Mapping) and "kind" in about:
        return " · ".join(filter(None, (str(about.get("name", "")), str(about["kind"]), size_text(int(about.get("size", 0))))))
    inline, file = part.get("inlineData"), part.get("fileData")
    if isinstance(inline, Mapping):
        return f"{media_kind(str(inline.get('mimeType', '')))} · {size_text(len(str(inline.get('data', ''))) * 3 // 4)}"
    return f"file · {file.get('mimeType', '')}" if isinstance(file, Mapping) else ""


def display_text(turn: Turn) -> str:
    """Return what was asked as its reader wrote it: what is attached is named, with kind and size, and not shown."""
    texts: list[str] = []
    for part in turn.parts:
        match part.get(NOTE):
            case {"told": told}:
                texts.append(str(told))
            case _:
                texts.append(f"[📎 {what}]" if (what := describe_part(part)) else str(part.get("text", "")))
    return "".join(texts)


def content_hash(part: Part) -> str:
    """Return the hash that a part names; empty if it names none."""
    uri = str((part.get("fileData") or {}).get("fileUri") or "")
    return uri.removeprefix(SCHEME) if uri.startswith(SCHEME) else ""


def attachment_of(part: Part) -> Attachment | None:
    """Return the thing that a part names, if it is still at hand: a file may come back after a restart."""
    digest = content_hash(part)
    if digest not in _held and isinstance(about := part.get(NOTE), Mapping) and about.get("path"):
        path = Path(str(about["path"]))
        if not path.is_file():  # nothing that would have to be waited for
            return None
        try:
            again = file_part(path, str(part["fileData"]["mimeType"]))
        except (OSError, PromptError):
            return None
        return _held.get(digest) if content_hash(again) == digest else None
    return _held.get(digest)


def inline_attachment(part: Part) -> Attachment:
    """Return the thing that stands inside a part, for upload."""
    inline, about = part["inlineData"], part.get(NOTE)
    data = base64.b64decode(inline["data"])
    name = str(about.get("name", "")) if isinstance(about, Mapping) else ""
    return Attachment(hashlib.sha256(data).hexdigest(), name or "picture", str(inline["mimeType"]), len(data), data)


def _keep_content(held: Attachment) -> Part:
    _held[held.digest] = held
    about = note(held.name, media_kind(held.mime), held.size, **({"path": held.path} if held.path else {}))
    return {"fileData": {"mimeType": held.mime, "fileUri": SCHEME + held.digest}, NOTE: about}


def _check(size: int, mime: str, name: str) -> None:
    if not is_supported(mime):
        kind = f" ({mime})" if mime else ""
        hint = f"{TAKEN}{suggest_conversion(name)}"
        raise PromptError(f"{name}{kind} can't be sent: {hint}; nothing was sent")
    if size > LARGEST_BYTES:
        raise PromptError(f"{name} is too large, {size_text(size)}: the service keeps files of up to 2 GB; nothing was sent")
    if not size:
        raise PromptError(f"{name} is empty; nothing was sent")


def _stamp(file: int) -> tuple[int, int]:
    status = os.fstat(file)
    return status.st_size, status.st_mtime_ns
