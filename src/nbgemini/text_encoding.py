"""The text of some bytes, and the encoding it is in where that is not UTF-8: known by its marks, or told by what it gives.

A guess is made only where it can be checked: Japanese by its kana, Western European by letters that stand alone among others.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig", ""),
    (b"\xff\xfe\x00\x00", "utf-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "utf-32", "UTF-32"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)
_JAPANESE = (("cp932", "Shift-JIS"), ("euc_jp", "EUC-JP"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_RUN = re.compile(rb"[\x80-\xff]{4,}")  # letters of another alphabet, and not accents among ours
_WITHIN = re.compile(r"[^\W\d_][^\w\s'\u2019\-\u00ad]+[^\W\d_]")  # a sign between two letters
_SAMPLE = 100_000  # characters that are looked at
_NULLS = 0.5  # of every second byte, in text that is mostly ASCII
_KANA = 0.2  # of what is not ASCII in Japanese


def decoded(data: bytes) -> tuple[str, str] | None:
    """Return the text of some bytes and its encoding's name, empty for UTF-8; None for no text, or none that is known."""
    return next((found for found in _readings(data) if not _CONTROL.search(found[0][:_SAMPLE])), None)


def _readings(data: bytes) -> Iterator[tuple[str, str]]:
    mark = next(((codec, name) for begin, codec, name in _MARKS if data.startswith(begin)), None)
    ways = (mark,) if mark else _unmarked(data)
    for codec, name in ways:
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if mark or _fits(codec, text, data):
            yield text, name


def _unmarked(data: bytes) -> tuple[tuple[str, str], ...]:
    if b"\x1b$" in data[:_SAMPLE]:
        return (("iso2022_jp", "ISO-2022-JP"), ("utf-8", ""))
    if b"\0" in data[:_SAMPLE]:
        few, many = sorted((nulls(data[:_SAMPLE:2]), nulls(data[1:_SAMPLE:2])))
        codec = "utf-16-be" if nulls(data[:_SAMPLE:2]) == many else "utf-16-le"
        return ((codec, "UTF-16"),) if few == 0 and many > _NULLS else ()
    return (("utf-8", ""), *_JAPANESE, ("cp1252", "Windows-1252"))


def nulls(data: bytes) -> float:
    """Return which part of some bytes is null."""
    return data.count(0) / max(1, len(data))


def _fits(codec: str, text: str, data: bytes) -> bool:
    """Whether a text is one that somebody would write, and not other bytes read in the wrong way."""
    sample = text[:_SAMPLE]
    if codec in ("cp932", "euc_jp"):
        foreign = [letter for letter in sample if letter > "\x7f"]
        kana = sum("\u3040" <= letter <= "\u30ff" for letter in foreign)
        odd = sum("\uff61" <= letter <= "\uff9f" or unicodedata.category(letter) == "Co" for letter in foreign)
        return bool(foreign) and kana >= _KANA * len(foreign) > odd
    if codec == "cp1252":
        return not _RUN.search(data[:_SAMPLE]) and not any(_is_foreign(found[0]) for found in _WITHIN.finditer(sample))
    return True


def _is_foreign(found: str) -> bool:
    return any(letter > "\x7f" for letter in found[1:-1])
