"""Files as blocks of Anthropic's: pictures, PDF and text; it takes nothing else.

Source: platform.claude.com, the pages on vision and PDF support; the block types of anthropic 2.12.
"""

from __future__ import annotations

from typing import Any

from nbgemini.errors import PromptError
from nbgemini.providers.saying import as_text, kind_of, missed
from nbgemini.turns import Part

_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_TAKEN = "Anthropic takes text, PDF, JPEG, PNG, GIF and WebP"
_AT_GOOGLE = ("https://generativelanguage.googleapis.com/", "gs://")


def file_block(part: Part, *, last: bool) -> dict[str, Any]:
    """Return the block that shows a file, or of an earlier prompt the words that something was attached.

    Raises:
        PromptError: the service can't read a file of the last prompt.
    """
    block = _block(part)
    if block is None and last:
        raise PromptError(_refusal(part))
    return block or _words(part)


def shown(part: Part) -> dict[str, Any]:
    """Return what a tool attached to its answer, or that there was something."""
    return _block(part) or _words(part)


def _words(part: Part) -> dict[str, Any]:
    return {"type": "text", "text": missed(part)}


def _refusal(part: Part) -> str:
    address = str((part.get("fileData") or {}).get("fileUri") or "")
    if address.startswith(_AT_GOOGLE):
        return "Anthropic can't read a file that was uploaded to Google; attach it again"
    return f"{_TAKEN}, not {kind_of(part)}{' by its address' if address else ''}"


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case {"inlineData": {"mimeType": str(mime), "data": str(data)}}:
            return _inline(mime, data)
        case {"fileData": {"fileUri": str(address), "mimeType": str(mime)}} if address.startswith("https://"):
            return None if address.startswith(_AT_GOOGLE) else _seen(mime, {"type": "url", "url": address})
    return None


def _inline(mime: str, data: str) -> dict[str, Any] | None:
    if seen := _seen(mime, {"type": "base64", "media_type": mime, "data": data}):
        return seen
    text = as_text(mime, data)
    source = {"type": "text", "media_type": "text/plain", "data": text or " "}
    return None if text is None else {"type": "document", "source": source}


def _seen(mime: str, source: dict[str, Any]) -> dict[str, Any] | None:
    kind = "image" if mime in _PICTURES else "document" if mime == _PDF else ""
    return {"type": kind, "source": source} if kind else None
