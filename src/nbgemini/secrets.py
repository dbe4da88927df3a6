"""A key that shows itself only to the one who asks for it by name."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Generator
from html.entities import html5
from typing import NoReturn

_SHORTEST = 12  # characters of a key that is searched for; a test's "offline" is a word
HIDDEN = b"[key]"
_LONGEST_SPELLING = 12  # signs for one letter: &#x0000041;
PART = 8  # characters of a key that are hidden where it was cut
STEP = 65_536  # bytes that are searched at once: half a millisecond


class Secret:
    """A text that is masked wherever Python would print it, and refuses to be pickled or copied into a dict."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text.strip()  # pasting adds blanks

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Compare without telling by the time it takes."""
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __reduce__(self) -> NoReturn:
        """Refuse: a pickle is a file, and keys don't go into files."""
        raise TypeError("a key is never pickled")


class Mask:
    """What takes keys out of what a service says, in any spelling: in either case, in base64, escaped as in JSON, URLs or HTML.

    A key that is too short to be one, as a test's may be, is not looked for.
    """

    __slots__ = ("_encoded", "_escapes", "_in_encoded", "_keys", "_longest", "_pattern", "_plain")

    def __init__(self, *keys: Secret) -> None:
        self._keys = tuple(sorted({key for key in keys if len(key.reveal()) >= _SHORTEST}, key=_length, reverse=True))
        self._longest = max(map(_length, self._keys), default=0) * _LONGEST_SPELLING
        spellings = ["".join(map(_letter, key.reveal())) for key in self._keys]
        encoded = [form for key in self._keys for form in _in_base64(key)]
        self._pattern = re.compile("|".join(spellings).encode()) if self._keys else None
        self._encoded = re.compile("|".join([*map(_base64_spelled, encoded), *spellings]).encode())
        self._in_encoded = [max(re.findall("[A-Za-z0-9]+", form), key=len).encode() for form in encoded]
        texts = [key.reveal().lower() for key in self._keys]
        self._plain = [text.encode() for text in texts] if all(map(str.isascii, texts)) else None
        signs = [sign for sign in set("".join(texts)) if not sign.isalnum()]
        ways = [way for sign in signs for way in (f"\\{sign}", *_entities(sign))]
        self._escapes = (b"\\u00", b"%", b"&#", *(way.encode() for way in ways))

    def __repr__(self) -> str:
        return f"Mask({len(self._keys)})"

    @property
    def forms(self) -> list[str]:
        """What the keys are, as they are and in base64, all in lower case."""
        return [form.lower() for key in self._keys for form in (key.reveal(), *_in_base64(key))]

    def found_in(self, data: bytes) -> bool:
        """Return whether a key stands in a short piece of data; where nothing is escaped this takes no pattern."""
        if self._pattern is None:
            return False
        if self._plain is None or any(sign in data for sign in self._escapes):
            return self._encoded.search(data) is not None
        if any(run in data for run in self._in_encoded):
            return True
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
        pattern = self._pattern
        for run in self._in_encoded:
            if run in data:
                pattern = self._encoded  # base64 takes longer
                break
            if len(data) > STEP:
                yield
        pieces, kept, at = [], 0, 0
        while at < len(data):
            found = pattern.search(data, at, at + STEP + self._longest)
            if found and found.start() < at + STEP:
                pieces += [data[kept : found.start()], HIDDEN]
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


def _letter(letter: str) -> str:
    """Return a pattern for the spellings of a letter, in UTF-8; each begins with one sign, which makes the search fast."""
    cases = sorted({letter.lower(), letter.upper()})
    codes = [form for case in cases if len(case) == 1 for form in _escapes(ord(case))]
    named = [] if letter.isalnum() else [rf"\\{{1,2}}{re.escape(letter)}", *map(re.escape, _entities(letter))]
    return f"(?:{'|'.join([*map(re.escape, cases), *codes, *named])})"


def _entities(letter: str) -> list[str]:
    """Return the names that HTML has for a letter."""
    return sorted(f"&{name}" for name, meant in html5.items() if meant == letter and name.endswith(";"))


def _in_base64(key: Secret) -> list[str]:
    """Return what of a key can be told in base64, for each place where it may stand in the encoded text."""
    text = key.reveal().encode()
    found = (b64encode(b"\0" * before + text).decode() for before in range(3))
    return [one[(4 * before + 2) // 3 : (before + len(text)) // 3 * 4] for before, one in enumerate(found)]


def _base64_spelled(form: str) -> str:
    """Return a pattern for base64 in the alphabet of MIME or of URLs, escaped or not."""
    return form.replace("+", "(?:[+-]|%2[Bb])").replace("/", r"(?:\\?/|_|%2[Ff])")


def _escapes(code: int) -> list[str]:
    hexadecimal = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{code:02x}")
    in_html = [f"&#[xX]0{{,5}}{hexadecimal};?", f"&#0{{,5}}{code};?"]
    return [rf"\\u00{hexadecimal}", f"%{hexadecimal}", *in_html] if code < 0x80 else []  # noqa: PLR2004 - ASCII


def _without_parts(text: str, key: str) -> str:
    lower, pieces, at, kept = text.lower(), [], 0, 0
    while len(lower) == len(text) and at <= len(lower) - PART:
        if lower[at : at + PART] not in key:
            at += 1
            continue
        end = at + PART
        while end < len(lower) and lower[at : end + 1] in key:
            end += 1
        pieces += [text[kept:at], HIDDEN.decode()]
        kept = at = end
    return "".join([*pieces, text[kept:]])


def without_password(address: str) -> str:
    """Return an address, quoted, without what may be a password in it."""
    before, at, after = address.rpartition("@")
    return repr(f"{before.partition('//')[0]}//…@{after}" if at else address)
