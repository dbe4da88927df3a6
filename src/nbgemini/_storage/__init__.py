"""Files that hold what people said: theirs alone from the first byte, whole or not there; and reading that blocks for nothing.

Invariants: a file is made 0600, whatever the umask; what is written anew takes the place of the old one at once, and that of a
link to another file; only regular files are read, so that no pipe and no device keeps anyone waiting.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

_NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # a pipe without a reader


def user_path(path: str | Path) -> Path:
    """Return a path with `~` resolved; as it is where nobody knows that home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises there


def open_regular(path: Path, mode: Literal["rb", "ab", "ab+"], *, buffered: bool = True) -> BinaryIO:
    """Open a regular file, which is 0600 if it is made; what is none is an OSError."""
    return open(path, mode, -1 if buffered else 0, opener=_opened)


def _opened(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | _NO_WAITING, 0o600)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "Is a directory" if stat.S_ISDIR(mode) else "not a regular file", path)


def read_regular(path: Path, largest: int) -> bytes:
    """Return what a regular file holds, but one byte beyond `largest` at most."""
    with open_regular(path, "rb") as file:
        return file.read(largest + 1)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file anew, whole or not at all, 0600."""
    import tempfile  # noqa: PLC0415 - 5 ms that a first prompt need not wait for

    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)  # 0600, and never another's
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
