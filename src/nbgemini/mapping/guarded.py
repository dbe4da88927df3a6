"""Callbacks of whoever asks, which may fail."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

_log = logging.getLogger("nbgemini")


class Guarded:
    """A callback that is left out once it has failed: whatever it has, the map must not have it."""

    def __init__(self, callback: Callable[[Any], object] | None) -> None:
        """Call it for each value, if there is one."""
        self._callback = callback

    def __call__(self, value: Any) -> None:
        """Call it."""
        if self._callback is None:
            return
        try:
            self._callback(value)
        except Exception:  # noqa: BLE001 - anybody's code
            _log.exception("a callback of a map failed; the map goes on without it")
            self._callback = None
