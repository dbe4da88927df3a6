"""When a request is sent again: after which trouble, how often, and after how long. Pure: whoever asks has the clock.

Rules: only trouble that passes (the error says so) and only while nothing was shown, which the caller knows; what the service
asks for is obeyed up to a cap, and beyond it nothing is sent at all; all requests of a process share one budget, so that many
of them don't storm a service in trouble.
Sources: AIP-194 (what may be sent again), google.rpc.RetryInfo, RFC 9110 §10.2.3; jitter and the shared budget are those of the
AWS SDKs' standard mode.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeAlias

from msgspec import Struct, field

from nbgemini.errors import ApiError, NbGeminiError

Sleep: TypeAlias = Callable[[float], Awaitable[object]]


class RetryPolicy(Struct, frozen=True):
    """How patient one request is: attempts with the first one, and seconds."""

    attempts: int = 3
    first_wait: float = 1.0  # at most, before the second attempt; doubled each time
    longest_wait: float = 60.0  # what a service may ask for
    total: float = 120.0  # from the first attempt to the last


class RetryBudget:
    """What all requests together may spend on being sent again."""

    def __init__(self, tokens: int = 500, cost: int = 5) -> None:
        """Begin with all of it; one attempt more costs `cost` tokens."""
        self._most = self._left = tokens
        self._cost = cost

    def spend(self) -> bool:
        """Pay for one attempt more; False if there is too little left."""
        enough = self._left >= self._cost
        if enough:
            self._left -= self._cost
        return enough

    def refund(self, attempts: int) -> None:
        """Take back what a request paid that went well in the end; one that needed nothing brings a token."""
        self._left = min(self._most, self._left + max(1, attempts * self._cost))


class Attempts:
    """One request, however often it is sent."""

    def __init__(
        self, policy: RetryPolicy, budget: RetryBudget, clock: Callable[[], float], chance: Callable[[], float]
    ) -> None:
        """Begin the first attempt; `chance` returns random numbers from 0 to 1."""
        self._policy = policy
        self._budget = budget
        self._clock = clock
        self._chance = chance
        self._began = clock()
        self.made = 1

    @property
    def most(self) -> int:
        """How often the request is sent at most."""
        return self._policy.attempts

    def again(self, error: NbGeminiError) -> float | None:
        """Return after how many seconds the next attempt may begin, and pay for it; None if there is none."""
        wait = self.delay(error)
        return wait if wait is not None and self.take() else None

    def delay(self, error: NbGeminiError) -> float | None:
        """Return after how many seconds the policy allows the next attempt; None if it allows none."""
        wait = self._wait(error)
        late = self._clock() - self._began + wait > self._policy.total
        if not error.passing or self.made >= self._policy.attempts or wait > self._policy.longest_wait or late:
            return None
        return wait

    def take(self) -> bool:
        """Pay for the next attempt and count it; False if the budget has too little left."""
        if not self._budget.spend():
            return False
        self.made += 1
        return True

    def succeeded(self) -> None:
        """Give back what was spent."""
        self._budget.refund(self.made - 1)

    def _wait(self, error: NbGeminiError) -> float:
        """Return what the service asks for and a little more, since others were told the same; or a growing random time."""
        asked = error.retry_after if isinstance(error, ApiError) else None
        if asked is not None:
            return asked * (1 + 0.1 * self._chance())
        return self._policy.first_wait * float(2 ** (self.made - 1)) * (1 + self._chance()) / 2


BUDGET = RetryBudget()  # of the process: a hundred clients in a storm are one storm


class Retry(Struct, frozen=True):
    """How requests are retried: how often, after how long, and out of which budget."""

    policy: RetryPolicy = RetryPolicy()
    sleep: Sleep = asyncio.sleep
    budget: RetryBudget = field(default_factory=lambda: BUDGET)

    def attempts(self) -> Attempts:
        """Return the count of one request's attempts, from now on."""
        return Attempts(self.policy, self.budget, monotonic, random.random)
