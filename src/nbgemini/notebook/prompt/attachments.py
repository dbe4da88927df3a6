"""What -a names: a value of the notebook, the last plot, a file, or all files that match a pattern.

A name comes before a file of that name; the text that a name stands for is text, and opens nothing. Nothing is sent when one
of them can't be; of several files that one pattern means, those that can't be sent are left out, which is said.
"""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from nbgemini.errors import PromptError

MOST_FILES = 20  # of one pattern


class Attached(Struct, frozen=True):
    """One thing to attach: what it is called, and the value; a file is a Path.

    Attributes:
        among: the pattern, or the list, that meant several files, of which this is one; empty if it was meant alone.
    """

    name: str
    value: Any
    among: str = ""


def attached(word: str, names: Mapping[str, Any], plot: bytes | None = None) -> Iterator[Attached]:
    """Yield what `word` names; `plot` is the last picture that was shown.

    Raises:
        PromptError: it names nothing; the message has what is near.
    """
    found, value = _named(word, names)
    if found:
        yield from _opened(word, value)
    elif word == "plot":
        yield Attached("plot", _shown(plot))
    else:
        among = word if glob.has_magic(word) and not Path(word).expanduser().is_file() else ""
        yield from (Attached(path.name, path, among) for path in _files(word, names))


def _named(word: str, names: Mapping[str, Any]) -> tuple[bool, Any]:
    first, *attributes = word.split(".")
    if first not in names:
        return False, None
    value = names[first]
    for attribute in attributes:
        try:
            value = getattr(value, attribute)
        except Exception:  # noqa: BLE001 - a file may be called `df.csv`
            return False, None
    return True, value


def _opened(word: str, value: Any) -> Iterator[Attached]:
    """Yield the value; a path is its file, and a list of them is all of these. Text is text, whatever it names."""
    if isinstance(value, list | tuple) and value and all(isinstance(item, Path) for item in value):
        _check_count(word, len(value))
        yield from (Attached(path.name, path.expanduser(), word) for path in value)
    elif isinstance(value, Path):
        yield from (Attached(path.name, path) for path in _files(str(value), {}))
    else:
        yield Attached(word, value)


def _files(word: str, names: Mapping[str, Any]) -> list[Path]:
    path = Path(word).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise PromptError(f"-a: {word} is a folder; -a '{word.rstrip('/')}/*' takes its files")
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))] if glob.has_magic(word) else []  # noqa: PTH207
    files = [match for match in matches if match.is_file()]
    if not files:
        what = "no file matches" if glob.has_magic(word) else "no name and no file"
        raise PromptError(f"-a: {what} {word!r}{_near(word, path, names)}; nothing was sent")
    _check_count(word, len(files))
    return files


def _check_count(word: str, count: int) -> None:
    if count > MOST_FILES:
        raise PromptError(f"-a: {word} means {count} files, more than {MOST_FILES}; nothing was sent")


def _near(word: str, path: Path, names: Mapping[str, Any]) -> str:
    known = [name for name in names if not name.startswith("_")]
    near = [*difflib.get_close_matches(word, known, 2), *difflib.get_close_matches(path.name, _siblings(path.parent), 2, 0.5)]
    return f" (did you mean {' or '.join(near[:3])}?)" if near else ""


def _siblings(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry, _ in zip(entries, range(1000), strict=False)]
    except OSError:
        return []


def _shown(plot: bytes | None) -> bytes:
    if plot is None:
        raise PromptError("-a plot: no cell has shown a picture yet; nothing was sent")
    return plot
