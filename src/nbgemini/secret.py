"""A key that shows itself only to the one who asks for it by name."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A text that is masked wherever Python would print it, and refuses to be pickled or copied into a dict."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Hold `text`, without the blanks that pasting adds."""
        self._text = text.strip()

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __bool__(self) -> bool:
        """Say whether there is anything to hide."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Compare without telling by the time it takes."""
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        """Hash by the text."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Mask."""
        return "Secret('**********')"

    def __reduce__(self) -> NoReturn:
        """Refuse: a pickle is a file, and keys don't go into files."""
        raise TypeError("a key is never pickled")
