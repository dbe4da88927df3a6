"""A request as plain data: what is asked of a service before anyone opens a socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct


class Request(Struct, frozen=True):
    """Method, path below the base URL, query and JSON body; never a key, never a host.

    `reuse` says whether an answer may be another's: `never` of what does something or is no prompt; with `fresh` it is asked
    anew, for later ones.
    """

    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = {}
    method: Literal["GET", "POST"] = "POST"
    reuse: Literal["never", "fresh", "any"] = "never"

    @property
    def streams(self) -> bool:
        """Whether the answer is asked for piece by piece, in whichever way the service has for that."""
        return "alt" in self.query or bool(self.body and self.body.get("stream"))
