"""How many requests go out at once: as many as the service bears. Pure: whoever asks has the clock.

Rules: a limit halves the number, once for all the requests that were out when it came; what the service asks to wait is waited
by all together, not by each on its own, and where it names no time, until something is answered; as many successes as there are
places bring back one place, never more than allowed.
Invariant: after a pause or a limit there is always at least one place, so that the rest is never given up in silence.
"""

from __future__ import annotations

from collections.abc import Callable

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds, where the service names none
_JITTER = 0.1  # of what it names: others were told the same


class AimdLimiter:
    """Additive increase, multiplicative decrease, and one pause for all."""

    def __init__(self, most: int, clock: Callable[[], float], chance: Callable[[], float]) -> None:
        """Begin with all places; `chance` returns random numbers from 0 to 1."""
        self.most = self.places = most  # that may be out at once, at best and now
        self._clock = clock
        self._chance = chance
        self._good = 0  # successes since the last change
        self._cut_at = float("-inf")
        self._in_vain = 0  # limits since the last success
        self._asked_until = self._own_until = float("-inf")

    @property
    def wait(self) -> float:
        """Seconds until the next request may go out, whatever runs."""
        return max(0.0, max(self._asked_until, self._own_until) - self._clock())

    def room(self, running: int) -> bool:
        """Whether one more may go out now."""
        return running < self.places and not self.wait

    def succeeded(self) -> None:
        """Count an answer; where the service named no time to wait, it is over."""
        self._in_vain, self._own_until = 0, float("-inf")
        self._good += 1
        if self._good >= self.places and self.places < self.most:
            self._set(self.places + 1)

    def limited(self, began: float, asked: float | None) -> None:
        """Take in a limit: the request went out when the clock said `began`, the service asks to wait so long if it says so."""
        now = self._clock()
        if began > self._cut_at:  # else it was out already when the last one came: the same news
            self._cut_at = now
            self._in_vain += 1
            self._set(self.places // 2)
        if asked is None:  # until the next answer, but no longer than this
            longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(self._in_vain - 1, 10))
            self._own_until = max(self._own_until, now + longest * (1 + self._chance()) / 2)
        else:
            self._asked_until = max(self._asked_until, now + asked * (1 + _JITTER * self._chance()))

    def drop_to_one(self) -> None:
        """Go on with one request at a time."""
        self._set(1)

    def _set(self, places: int) -> None:
        self.places, self._good = max(1, places), 0
