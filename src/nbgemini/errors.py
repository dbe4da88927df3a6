"""Everything raised on purpose; each class answers "what can the user do about it?".

NbGeminiError
├── ConfigurationError        no key, unknown model, missing extra: nothing was sent
├── PromptError               bad option, unknown name, empty prompt: nothing was sent
├── TransportError            no answer came: refused, timed out, stalled, cut off
├── ApiError                  the service said no: code, status, message
│   ├── AuthenticationError   the key is wrong (HTTP 400 API_KEY_INVALID at Google), missing or not allowed
│   ├── RateLimitError        too many requests; `retry_after` seconds, `daily` when waiting is useless
│   └── ServerError           the service's own trouble
├── WireError                 the bytes are not what the protocol allows
├── BlockedError              prompt or answer withheld: reason
├── UnfinishedError           a value was read before it is whole, where it can't be waited for
└── ToolError                 unknown, refused, failed, timed out, rounds ran out

Invariants: a message is one line of visible characters and names the way out; no message, attribute or chained exception
holds a key.
Stopping is not an error.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any


class NbGeminiError(Exception):
    """Root of the tree. `reply` holds what had arrived when there is something to keep.

    `passing` says that the same request may succeed a little later, `played` that a cassette said so, not the service.
    """

    reply: Any = None
    passing: bool = False
    played: bool = False

    def __init__(self, message: str = "") -> None:
        """Show what a terminal would obey or a reader not see: services and models are quoted in messages."""
        super().__init__("".join(char if char.isprintable() else repr(char)[1:-1] for char in message))

    def _render_traceback_(self) -> list[str]:
        """Show one line in a cell that fails (IPython's hook), and the full chain when `%tb` asks afterwards."""
        if sys.exception() is None and getattr(sys, "last_value", None) is self:  # it failed some time ago
            return "".join(traceback.format_exception(self)).splitlines()
        return [f"{type(self).__name__}: {self}"]


class ConfigurationError(NbGeminiError):
    """Nothing was sent, because something is not set up."""


class PromptError(NbGeminiError):
    """Nothing was sent, because what was typed can't be understood."""


class TransportError(NbGeminiError):
    """No answer, or only the beginning of one, came through the network."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        """Say whether it may pass."""
        super().__init__(message)
        self.passing = passing


class ApiError(NbGeminiError):
    """The service answered with an error.

    Attributes: `code` is the HTTP code (0 if the service named none), `status` the service's own word
    (`NOT_FOUND`), `reason` the ErrorInfo reason if there is one, `retry_after` the seconds it asks to wait.
    """

    retry_after: float | None = None

    def __init__(self, message: str, *, code: int = 0, status: str = "", reason: str = "") -> None:
        """Keep the service's own facts beside the message."""
        super().__init__(message)
        self.code = code
        self.status = status
        self.reason = reason


class AuthenticationError(ApiError):
    """The key is wrong, missing, or not allowed to do this."""


class RateLimitError(ApiError):
    """Too many requests; `daily` says that waiting today is useless."""

    daily: bool = False


class ServerError(ApiError):
    """The service failed; asking again later may help."""


class WireError(NbGeminiError):
    """The bytes are not what the protocol allows."""


class BlockedError(NbGeminiError):
    """The prompt or the answer was withheld by the service."""


class ToolError(NbGeminiError):
    """A tool is unknown, was refused, failed, or the rounds ran out."""


class UnfinishedError(NbGeminiError):
    """What was read is not whole yet, and can't be waited for here."""
