"""Cells: which cell a file stands for that exists in tracebacks alone, and the cells above as context, from IPython's history.

IPython 8 and later know a file's cell. Before, a terminal's files have the cell's number in their names, and a kernel's are
called by a hash of what was typed, which is compared with the history. What a cell printed is among its outputs in a terminal
alone: in a kernel IPython keeps results and errors, but no streams. Cells of %%gemini are left out: the chat has what was asked
and answered.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

from nbgemini.messages.attachments import note
from nbgemini.messages.turns import NOTE, Part
from nbgemini.prompts.file_text import fence
from nbgemini.prompts.jsonable import cut

SOURCE, OUTPUT = 8_000, 4_000  # characters of one cell
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
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


def cells_above(shell: Any, count: int) -> Part | None:
    """Return the last `count` cells that ran before this one; None if there are none."""
    sources = list(enumerate(shell.history_manager.input_hist_raw))[1 : shell.execution_count]
    chosen = [(number, source) for number, source in sources if source.strip() and not _asks(source)][-count:]
    if not chosen:
        return None
    text = "\n".join(_cell(shell, number, source) for number, source in chosen)
    words = f"Context: the last {_cells(len(chosen))} of this notebook, run before the prompt below.\n\n{text}\n"
    return {"text": words, NOTE: note(f"{_cells(len(chosen))} above", "context", len(words.encode("utf-8", "replace")))}


def _cells(count: int) -> str:
    return "cell" if count == 1 else f"{count} cells"


def _asks(source: str) -> bool:
    return source.lstrip().startswith(("%%gemini", "%gemini"))


def _cell(shell: Any, number: int, source: str) -> str:
    outputs = cut(_ANSI.sub("", "\n".join(filter(None, _outputs(shell, number)))).strip(), OUTPUT)
    came = f"Output of [{number}]:\n{fence(outputs)}" if outputs else ""
    return f"Cell [{number}]:\n{fence(cut(source.strip(), SOURCE), 'python')}{came}"


def _outputs(shell: Any, number: int) -> Iterator[str]:
    """Yield the texts that came of a cell, as far as IPython keeps them: 9 and later keep more."""
    history = shell.history_manager
    seen = list((getattr(history, "outputs", None) or {}).get(number, ()))
    for output in seen:
        text = output.bundle.get("stream") or output.bundle.get("text/plain") or ""
        yield text if isinstance(text, str) else "".join(text)
    if number in history.output_hist and not any(output.output_type == "execute_result" for output in seen):
        yield _pretty(history.output_hist[number])
    if failed := (getattr(history, "exceptions", None) or {}).get(number):
        yield f"{failed.get('ename', '')}: {failed.get('evalue', '')}"


def _pretty(value: Any) -> str:
    from IPython.lib.pretty import pretty  # noqa: PLC0415 - bounds long lists, as cells do

    try:
        return pretty(value)
    except Exception as error:  # noqa: BLE001 - any object may have been shown
        return f"{type(value).__name__}, which can't be shown: {type(error).__name__}"
