"""A source that can also make plain calls: something out, an answer with headers back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from msgspec import Struct


class Answer(Struct, frozen=True):
    """What came back; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes


@runtime_checkable
class Caller(Protocol):
    """What makes one plain call after the other."""

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b"") -> Answer:
        """Send one request and return the whole answer; a path that begins with a slash stands below the host, not the base.

        Raises:
            TransportError: no answer came through.
            ApiError: the service answered with an error.
        """
        ...
