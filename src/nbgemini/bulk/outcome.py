"""What a reply means for its row and for the map; pure: the caller has the clock, spends the budget and acts.

Rules: a limit of the service is waited for by all rows together, and the row that met it is the next, for ten minutes at most;
other transient errors send the row again as often as any prompt is, while nothing of the answer has come; an error that every
row would meet ends the map.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol, TypeAlias

from msgspec import Struct

from nbgemini.errors import ApiError, AuthenticationError, ConfigurationError, NbGeminiError, RateLimitError

LONGEST = 600.0  # seconds for which a row is sent again where only limits are in its way
_LIMITS = (429, 503, 529)
_NOT_FOUND, _NOT_ALLOWED = 404, "PERMISSION_DENIED"
_ALIKE = 10  # rows that fail in the same words


class Completed(Struct, frozen=True):
    """The row has all of the answer that it will have."""


class RetryAfter(Struct, frozen=True):
    """The row is sent again after so many seconds, if the retry budget allows; the others go on."""

    seconds: float


class BackOff(Struct, frozen=True):
    """All rows wait, as long as the service asked if it did, and this one is the next."""

    retry_after: float | None


class Failed(Struct, frozen=True):
    """The row has failed, and no other with it."""


class StopAll(Struct, frozen=True):
    """Every row would fail by this error."""

    error: NbGeminiError


Outcome: TypeAlias = Completed | RetryAfter | BackOff | Failed | StopAll


class _Attempts(Protocol):
    def delay(self, error: NbGeminiError) -> float | None: ...


class _Row(Protocol):
    """A row on its way: its attempts, and when it first met a limit."""

    @property
    def attempts(self) -> _Attempts: ...
    @property
    def limited_since(self) -> float | None: ...


class _Reply(Protocol):
    @property
    def error(self) -> NbGeminiError | None: ...
    @property
    def segments(self) -> object: ...


def outcome(reply: _Reply, row: _Row, now: float) -> Outcome:
    """Return what a reply that is over means for its row; `now` is the time by the clock of `row.limited_since`."""
    error = reply.error
    if error is None:
        return Completed()
    if concerns_all(error):
        return StopAll(error)
    if reply.segments:
        return Failed()  # what was shown is not asked for again
    if isinstance(error, ApiError) and (isinstance(error, RateLimitError) or error.code in _LIMITS):
        since = now if row.limited_since is None else row.limited_since
        return BackOff(error.retry_after) if now + (error.retry_after or 0.0) - since <= LONGEST else Failed()
    delay = row.attempts.delay(error)
    return Failed() if delay is None else RetryAfter(delay)


def concerns_all(error: NbGeminiError) -> bool:
    """Whether every row meets an error: no key, no permission, no such model, a quota that waiting does not bring back."""
    if isinstance(error, RateLimitError):
        return error.daily or (error.retry_after or 0.0) > LONGEST
    refused = isinstance(error, ApiError) and (error.code == _NOT_FOUND or error.status == _NOT_ALLOWED)
    return isinstance(error, AuthenticationError | ConfigurationError) or refused


class SystemicFailureDetector:
    """Detects that rows fail for a reason that all rows share, although no single error says so."""

    def __init__(self) -> None:
        """Begin without failures."""
        self._alike: Counter[str] = Counter()  # since the last answer
        self._answered = False

    def succeeded(self) -> None:
        """Count a row that was answered."""
        self._alike.clear()
        self._answered = True

    def detects(self, error: NbGeminiError) -> bool:
        """Return whether this failure, after those before, is one of all rows: many in the same words, and no answer between.

        Once there was an answer only transient errors count: rows of one kind may stand together.
        """
        self._alike[str(error)] += 1
        return self._alike[str(error)] >= _ALIKE and (error.passing or not self._answered)
