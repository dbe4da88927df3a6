"""The last picture that a cell showed, for `-a plot`: the inline backend closes figures as soon as they are shown."""

from __future__ import annotations

import base64
from typing import Any


class LastPicture:
    """Looks on while cells display, and keeps the last PNG."""

    def __init__(self, shell: Any) -> None:
        """See nothing yet."""
        self._publisher = shell.display_pub
        self._encoded = ""

    def install(self) -> None:
        """Begin, where outputs are messages."""
        if hasattr(self._publisher, "register_hook"):
            self._publisher.register_hook(self._seen)

    def remove(self) -> None:
        """End."""
        if hasattr(self._publisher, "unregister_hook"):
            self._publisher.unregister_hook(self._seen)

    @property
    def png(self) -> bytes | None:
        """The picture, if one was shown."""
        return base64.b64decode(self._encoded) if self._encoded else None

    def _seen(self, message: dict[str, Any]) -> dict[str, Any]:
        data = message["content"].get("data") or {}
        if isinstance(shown := data.get("image/png"), str):
            self._encoded = shown
        return message
