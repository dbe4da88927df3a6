"""Which versions of what is installed here."""

from __future__ import annotations

import logging
import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("nbgemini", "ipykernel", "ipython", "ipywidgets", "anywidget", "httpx2", "google-genai", "jupyterlab")


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
