"""Code of cells: which cell a file stands for that exists in tracebacks alone.

IPython 8 and later know. Before, a terminal's files have the cell's number in their names, and a kernel's are called by a hash
of what was typed, which is compared with the history.
"""

from __future__ import annotations

import linecache
import re
from functools import lru_cache
from types import CodeType
from typing import Any

_PROMPT = re.compile(r"In\[(\d+)\]")
_NUMBERED = re.compile(r"<ipython-input-(\d+)-\w+>")


def cell_title(shell: Any, file: str) -> str:
    """Return what the cell is called whose code a file is, such as `In[3]`; nothing if it is no cell's."""
    known = getattr(shell.compile, "format_code_name", None)
    if known is not None:
        found = known(file)
        return str(found[1]) if found else ""
    number = _number(shell, file)
    return f"In[{number}]" if number is not None else ""


def code_title(shell: Any, file: str) -> str:
    """Return what the user calls a file of code: a cell by its number, such as `cell 3`."""
    title = cell_title(shell, file)
    number = _PROMPT.search(title)
    return f"cell {number[1]}" if number else title or file


def is_whole_cell(code: CodeType) -> bool:
    """Whether this code is a cell's own and no function's, so that its variables are the notebook's names."""
    return code.co_name == "<module>" or code.co_name.startswith("<cell line: ") or "async-def-wrapper" in code.co_name


def _number(shell: Any, file: str) -> int | None:
    if match := _NUMBERED.fullmatch(file):
        return int(match[1])
    if file not in getattr(linecache, "_ipython_cache", {}):
        return None
    typed = shell.history_manager.input_hist_raw
    return next((n for n in range(len(typed) - 1, 0, -1) if file in _files(shell.compile, typed[n], n)), 0)


@lru_cache(10_000)
def _files(compiler: Any, typed: str, number: int) -> tuple[str, ...]:
    """Return the names that a cell's code may have: the history has lost a line end at the end of it."""
    return tuple(compiler.get_code_name(code, code, number) for code in (typed, f"{typed}\n"))
