"""What can be said of tables, pictures and files without a model: columns, pixels, pages, seconds. The same for the same."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from nbgemini.messages.media import media_kind, size_text
from nbgemini.offline.canned_answers import Run
from nbgemini.offline.table_answers import answer_about, describe, tables_in, without_tables

Head: TypeAlias = Callable[[str], tuple[bytes, int]]

_SIGNED = "\n\n*From nbgemini's offline service, not from Gemini: it measures, and understands nothing.*"
_SOF = {0xC0, 0xC1, 0xC2, 0xC3}


def report(content: dict[str, Any], head: Head) -> list[Run]:
    """Return what there is to say of the tables and files in a content; nothing if there are none."""
    lines = [line for part in content["parts"] for line in _described(part, head)]
    if not lines:
        return []
    text = "".join(str(part.get("text", "")) for part in content["parts"])
    answers = filter(None, (answer_about(without_tables(text), table) for table in tables_in(text)))
    thought = f"**Looking**\n\nThe prompt brings {len(lines)} thing{'' if len(lines) == 1 else 's'} to look at.\n\n\n"
    answer = "\n\n".join([*answers, "This is what reached me:\n\n" + "\n".join(lines)])
    return [("thought", thought), ("answer", answer + _SIGNED)]


def _described(part: dict[str, Any], head: Head) -> Iterator[str]:
    if isinstance(inline := part.get("inlineData"), dict):
        data = _decoded(str(inline.get("data", "")))
        yield f"- {_file(str(inline.get('mimeType', '')), data, len(data))}"
    elif isinstance(file := part.get("fileData"), dict):
        data, size = head(str(file.get("fileUri", "")))
        yield f"- {_file(str(file.get('mimeType', '')), data, size)}, uploaded"
    elif isinstance(text := part.get("text"), str):
        yield from map(describe, tables_in(text))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/") + "===")
    except (binascii.Error, ValueError):
        return b""


def _file(mime: str, data: bytes, size: int) -> str:
    facts = list(_facts(mime, data)) or [size_text(size)]  # how well a picture is packed differs from machine to machine
    return ", ".join([f"**{media_kind(mime) or 'file'}** ({mime or 'of unknown type'})", *facts])


def _facts(mime: str, data: bytes) -> Iterator[str]:
    if pixels := _pixels(data):
        yield f"{pixels[0]} by {pixels[1]} pixels"
    if mime == "application/pdf" and (pages := len(re.findall(rb"/Type\s*/Page(?![a-zA-Z])", data))):
        yield f"{pages} page{'' if pages == 1 else 's'}"
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE" and (rate := int.from_bytes(data[28:32], "little")):
        yield f"{int.from_bytes(data[40:44], 'little') / rate:.1f} s"


def _pixels(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\x89PNG") and data[12:16] == b"IHDR":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return _jpeg_pixels(data) if data.startswith(b"\xff\xd8") else None


def _jpeg_pixels(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:  # noqa: PLR2004 - begins every marker
        if data[at + 1] in _SOF:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
