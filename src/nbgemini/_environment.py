"""What the package runs in: versions of what is installed, loggers, and the notebook, if its extension is loaded."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("nbgemini", "ipykernel", "ipython", "ipywidgets", "anywidget", "httpx2", "google-genai", "jupyterlab")


class Host:
    """What a notebook hands down to what knows of none."""

    def __init__(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Set what holds without a notebook."""
        self.magics = False  # whether options and commands of the magics mean something to who reads a message
        self.durations = True  # they differ each time, so a notebook whose outputs are compared leaves them out
        self.latex = True  # answers as LaTeX too, which documents made of a notebook take
        self.map_bar: Callable[[], Callable[[Any], object] | None] | None = None  # makes the bar of a map
        self.before_call: Callable[[], object] | None = None  # before each call of a tool
        self.reader: Callable[[], Any] | None = None  # says who reads, `_async.readers.Reader`


HOST = Host()


def versions() -> list[tuple[str, str]]:
    """Return (name, version) of Python and of every package that matters, with a hint for what is missing."""
    return [("python", platform.python_version()), *((name, _version(name)) for name in _PACKAGES)]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def hush(*names: str) -> None:
    """Let loggers tell of trouble only, unless somebody has given them a level: then they tell what that one wants to hear."""
    for name in names:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
