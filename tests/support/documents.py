"""The code blocks of the documentation: README, docs and docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs").glob("*/*.md"),
    ]
)
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w{}-]*)\n(?P<code>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: where it stands, its language, its text."""

    place: str
    language: str
    code: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a Markdown page in order."""
    return _blocks(page.read_text(encoding="utf-8"), str(page.relative_to(ROOT)))


def docstring_blocks() -> list[Block]:
    """Return the fenced blocks and doctests of all docstrings of the package."""
    found = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = inspect.cleandoc(ast.get_docstring(node) or "")
                place = f"{file.relative_to(ROOT)}:{getattr(node, 'name', '')}"
                found += _blocks(text, place)
                found += [Block(place, "doctest", text)] if ">>>" in text else []
    return found


def _blocks(text: str, name: str) -> list[Block]:
    return [
        Block(f"{name}:{text[: match.start()].count(chr(10)) + 1}", match["language"], textwrap.dedent(match["code"]))
        for match in _FENCE.finditer(text)
    ]
