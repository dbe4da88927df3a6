"""A key that shows itself only to the one who asks for it by name."""

from __future__ import annotations

import hmac
import re
from collections.abc import Generator
from typing import NoReturn

_SHORTEST = 12  # characters of a key that is searched for; a test's "offline" is a word
_HIDDEN = b"[key]"
_LONGEST_SPELLING = 6  # signs for one letter: \\u0041
_PART = 8  # characters of a key that are hidden where it was cut
STEP = 65_536  # bytes that are searched at once: half a millisecond


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


class Mask:
    """What takes keys out of what a service says, in any spelling: in either case, escaped as in JSON, URLs or HTML.

    A key that is too short to be one, as a test's may be, is not looked for.
    """

    __slots__ = ("_escapes", "_keys", "_longest", "_pattern", "_plain")

    def __init__(self, *keys: Secret) -> None:
        """Look for these keys."""
        self._keys = tuple(sorted({key for key in keys if len(key.reveal()) >= _SHORTEST}, key=_length, reverse=True))
        self._longest = max(map(_length, self._keys), default=0) * _LONGEST_SPELLING
        self._pattern = re.compile("|".join(map(_spelled, self._keys)).encode()) if self._keys else None
        texts = [key.reveal().lower() for key in self._keys]
        self._plain = [text.encode() for text in texts] if all(map(str.isascii, texts)) else None
        self._escapes = (b"\\u00", b"%", b"&#", *(f"\\{sign}".encode() for sign in set("".join(texts)) if not sign.isalnum()))

    def __repr__(self) -> str:
        """Tell no key."""
        return f"Mask({len(self._keys)})"

    def found_in(self, data: bytes) -> bool:
        """Return whether a key stands in a short piece of data; where nothing is escaped this takes no pattern."""
        if self._pattern is None:
            return False
        if self._plain is None or any(sign in data for sign in self._escapes):
            return self._pattern.search(data) is not None
        lower = data.lower()
        return any(text in lower for text in self._plain)

    def hide(self, data: bytes) -> bytes:
        """Return the data with something else in the place of a key."""
        steps = self.steps(data)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return bytes(end.value)

    def steps(self, data: bytes) -> Generator[None, None, bytes]:
        """Do the same, a bounded piece at each step, so that others may have their turn."""
        if self._pattern is None:
            return data
        pieces, kept, at = [], 0, 0
        while at < len(data):
            found = self._pattern.search(data, at, at + STEP + self._longest)
            if found and found.start() < at + STEP:
                pieces += [data[kept : found.start()], _HIDDEN]
                kept = at = found.end()
            else:
                at += STEP
            if at < len(data):
                yield
        return b"".join([*pieces, data[kept:]]) if pieces else data

    def hide_parts(self, text: str) -> str:
        """Return a short text without a key, nor a piece of one: who quoted it may have cut it."""
        text = self.hide(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        for key in self._keys:
            text = _without_parts(text, key.reveal().lower())
        return text


def _length(key: Secret) -> int:
    return len(key.reveal())


def _spelled(key: Secret) -> str:
    return "".join(map(_letter, key.reveal()))


def _letter(letter: str) -> str:
    """Return a pattern for the spellings of a letter, in UTF-8; each begins with one sign, which makes the search fast."""
    cases = sorted({letter.lower(), letter.upper()})
    codes = [form for case in cases if len(case) == 1 for form in _escapes(ord(case))]
    slashed = [] if letter.isalnum() else [rf"\\{re.escape(letter)}"]
    return f"(?:{'|'.join([*map(re.escape, cases), *codes, *slashed])})"


def _escapes(code: int) -> list[str]:
    hexadecimal = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{code:02x}")
    return [rf"\\u00{hexadecimal}", f"%{hexadecimal}", f"&#x{hexadecimal};", f"&#{code};"] if code < 0x80 else []  # noqa: PLR2004 - ASCII


def _without_parts(text: str, key: str) -> str:
    lower, pieces, at, kept = text.lower(), [], 0, 0
    while len(lower) == len(text) and at <= len(lower) - _PART:
        if lower[at : at + _PART] not in key:
            at += 1
            continue
        end = at + _PART
        while end < len(lower) and lower[at : end + 1] in key:
            end += 1
        pieces += [text[kept:at], _HIDDEN.decode()]
        kept = at = end
    return "".join([*pieces, text[kept:]])
