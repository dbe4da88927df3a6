"""A cell that names a pending reply or map (--out), or reads what is whole only then of the last one (`_gemini`), waits first.

A line that waits is put below the cell's text, which makes the cell asynchronous and leaves all line numbers as they are;
when the text has become a tree, the line moves to the top, and the source that tracebacks show forgets it.
"""

from __future__ import annotations

import ast
import io
import linecache
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from nbgemini.notebook.kernel.cell_transforms import AWAITED

WAIT = "_gemini_pending"  # the magic that the line calls
_LINE = re.compile(rf"await get_ipython\(\)\.run_line_magic\('{WAIT}', '[\w ]+'\);?\n")
_RUNS_PYTHON = ("time", "timeit", "capture", "prun")  # cell magics whose text is code
_PROMPTS = ("gemini", AWAITED)  # whose text names values in braces
_CONTROLS = ("stop", "done", "stopping", "so_far")  # what is asked of a reply that runs: such a cell waits where it reads


def with_wait(code: str, pending: Collection[str], last: Collection[str] = (), fields: Collection[str] = ()) -> str:
    """Return the cell with a line below it that waits for those of the `pending` names that it reads, if any.

    Those of the `last` reply and map are read all the time: they are waited for where one of the `fields` is read.
    """
    names = sorted(_read(code, pending) | _whole(code, last, fields)) if pending or last else []
    if not names:
        return code
    quiet = ";" if _ends_with_semicolon(code) else ""  # the last line says whether a value is shown
    return f"{code.rstrip()}\nawait get_ipython().run_line_magic('{WAIT}', '{' '.join(names)}'){quiet}\n"


class WaitFirst(ast.NodeTransformer):
    """Moves the waiting line to the top of its cell."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Move it, if it is there."""
        if node.body and _waits(node.body[-1]):
            first = next((n for n, line in enumerate(node.body) if not _must_be_first(line)), 0)
            node.body.insert(first, node.body.pop())
            _hide_from_tracebacks()
        return node


def _ends_with_semicolon(code: str) -> bool:
    """Say whether the last thing in the code is a semicolon, whatever is said behind it."""
    blank = (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(code).readline) if token.type not in blank]
    return bool(tokens) and tokens[-1].string == ";"


def _read(code: str, pending: Collection[str]) -> set[str]:
    found: set[str] = set()
    for node in _nodes(code) if pending else ():
        if isinstance(node, ast.Name) and node.id in pending and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Call):
            found |= _read_by_magic(node, pending)
    return found - {name for name, attribute in _attributes(code) if attribute in _CONTROLS}


def _whole(code: str, last: Collection[str], fields: Collection[str]) -> set[str]:
    """Return the names of which a field is read that is whole only at the end."""
    read = [(name, attribute) for name, attribute in _attributes(code) if name in last] if last else []
    controlled = {name for name, attribute in read if attribute in _CONTROLS}
    return {name for name, attribute in read if attribute in fields} - controlled


def _attributes(code: str) -> Iterator[tuple[str, str]]:
    """Return which attributes of names stand in a cell, in the code of its magics too."""
    for node in _nodes(code):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                yield name, attribute
            case ast.Call(
                func=ast.Attribute(attr="run_cell_magic"), args=[ast.Constant(value=magic), _, ast.Constant(value=text)]
            ) if magic in _RUNS_PYTHON:
                yield from re.findall(r"\b([^\W\d]\w*)\.(\w+)", str(text))


def _nodes(code: str) -> Iterable[ast.AST]:
    try:
        return list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError):
        return ()


def _read_by_magic(call: ast.Call, pending: Collection[str]) -> set[str]:
    """Return the names that the text of a cell magic reads: code as a whole, a prompt in its braces."""
    match call:
        case ast.Call(func=ast.Attribute(attr="run_cell_magic"), args=[ast.Constant(value=magic), _, ast.Constant(value=text)]):
            before = r"\b" if magic in _RUNS_PYTHON else r"\{" if magic in _PROMPTS else None
            return set(re.findall(rf"{before}({'|'.join(pending)})\b", str(text))) if before else set()
    return set()


def _waits(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Await(value=ast.Call(args=[ast.Constant(value=name), *_]))):
            return bool(name == WAIT)
    return False


def _must_be_first(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _hide_from_tracebacks() -> None:
    """Cut the line off the source that was kept for tracebacks a moment ago."""
    for entry in reversed(list(linecache.cache.values())):
        lines: Any = entry[2] if len(entry) > 2 else []  # noqa: PLR2004 - lazy entries are shorter
        if lines and _LINE.fullmatch(lines[-1]):
            del lines[-1]
            return
