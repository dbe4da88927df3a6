"""What an MCP server says, made fit for a model and its reader: names, descriptions, results."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbgemini.errors import ToolError
from nbgemini.tool_pictures import MEDIA_BYTES

if TYPE_CHECKING:
    from mcp.types import CallToolResult

DESCRIPTION = 1_024  # characters
NAME = 64
LINE = 300  # characters of an error
PICTURES = {"image/png", "image/jpeg", "image/webp"}  # that the service takes
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.:-]")


def names(wanted: Iterable[str]) -> list[str]:
    """Return names that the service takes, each once."""
    found: list[str] = []
    for want in wanted:
        plain = _FORBIDDEN.sub("_", want)
        name = plain = (plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}")[:NAME]
        number = 2
        while name in found:
            name = f"{plain[: NAME - 4]}_{number}"
            number += 1
        found.append(name)
    return found


def seen(text: str, limit: int = DESCRIPTION) -> str:
    """Return a stranger's text, shortened, without what a reader would not see and a model would."""
    short = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(sign for sign in short if sign in "\n\t" or not unicodedata.category(sign).startswith("C")).strip()


def one_line(text: str) -> str:
    """Return a stranger's error as one short line."""
    return " ".join(seen(text, LINE).split())


def shortened(schema: Any) -> Any:
    """Return the schema as it came, with descriptions that end."""
    if isinstance(schema, dict):
        return {
            key: seen(value) if key in {"description", "title"} and isinstance(value, str) else shortened(value)
            for key, value in schema.items()
        }
    return [shortened(item) for item in schema] if isinstance(schema, list) else schema


def value_of(result: CallToolResult) -> Any:
    """Return what a tool returned as Python would: data, text, pictures as bytes, or a list of these.

    Raises:
        ToolError: the tool failed, in its own words.
    """
    blocks = [_block(block) for block in result.content]
    texts = [block for block in blocks if isinstance(block, str)]
    if result.is_error:
        raise ToolError("\n".join(texts) or "the tool failed and did not say why")
    data = result.structured_content
    if data is None:
        return _single(_joined(blocks))
    kept = [block for block in blocks if isinstance(block, bytes)] if _repeats(texts, data) else _joined(blocks)
    return _single([data, *kept])


def _single(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items or ""


def _joined(blocks: Iterable[str | bytes]) -> list[str | bytes]:
    """Return the blocks with neighbouring texts as one."""
    joined: list[str | bytes] = []
    for block in blocks:
        if isinstance(block, str) and joined and isinstance(joined[-1], str):
            joined[-1] += f"\n{block}"
        else:
            joined.append(block)
    return joined


def _repeats(texts: list[str], data: Any) -> bool:
    """Whether the texts only say the data again, as servers do for clients that know no data."""
    inner = next(iter(data.values())) if isinstance(data, dict) and len(data) == 1 else data
    said = [_parsed(text) for text in texts]
    return said in (data, inner) or texts == inner or (len(said) == 1 and (said[0] in (data, inner) or texts[0] == inner))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _block(block: Any) -> str | bytes:
    """Return one block of a result: its text, its picture's bytes, or words about what can't be sent."""
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            return _bytes(block.data, block.mime_type, block.type)
        case "resource" if hasattr(block.resource, "blob"):
            return _bytes(block.resource.blob, block.resource.mime_type or "", f"resource {block.resource.uri}")
        case "resource":
            return f"{block.resource.uri}:\n{block.resource.text}"
    return f"resource {block.uri} ({block.name})"


def _bytes(data: str, mime: str, what: str) -> str | bytes:
    size = len(data) * 3 // 4
    if mime in PICTURES and size <= MEDIA_BYTES:
        with suppress(ValueError):
            return base64.b64decode(data)
    return f"{what} ({mime}, {size:,} bytes), which can't be sent"
