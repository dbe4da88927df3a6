"""Values of JSON as HTML: lists of objects as tables, objects as names and values, all else as text.

Invariant: every character of a value comes out escaped; there is no markup but ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any, TypeGuard

from nbgemini.render.escape import harmless
from nbgemini.render.math import untypeset

_MOST_COLUMNS = 12  # of a table that a person reads
_DEEPEST = 3  # tables within tables
_LARGEST = 5_000  # rows and other values that are laid out; a larger answer is text


def data_html(value: Any) -> str:
    """Return a value as a table where it is one, else as indented JSON."""
    if isinstance(value, list | dict) and value and _size(value) <= _LARGEST:
        return _laid_out(value, 0)
    return f"<pre>{escape(harmless(indented(value)), quote=False)}</pre>" if isinstance(value, list | dict) else _said(value)


def indented(value: Any) -> str:
    """Return a value as JSON that a person reads."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def is_row(value: Any, columns: Sequence[str] | None) -> TypeGuard[dict[str, Any]]:
    """Whether a value can be a row of a table with these columns, or of one that it begins."""
    if not isinstance(value, dict) or not 0 < len(value) <= _MOST_COLUMNS:
        return False
    return columns is None or value.keys() <= set(columns)


def opening_html(columns: Sequence[str]) -> str:
    """Return the beginning of a table, up to its rows."""
    head = "".join(f"<th>{_words(name)}</th>" for name in columns)
    return f"<table><thead><tr>{head}</tr></thead><tbody>"


def row_html(row: dict[str, Any], columns: Sequence[str], depth: int = 1) -> str:
    """Return a row of a table."""
    cells = "".join(f"<td>{_laid_out(row[name], depth) if name in row else ''}</td>" for name in columns)
    return f"<tr>{cells}</tr>"


def _laid_out(value: Any, depth: int) -> str:
    columns = _columns(value)
    if depth < _DEEPEST and columns:
        rows = "".join(row_html(row, columns, depth + 1) for row in value)
        return f"{opening_html(columns)}{rows}</tbody></table>"
    if depth < _DEEPEST and isinstance(value, dict) and value:
        rows = "".join(f"<tr><th>{_words(name)}</th><td>{_laid_out(item, depth + 1)}</td></tr>" for name, item in value.items())
        return f"<table><tbody>{rows}</tbody></table>"
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(map(_said, value)) if depth else "".join(f"<div>{_said(item)}</div>" for item in value)
    return _said(value)


def _columns(value: Any) -> list[str]:
    """Return the columns of a list of objects; none if it is no table."""
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        return []
    columns = list(dict.fromkeys(name for row in value for name in row))
    return columns if len(columns) <= _MOST_COLUMNS else []


def _said(value: Any) -> str:
    if isinstance(value, str):
        return _words(value).replace("\n", "<br>")
    return f"<code>{_words(json.dumps(value, ensure_ascii=False))}</code>" if isinstance(value, list | dict) else _plain(value)


def _plain(value: Any) -> str:
    return _words(json.dumps(value))


def _words(text: str) -> str:
    return untypeset(escape(harmless(text), quote=False))


def _size(value: Any) -> int:
    """Return how many values there are in it."""
    count, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        count += 1
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return count
