"""What keeps a store's trouble away from answers.

Invariants: a store is waited for so long and no longer, in time that the loop was awake for; after trouble it is let alone
until a look at it that nobody waits for went well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from nbgemini.errors import root_cause

T = TypeVar("T")

_TICKS = 5  # a tick that comes late, since a cell held the loop, counts as one
AT_ONCE = 16  # more of them wait, each for its turn, and not at all once there is trouble
_LET_ALONE = 20.0  # seconds


class CircuitBreaker:
    """Who lets others use a store."""

    def __init__(self, patience: float, tell: Callable[[str], object], clock: Callable[[], float] = monotonic) -> None:
        """Wait for `patience` seconds; `tell` hears of trouble, each time."""
        self.trouble = ""  # why the store is let alone now
        self._patience = patience
        self._tell = tell
        self._clock = clock
        self._again = 0.0
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._probing: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Return what comes of it; None after trouble, or if there was some a short while ago."""
        gate = self._gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
        async with gate:
            if self.trouble:
                if self._clock() >= self._again:
                    self._again = self._clock() + _LET_ALONE
                    self._probing = asyncio.get_running_loop().create_task(self._probe(work))
                return None
            try:
                return await with_deadline(self._patience, work())
            except Exception as error:  # noqa: BLE001 - whatever a store has, an answer must not have it
                self._fail(error)
                return None

    async def aclose(self) -> None:
        """Look no more."""
        probing, self._probing = self._probing, None
        if probing is not None and probing.get_loop() is asyncio.get_running_loop():
            probing.cancel()
            await asyncio.wait({probing})

    def _fail(self, error: Exception) -> None:
        self._again = self._clock() + _LET_ALONE
        self.trouble = describe_error(error)
        self._tell(self.trouble)

    async def _probe(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Try whether the store works again; what comes of it is nobody's."""
        try:
            await with_deadline(self._patience, work())
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
        else:
            self.trouble = ""


async def with_deadline(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of `work`; after so many seconds it is cancelled, and TimeoutError raised."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody may be left to ask for it
    try:
        for _ in range(_TICKS):
            if (await asyncio.wait({task}, timeout=seconds / _TICKS))[0]:
                return task.result()
        raise TimeoutError(f"it did not answer within {seconds:g} s")
    finally:
        task.cancel()


def describe_error(error: Exception) -> str:
    """Return in one line what went wrong."""
    text = getattr(root_cause(error), "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:160]
