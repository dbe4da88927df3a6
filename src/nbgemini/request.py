"""A request as plain data: what is asked of a service before anyone opens a socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct


class Request(Struct, frozen=True):
    """Method, path below the base URL, query and JSON body; never a key, never a host.

    `fresh` wants it asked whatever is known of it already.
    """

    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = {}
    method: Literal["GET", "POST"] = "POST"
    fresh: bool = False
