"""What the libraries below say of every step they take, which nobody asked for who wants to see the log of a notebook."""

from __future__ import annotations

import logging


def hush(*names: str) -> None:
    """Let loggers tell of trouble only, unless somebody has given them a level: then they tell what that one wants to hear."""
    for name in names:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
