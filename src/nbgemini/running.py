"""What runs and ends once: how it is stopped, and how its end is waited for, on the loop, in threads, and in sync code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from nbgemini import nesting
from nbgemini.reentry import run_within


class Running:
    """A handle on what runs; whoever runs it says how it is cancelled, and when it is over."""

    def __init__(self) -> None:
        """Begin."""
        self.stopping = False
        self._cancel: Callable[[], object] | None = None
        self._stop_call: Callable[[int], object] = lambda _: None
        self._done = threading.Event()
        self._callbacks: list[Callable[[], object]] = []

    @property
    def done(self) -> bool:
        """Whether the state is terminal."""
        return self._done.is_set()

    def attach(self, cancel: Callable[[], object]) -> None:
        """Say how the running stream is cancelled; `cancel` may be called from any thread."""
        self._cancel = cancel
        if self.stopping:  # before it ran
            cancel()

    def stop(self) -> None:
        """Stop the stream and keep what arrived; harmless twice, after the end, and from any thread."""
        if self.done or self.stopping:
            return
        self.stopping = True
        if self._cancel:
            self._cancel()

    def attach_calls(self, stop_call: Callable[[int], object]) -> None:
        """Say how one of the calls that are being answered is stopped; `stop_call` may be called from any thread."""
        self._stop_call = stop_call

    def stop_call(self, number: int) -> None:
        """Stop one of `tool_calls` while it runs, waits or asks; all else goes on. Harmless after its end, from any thread."""
        if not self.done:
            self._stop_call(number)

    def when_done(self, callback: Callable[[], object]) -> None:
        """Call back when the state is terminal: at once if it is already."""
        if self.done:
            callback()
        else:
            self._callbacks.append(callback)

    def end_now(self) -> None:
        """Be over, and tell who waits."""
        self._done.set()
        for callback in self._callbacks:
            callback()

    async def ended(self) -> None:
        """Return when it is over."""
        if not self.done:
            nesting.check(self)
            await self._over(None)

    def wait(self, timeout: float | None) -> None:
        """Return when it is over, from code that is not async, the loop staying alive.

        Raises:
            TimeoutError: it took longer than `timeout` seconds; it goes on.
            ConfigurationError: the running loop can't be entered again (uvloop).
        """
        if self.done:
            return
        nesting.check(self)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if not self._done.wait(timeout):
                raise TimeoutError(f"not finished after {timeout:g} s; it goes on") from None
            return
        run_within(loop, self._over(timeout))

    async def _over(self, seconds: float | None) -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        self.when_done(lambda: loop.call_soon_threadsafe(over.set))
        await asyncio.wait_for(over.wait(), seconds)
