"""Parts in words, for providers that have no better way to take them: what a model said, files of text and of no use."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from nbgemini.messages.turns import Part
from nbgemini.providers.common.parts import is_thinking

_TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/javascript", "application/x-python")


def part_as_text(part: Part) -> str:
    """Return what a part of the model's says, in words; nothing for thoughts and what has none."""
    match part:
        case _ if is_thinking(part):
            return ""
        case {"text": str(text)}:
            return text
        case {"inlineData": {"mimeType": str(mime)}}:
            return "(Sound.)" if mime.startswith("audio/") else "(A picture.)"
        case {"executableCode": {"code": str(code), **rest}}:
            return f"\n```{str(rest.get('language') or '').lower()}\n{code}\n```\n"
        case {"codeExecutionResult": {"output": str(output)}}:
            return f"\n```\n{output}\n```\n"
    return ""


def as_text(mime: str, data: str) -> str | None:
    """Return a file of text as text; None for all others."""
    if not mime.startswith(_TEXTS):
        return None
    try:
        return base64.b64decode(data).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def is_file(part: Part) -> bool:
    """Whether a part is a file, or says where one is."""
    return isinstance(part.get("inlineData") or part.get("fileData"), Mapping)


def kind_of(part: Part) -> str:
    """Return the kind of a file, in words where it has none."""
    return str((part.get("inlineData") or part["fileData"]).get("mimeType") or "file of an unknown kind")


def placeholder_text(part: Part) -> str:
    """Return words for a file that the model can't be shown."""
    return f"(attached: {kind_of(part)}, which this model can't take)"
