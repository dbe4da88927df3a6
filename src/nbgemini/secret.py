"""A key that shows itself only to the one who asks for it by name."""

from __future__ import annotations

import hmac
import json
from typing import NoReturn
from urllib.parse import quote

_SHORTEST = 12  # characters of a key that is searched for; a test's "offline" is a word
_HIDDEN = b"[key]"


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


def spellings(key: Secret) -> tuple[bytes, ...]:
    """Return how a key may be written where a service repeats it, the longest first."""
    plain = key.reveal()
    if len(plain) < _SHORTEST:
        return ()
    in_json = json.dumps(plain)[1:-1]
    forms = {plain, in_json, in_json.replace("/", "\\/"), quote(plain), quote(plain, safe="")}
    return tuple(sorted((form.encode() for form in forms), key=len, reverse=True))


def without(data: bytes, hidden: tuple[bytes, ...]) -> bytes:
    """Return the data with something else in the place of a key, however it is spelled."""
    for spelling in hidden:
        data = data.replace(spelling, _HIDDEN)
    return data
