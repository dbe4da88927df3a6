"""What the package runs in: versions of what is installed, loggers, and the notebook, if its extension is loaded."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("nbgemini", "ipykernel", "ipython", "ipywidgets", "anywidget", "httpx2", "google-genai", "jupyterlab")


class Host:
    """What a notebook tells the parts of the package that do not know it."""

    def __init__(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Set the values for use without a notebook."""
        self.magics = False  # whether messages may name options and commands of the magics
        self.durations = True  # whether outputs show durations, which differ in each run
        self.latex = True  # whether answers are saved as LaTeX too, for nbconvert
        self.map_bar: Callable[[], Callable[[Any], object] | None] | None = None  # makes the progress bar of a map
        self.before_call: Callable[[], object] | None = None  # called before each call of a tool
        self.reader: Callable[[], Any] | None = None  # returns the `_async.readers.Reader` that reads now


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
