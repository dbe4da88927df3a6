"""Files as blocks of Anthropic's: pictures, PDF and text; it takes nothing else.

Source: platform.claude.com, the pages on vision and PDF support; the block types of anthropic 2.12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.providers.saying import as_text

_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_TAKEN = "Anthropic takes text, PDF, JPEG, PNG, GIF and WebP"
_GOOGLE = ("https://generativelanguage.googleapis.com/", "gs://")


def file_block(mime: str, data: str) -> dict[str, Any]:
    """Return the block that holds a file, given in base64.

    Raises:
        PromptError: the service does not take files of this kind.
    """
    block = _block(mime, data)
    if block is None:
        raise PromptError(f"{_TAKEN}, not {mime}")
    return block


def address_block(mime: str, address: str) -> dict[str, Any]:
    """Return the block that names a file by its address.

    Raises:
        PromptError: the service can't read it there.
    """
    if address.startswith(_GOOGLE) or not address.startswith("https://"):
        raise PromptError(f"Anthropic can't read a file at {address[:80]}; attach it again")
    source = {"type": "url", "url": address}
    if mime in _PICTURES:
        return {"type": "image", "source": source}
    if mime != _PDF:
        raise PromptError(f"{_TAKEN}, and by an address no text; not {mime or 'a file of unknown kind'}")
    return {"type": "document", "source": source}


def shown(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tool attached to its answer, or what it was if the service does not take it."""
    mime = str(data.get("mimeType") or "")
    return _block(mime, str(data.get("data") or "")) or {"type": "text", "text": f"(A file of type {mime} that you can't see.)"}


def _block(mime: str, data: str) -> dict[str, Any] | None:
    source = {"type": "base64", "media_type": mime, "data": data}
    if mime in _PICTURES:
        return {"type": "image", "source": source}
    if mime == _PDF:
        return {"type": "document", "source": source}
    if (text := as_text(mime, data)) is None:
        return None
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text or " "}}
