"""The head of an HTTP/1 response: a status, and headers with names in lower case.

Source: RFC 9112. Lenient where real servers are: lines that end at LF alone, a missing reason, folded lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

LARGEST_HEAD = 65_536  # bytes
MOST_FIELDS = 256
BEGINNING = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.([01])[ \t]+([1-9]\d\d)(?:[ \t].*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_NEVER = re.compile(rb"[\0\r]")


class Head(Struct, frozen=True):
    """What stands before the body; of several headers of one name the values are joined."""

    status: int
    headers: Mapping[str, str]
    persistent: bool  # the connection may serve another request, if this body ends by itself

    @property
    def interim(self) -> bool:
        """Whether another head follows."""
        return self.status < 200 and self.status != 101  # noqa: PLR2004 - HTTP: 101 is no HTTP any more

    @property
    def bodiless(self) -> bool:
        """Whether no body follows, whatever the headers say."""
        return self.status in (204, 304)

    def tokens(self, name: str) -> list[str]:
        """Return the comma-separated words of a header, in lower case."""
        return [word for word in (part.strip().lower() for part in self.headers.get(name, "").split(",")) if word]


def read_head(block: bytes) -> Head | None:
    """Return what a head says, given without the blank line at its end; None if it is none."""
    first, *lines = [line.removesuffix(b"\r") for line in _FOLD.sub(b" ", block).split(b"\n")]
    status = _STATUS.fullmatch(first)
    headers = _fields(lines)
    if status is None or headers is None:
        return None
    head = Head(int(status[2]), headers, persistent=False)
    persistent = status[1] == b"1" and "close" not in head.tokens("connection")
    return Head(head.status, headers, persistent)


def _fields(lines: list[bytes]) -> dict[str, str] | None:
    headers: dict[str, str] = {}
    if len(lines) > MOST_FIELDS:
        return None
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None or _NEVER.search(line):
            return None
        name, value = field[1].lower().decode("ascii"), field[2].decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
