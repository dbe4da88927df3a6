"""What an MCP server says, made fit for a model and its reader: names, descriptions, results."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any

from nbgemini.errors import ToolError
from nbgemini.formatting import visible
from nbgemini.prompts.images import MEDIA_BYTES

if TYPE_CHECKING:
    from mcp.types import CallToolResult

DESCRIPTION = 1_024  # characters
NAME = 64
MOST_SAID = 100  # texts that may say data again: each is parsed for that
SCHEMA = 256 * 1024  # characters of one tool's schema as JSON
LINE = 300  # characters of an error
PICTURES = {"image/png", "image/jpeg", "image/webp"}  # that the service takes
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.:-]")


def tool_names(wanted: Iterable[str]) -> list[str]:
    """Return names that the service takes, each once."""
    found: dict[str, int] = {}  # each with the number that its next namesake tries
    for want in wanted:
        plain = _FORBIDDEN.sub("_", want[: 2 * NAME])
        name = plain = (plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}")[:NAME]
        while name in found:
            found[plain] = found.get(plain, 1) + 1
            name = f"{plain[: NAME - 4]}_{found[plain]}"
        found[name] = 1
    return list(found)


def visible_text(text: str, limit: int = DESCRIPTION) -> str:
    """Return a stranger's text, shortened, without what a reader would not see and a model would."""
    return visible(text if len(text) <= limit else f"{text[: limit - 1]}…").strip()


def error_line(text: str) -> str:
    """Return a stranger's error as one short line."""
    return " ".join(visible_text(text, LINE).split())


def sanitized_schema(schema: Any) -> Any:
    """Return the schema with texts that end and hide nothing, wherever they stand in it: a model reads them all."""
    match schema:
        case str():
            return visible(schema) if len(schema) <= DESCRIPTION else visible_text(schema)
        case dict():
            return {visible(key): sanitized_schema(value) for key, value in schema.items()}
        case list():
            return [sanitized_schema(item) for item in schema]
    return schema


def result_value(result: CallToolResult) -> Any:
    """Return what a tool returned as Python would: data, text, pictures as bytes, or a list; a failure is a ToolError."""
    blocks = [_block(block) for block in result.content]
    texts = [block for block in blocks if isinstance(block, str)]
    if result.is_error:
        raise ToolError("\n".join(texts) or "the tool failed and did not say why")
    data = result.structured_content
    if data is None:
        return _unwrapped(_joined(blocks))
    kept = [block for block in blocks if isinstance(block, bytes)] if _repeats(texts, data) else _joined(blocks)
    return _unwrapped([data, *kept])


def _unwrapped(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items or ""


def _joined(blocks: Iterable[str | bytes]) -> list[str | bytes]:
    """Return the blocks with neighbouring texts as one."""
    joined: list[str | bytes] = []
    for kind, group in groupby(blocks, type):
        found = list(group)
        joined += ["\n".join(map(str, found))] if kind is str else found
    return joined


def _repeats(texts: list[str], data: Any) -> bool:
    """Whether the texts only say the data again, as servers do for clients that know no data."""
    if len(texts) > MOST_SAID:
        return False
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
