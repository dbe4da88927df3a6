"""A notebook's file as text: its cells and what they printed; the pictures among its outputs are counted and left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_READ = ("text/markdown", "text/plain", "text/latex", "application/json")  # of an output, the first of these


def notebook_text(data: str) -> str | None:
    """Return a notebook as Markdown; None if it is none."""
    try:
        cells = json.loads(data)["cells"]
        found = [_cell(number, cell) for number, cell in enumerate(cells, 1)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    left = sum(pictures for _, pictures in found)
    note = f"\n\n({left} picture{'' if left == 1 else 's'} among its outputs left out)" if left else ""
    return "\n\n".join(text for text, _ in found) + note


def _cell(number: int, cell: Mapping[str, Any]) -> tuple[str, int]:
    """Return a cell as Markdown, and how many pictures were left out of it."""
    source = _joined(cell["source"])
    if cell["cell_type"] != "code":
        return source, len(cell.get("attachments") or ())
    outputs = [_output(output) for output in cell.get("outputs") or ()]
    told = "".join(text for text, _ in outputs).strip("\n")
    shown = f"\n{_fenced(told, 'output')}" if told else ""
    return f"[cell {number}]\n{_fenced(source, 'python')}{shown}", sum(pictures for _, pictures in outputs)


def _output(output: Mapping[str, Any]) -> tuple[str, int]:
    if "text" in output:
        return _joined(output["text"]), 0
    if "ename" in output:
        return f"{output['ename']}: {output.get('evalue', '')}\n", 0
    bundle = output.get("data") or {}
    pictures = sum(mime.startswith("image/") for mime in bundle)
    text = next((_joined(bundle[mime]) for mime in _READ if mime in bundle), "")
    return ("" if pictures and text.startswith("<") else f"{text}\n"), pictures


def _joined(text: Any) -> str:
    lines: Iterator[Any] = iter(text if isinstance(text, list) else [text])
    return "".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)


def _fenced(text: str, language: str) -> str:
    marks = "```"
    while marks in text:
        marks += "`"
    return f"{marks}{language}\n{text}\n{marks}"
