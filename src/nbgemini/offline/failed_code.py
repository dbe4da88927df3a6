"""Code that failed, as a prompt of `%gemini fix` describes it: its source, the line, the error, and the types of the values."""

from __future__ import annotations

import ast
import re
import string
import warnings
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import TypeVar

from msgspec import Struct, structs

_N = TypeVar("_N", bound=ast.AST)

_FAILED = re.compile(r"^Code in my notebook failed with (\w+(?:\.\w+)*)(?:: (.*))?$", re.MULTILINE)
_FRAME = re.compile(
    r'^  File "(?:Cell )?(?P<file>[^"\n]*)", line (?P<line>\d{1,6})(?:, in (?P<name>\S+))?\n    (?P<code>.*)$', re.MULTILINE
)
_VALUE = re.compile(r"^(?:in \w+: )?(\w+): (\w+)", re.MULTILINE)
_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[^#\n'\"]*\?{1,2}\s*)$")
_GOES_ON = re.compile(r"\s*(?:% |!=)")  # an expression
_LONGEST = 20_000  # characters of a prompt that are looked at


class FailedCode(Struct, frozen=True):
    """The source to correct: the cell, or the function of another cell in which the error arose.

    Attributes:
        kind: the exception's class.
        message: what it says.
        source: the code that failed.
        line: its line that failed, from 1.
        cell: what follows the source in the corrected cell, if that is a function of another cell.
        types: the types of the values that the cell met, by name.
        values: those values as the prompt describes them.
    """

    kind: str
    message: str
    source: str
    line: int
    cell: str = ""
    types: dict[str, str] = {}
    values: str = ""

    def nodes(self, kind: type[_N]) -> list[_N]:
        """Return the nodes of a kind on the failing line, innermost first; none if the code can't be parsed."""
        tree = parse(self.source)
        found = [node for node in ast.walk(tree) if isinstance(node, kind)] if tree else []
        on_line = [node for node in found if node.lineno <= self.line <= (node.end_lineno or 0)]  # type: ignore[attr-defined]
        return sorted(on_line, key=lambda node: len(self.text(node)))

    def text(self, node: ast.AST) -> str:
        """Return how a node is written."""
        start, end = self._span(node)
        return self.source[start:end]

    def replace(self, node: ast.AST, text: str) -> str:
        """Return the source with other text in a node's place."""
        start, end = self._span(node)
        return self.source[:start] + text + self.source[end:]

    def rename(self, wrong: str, right: str) -> str:
        """Return the source with another word in a word's place."""
        return re.sub(rf"\b{re.escape(wrong)}\b", lambda _: right, self.source)

    def calls(self, *names: str) -> Iterator[tuple[ast.Call, str]]:
        """Yield the calls on the failing line with the names of what is called: these names, or all."""
        for call in self.nodes(ast.Call):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            if name and (not names or name in names):
                yield call, name

    def indent(self, node: ast.AST) -> str:
        """Return the blanks before a statement."""
        line = self.source.split("\n")[node.lineno - 1]  # type: ignore[attr-defined]
        return line[: len(line) - len(line.lstrip())]

    def kind_of(self, node: ast.AST) -> str:
        """Return the type of an expression as far as it is known, else nothing."""
        match node:
            case ast.Constant(value=value):
                return type(value).__name__
            case ast.JoinedStr() | ast.Call(func=ast.Name(id="str" | "input" | "repr")):
                return "str"
            case ast.Call(func=ast.Name(id="len" | "int" | "sum" | "round")):
                return "int"
            case ast.Name(id=name):
                return self.types.get(name, "")
            case ast.BinOp(left=left, right=right):
                return next((kind for side in (left, right) if (kind := self.kind_of(side)) == "str"), self.kind_of(left))
        return ""

    def _span(self, node: ast.AST) -> tuple[int, int]:
        lines = self.source.split("\n")
        starts = [0, *accumulate(len(line) + 1 for line in lines)]

        def at(line: int, column: int) -> int:  # columns count bytes
            return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

        return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]


def failed_code(prompt: str) -> FailedCode | None:
    """Return what a prompt says of code that failed; None if it is about something else."""
    prompt = prompt[:_LONGEST]
    failed = _FAILED.search(prompt)
    blocks = titled_blocks(prompt) if failed else {}
    cell = next((text for title, text in blocks.items() if title.endswith("which failed")), "")
    if failed is None or not cell:
        return None
    values = blocks.get("Values when it failed", "")
    kind, message = failed[1].rpartition(".")[2], failed[2] or ""
    first = next((number for number, line in enumerate(cell.split("\n"), 1) if line.strip() and not _MAGIC.match(line)), 1)
    code = FailedCode(kind, message, cell, first, types=dict(_VALUE.findall(values)), values=values)
    return structs.replace(code, **_place(cell, blocks))


def titled_blocks(text: str) -> dict[str, str]:
    """Return the fenced blocks of a text by the lines above them, without their colons."""
    blocks: dict[str, str] = {}
    title, fence, held = "", "", list[str]()
    for line in text.split("\n"):
        if fence and line != fence:
            held.append(line)
        elif fence:
            blocks[title], fence, held, title = "\n".join(held), "", [], ""
        elif line.startswith("```") and title.endswith(":"):
            title, fence = title[:-1], line.rstrip(string.ascii_letters)
        else:
            title = line
    return blocks


def _place(cell: str, blocks: dict[str, str]) -> dict[str, object]:
    """Return the source and the line that failed: the innermost frame whose code the prompt shows."""
    place: dict[str, object] = {}
    for frame in _FRAME.finditer(blocks.get("Traceback", "")):
        number, code = int(frame["line"]), frame["code"].strip()
        function = blocks.get(f"{frame['name']}, from Cell {frame['file']}", "")
        if function and (found := _line_of(function, code)):
            place = {"source": function, "line": found, "cell": cell}
        elif "In[" in frame["file"] and (found := _line_of(cell, code, number)):
            place = {"source": cell, "line": found, "cell": ""}
    return place


def _line_of(source: str, code: str, number: int = 0) -> int:
    """Return the number of the line that reads `code`, the `number`-th if it does; 0 if none does."""
    lines = [line.strip() for line in source.split("\n")]
    if 0 < number <= len(lines) and not _MAGIC.match(lines[number - 1]) and (lines[number - 1] == code or code not in lines):
        return number
    return lines.index(code) + 1 if code in lines else 0


@lru_cache(16)
def parse(source: str) -> ast.Module | None:
    """Return the tree of a cell, lines of magics passed over; None if it can't be parsed."""
    lines = (line if _GOES_ON.match(line) else _MAGIC.sub(r"\1pass", line) for line in source.split("\n"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = compile("\n".join(lines), "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if isinstance(tree, ast.Module) else None
