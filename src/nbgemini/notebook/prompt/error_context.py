"""The context of an exception for the model: its cell, the traceback, the values it met, and the versions of what was involved.

Invariants: everything is bounded, and nothing of it fails, whatever the objects do; frames of IPython and of nbgemini are cut;
what is named like a secret, or looks like one, is not sent.
"""

from __future__ import annotations

import ast
import inspect
import platform
import re
import reprlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException
from types import FrameType, ModuleType, TracebackType
from typing import Any

from nbgemini.notebook.kernel.environment import user_names
from nbgemini.notebook.kernel.running_cells import Failure, is_from_user_code
from nbgemini.notebook.prompt.cells import SOURCE, cell_title, is_whole_cell
from nbgemini.prompts.file_text import fence
from nbgemini.prompts.jsonable import cut
from nbgemini.prompts.secret_scan import leaked
from nbgemini.secrets import Secret

_TRACEBACK, _LINE, _VALUE = 8_000, 2_000, 300  # characters
_MOST_NAMES, _MOST_SOURCES, _MOST_COLUMNS = 30, 3, 40
_NUMBER = re.compile(r"In\[(\d+)\]$")
_WORD = re.compile(r"[^\W\d]\w*")
_SECRET = re.compile(r"passw|secret|token|api_?key|credential", re.IGNORECASE)
_OURS = ("IPython", "ipykernel", "nbgemini")
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 200


def last_failure(shell: Any, seen: Failure | None) -> Failure | None:
    """Return the last exception: that of a cell, or one that %run or %%time showed, or that came before this extension."""
    last = getattr(sys, "last_value", None)
    if not isinstance(last, BaseException) or not is_from_user_code(last):
        return seen
    if seen is not None and seen.error is last:
        return seen
    number = _cell_of(shell, last)
    sources = shell.history_manager.input_hist_raw
    return Failure(last, sources[number], number) if 0 < number < len(sources) else Failure(last)


def _cell_of(shell: Any, error: BaseException) -> int:
    """Return the number of the first cell that an exception went through."""
    files = [str(getattr(error, "filename", "") or ""), *(frame.f_code.co_filename for frame in _frames(error))]
    found = (_NUMBER.search(cell_title(shell, file)) for file in files)
    return next((int(match[1]) for match in found if match), 0)


def _frames(error: BaseException) -> list[FrameType]:
    """Return the frames that an exception went through, the outermost first."""
    frames, step = [], error.__traceback__
    while isinstance(step, TracebackType):
        frames.append(step.tb_frame)
        step = step.tb_next
    return frames


def describe_failure(shell: Any, failure: Failure, own: Sequence[Secret]) -> str:
    """Return the whole context; `own` are the keys in use, which are never sent."""
    cell = (
        f"Cell [{failure.number}], which failed:\n{fence(cut(failure.source.strip(), SOURCE), 'python')}"
        if failure.source
        else ""
    )
    values = "\n".join(_values(shell, failure, own))
    return "".join(
        [
            cell,
            *_other_sources(shell, failure),
            f"Traceback:\n{fence(traceback_text(shell, failure.error))}",
            f"Values when it failed:\n{fence(values)}" if values else "",
            f"Versions: {', '.join(_versions(shell, failure))}\n",
        ]
    )


def exception_line(error: BaseException) -> str:
    """Return the exception as one line, cut: its class and what it says, without the place and the notes."""
    told = TracebackException.from_exception(error, compact=True).format_exception_only()
    return " ".join(next(entry for entry in told if not entry.startswith(" ")).split())[:_VALUE]


def traceback_text(shell: Any, error: BaseException) -> str:
    """Return the traceback, cells called by their numbers."""
    trace = TracebackException.from_exception(error, compact=True)
    _clean(shell, trace)
    return cut("".join(cut(line, _LINE) for line in trace.format()), _TRACEBACK).rstrip()


def _clean(shell: Any, trace: TracebackException) -> None:
    own = _own_directories()
    kept = [frame for frame in trace.stack if not frame.filename.startswith(own)]
    trace.stack = StackSummary.from_list([_renamed(shell, frame) for frame in kept])
    if getattr(trace, "filename", None):
        trace.filename = _title(shell, str(trace.filename))
    for other in (trace.__cause__, trace.__context__, *(getattr(trace, "exceptions", None) or ())):
        if other is not None:
            _clean(shell, other)


def _renamed(shell: Any, frame: FrameSummary) -> FrameSummary:
    _ = frame.line  # read while the file has the name that it is known by
    frame.filename = _title(shell, frame.filename)
    return frame


def _title(shell: Any, file: str) -> str:
    found = cell_title(shell, file)
    return f"Cell {found}" if found else file


def _own_directories() -> tuple[str, ...]:
    files = (getattr(sys.modules.get(name), "__file__", None) for name in _OURS)
    return tuple(f"{Path(file).parent}/" for file in files if file)


def _other_sources(shell: Any, failure: Failure) -> Iterator[str]:
    """Yield the sources of functions that the exception went through and that are written in other cells."""
    codes = dict.fromkeys(frame.f_code for frame in _frames(failure.error))
    inner = [code for code in codes if not is_whole_cell(code) and cell_title(shell, code.co_filename)]
    for code in inner[-_MOST_SOURCES:]:
        source = _source_of(code)
        if source and source.strip() not in failure.source:
            yield f"{code.co_name}, from {_title(shell, code.co_filename)}:\n{fence(source, 'python')}"


def _source_of(code: Any) -> str:
    try:
        return cut(inspect.getsource(code), SOURCE)
    except (OSError, TypeError):
        return ""


def _values(shell: Any, failure: Failure, own: Sequence[Secret]) -> Iterator[str]:
    """Yield a line for each name that the failing cell reads, and for the variables of the innermost function of a cell."""
    names = user_names(shell)
    inner = [frame for frame in _frames(failure.error) if cell_title(shell, frame.f_code.co_filename)]
    read = dict.fromkeys([*_names_in(shell, failure.source), *(name for frame in inner for name in frame.f_code.co_names)])
    yield from _lines((name for name in read if name in names), names, own)
    if inner and not is_whole_cell(inner[-1].f_code):
        local = inner[-1].f_locals
        yield from (f"in {inner[-1].f_code.co_name}: {line}" for line in _lines(local, local, own))


def _lines(read: Iterable[str], names: Mapping[str, Any], own: Sequence[Secret]) -> Iterator[str]:
    known = [name for name in read if not isinstance(names[name], ModuleType)]
    for name in known[:_MOST_NAMES]:
        yield _value_line(name, names[name], own)


def _names_in(shell: Any, source: str) -> list[str]:
    try:
        nodes = ast.walk(ast.parse(shell.transform_cell(source)))
        return list(dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name)))
    except (SyntaxError, ValueError):
        return list(dict.fromkeys(_WORD.findall(source)))


def _value_line(name: str, value: Any, own: Sequence[Secret]) -> str:
    if _SECRET.search(name):
        return f"{name}: {type(value).__name__}, which may be a secret and is not shown"
    try:
        line = cut(" ".join(_described(name, value).split()), _VALUE)
    except Exception as error:  # noqa: BLE001 - any object may do anything
        line = f"{name}: {type(value).__name__}, which can't be shown: {type(error).__name__}"
    return f"{name}: {type(value).__name__}, which holds a key and is not shown" if leaked(line, own) else line


def _described(name: str, value: Any) -> str:
    kind = type(value).__name__
    if inspect.isroutine(value) or isinstance(value, type):
        return f"{name}: {kind} {name}{inspect.signature(value)}"
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        types = [f"{column} {dtype}" for column, dtype in zip(value.columns, value.dtypes, strict=True)]
        return f"{name}: {kind} of shape {tuple(value.shape)}, columns {', '.join(types[:_MOST_COLUMNS])}"
    shape = f" of shape {tuple(value.shape)}, {value.dtype}" if hasattr(value, "shape") and hasattr(value, "dtype") else ""
    size = f" of length {len(value)}" if not shape and hasattr(value, "__len__") else ""
    return f"{name}: {kind}{shape}{size} = {_REPR.repr(value)}"


def _versions(shell: Any, failure: Failure) -> Iterator[str]:
    """Yield Python's version and those of the libraries that the exception or the cell's names come from."""
    yield f"Python {platform.python_version()}"
    names = user_names(shell)
    values = [names[name] for name in _names_in(shell, failure.source) if name in names]
    modules = [frame.f_globals.get("__name__") for frame in _frames(failure.error)]
    modules += [getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", "") for value in values]
    modules += [type(value).__module__ for value in values]
    for package in dict.fromkeys(str(module).partition(".")[0] for module in modules if module):
        version = None if package in sys.stdlib_module_names or package in _OURS else _version(package)
        if version:
            yield f"{package} {version}"


def _version(package: str) -> str | None:
    found = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(found, str):
        return found[:30]
    try:
        return metadata.version(package)
    except (metadata.PackageNotFoundError, ValueError):
        return None
