"""What runs and ends once: how it is stopped, and how its end is waited for, on the loop, in threads, and in sync code."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from nbgemini._async import callers, deadlock
from nbgemini._async.nested_loop import run_within
from nbgemini.errors import UnfinishedError

_HANDLES = ("_cancel", "_stop_call", "_done", "_callbacks", "_home", "_run", "_task")  # of no use once it is over
_BEAT, _PATIENCE = 1.0, 20.0  # seconds: how often a thread looks whether the loop still turns, and how long it may stand still


class _Home(NamedTuple):
    """Where it runs."""

    loop: asyncio.AbstractEventLoop
    thread: int
    process: int


class Running:
    """A handle on what runs; whoever runs it says how it is cancelled, and when it is over."""

    def __init__(self) -> None:
        """Begin."""
        self.stopping = False
        self._cancel: Callable[[], object] | None = None
        self._stop_call: Callable[[int], object] = lambda _: None
        self._done = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._home: _Home | None = None

    @property
    def done(self) -> bool:
        """Whether the state is terminal."""
        return self._done.is_set()

    def begun(self) -> None:
        """Note that the running loop is the one that runs it."""
        self._home = _Home(asyncio.get_running_loop(), threading.get_ident(), os.getpid())

    def attach(self, cancel: Callable[[], object]) -> None:
        """Say, on the loop that runs it, how the stream is cancelled; `cancel` may be called from any thread."""
        self.begun()
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
            deadlock.check(self)
            await self._over(None)

    def wait(self, timeout: float | None) -> None:
        """Return when it is over, from code that is not async, the loop staying alive.

        Raises:
            TimeoutError: it took longer than `timeout` seconds; it goes on.
            ConfigurationError: the running loop can't be entered again (uvloop).
        """
        if self.done:
            return
        deadlock.check(self)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if not self._done.wait(timeout):
                raise TimeoutError(f"not finished after {timeout:g} s; it goes on") from None
            return
        run_within(loop, self._over(timeout))

    def wait_here(self) -> None:
        """Return when it is over: called by what reads a value that is whole only then, wherever that stands.

        Raises:
            UnfinishedError: it can't be waited for here.
            ToolError: it waits for the code that reads.
            ConfigurationError: the running loop can't be entered again (uvloop).
        """
        if self.done:
            return
        deadlock.check(self)
        if callers.reader() != "waits":
            self._refuse("this code can't wait for it")
        if self._home is None:
            self._refuse("nothing has asked for it yet")
        if self._home.process != os.getpid():
            self._refuse("it runs in the process that this one was forked from")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._wait_without_loop(self._home)
        else:
            run_within(loop, self._over(None))

    def _wait_without_loop(self, home: _Home) -> None:
        """Wait in a thread that runs no loop: for the loop of another thread, or, in its own, by letting it turn."""
        loop = home.loop
        if loop.is_closed():
            self._refuse("the loop that ran it is closed")
        if home.thread == threading.get_ident():
            loop.run_until_complete(self._over(None))
            return
        turned = threading.Event()
        stood = 0.0
        loop.call_soon_threadsafe(turned.set)
        while not self._done.wait(_BEAT):
            stood = 0.0 if turned.is_set() else stood + _BEAT
            if stood >= _PATIENCE:
                self._refuse("the loop that runs it stands still, maybe waiting for this thread")
            if turned.is_set():
                turned.clear()
                loop.call_soon_threadsafe(turned.set)

    def _refuse(self, why: str) -> NoReturn:
        raise UnfinishedError(
            f"not finished yet, and {why} → await it first, or .result() in code that is not async; .so_far has what came"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy has, and a file: all but the handles on what ran.

        Raises:
            UnfinishedError: it is not over.
        """
        if not self.done:
            self._refuse("what still grows can't be copied or stored")
        return {name: value for name, value in self.__dict__.items() if name not in _HANDLES}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Be over, with all that came."""
        Running.__init__(self)
        self.__dict__.update(state)
        self._done.set()

    async def _over(self, seconds: float | None) -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        self.when_done(lambda: loop.call_soon_threadsafe(over.set))
        await asyncio.wait_for(over.wait(), seconds)
