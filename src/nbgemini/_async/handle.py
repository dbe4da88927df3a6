"""A handle on something that runs and ends once: how it is stopped, and how its end is waited for, wherever that is."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TypeVar

from nbgemini._async.deferred import run_within, running_loop
from nbgemini._async.readers import current_reader, refuse_deadlock
from nbgemini.errors import UnfinishedError

T = TypeVar("T")

_log = logging.getLogger("nbgemini")
_BEAT, _PATIENCE = 1.0, 20.0  # seconds: how often a thread checks that the loop still turns, and how long it may stand still


class _Home(NamedTuple):
    """Where it runs."""

    loop: asyncio.AbstractEventLoop
    thread: int
    process: int


class Lifecycle:
    """The writer's side of a handle: where it runs, how it is cancelled, and that it has ended.

    Attributes:
        done: whether it has ended.
        stopping: whether somebody has asked for its end.
        home: where it runs; None before it has started.
    """

    def __init__(self) -> None:
        self.stopping = False
        self.home: _Home | None = None
        self._cancel: Callable[[], object] | None = None
        self._stop_call: Callable[[int], object] | None = None
        self.done = False
        self._callbacks: list[Callable[[], object]] = []

    def start(self) -> None:
        """Note that it runs on the running loop."""
        self.home = _Home(asyncio.get_running_loop(), threading.get_ident(), os.getpid())

    def on_stop(self, cancel: Callable[[], object]) -> None:
        """Cancel it by `cancel`, which may be called from any thread; at once if it was stopped before it ran."""
        self.start()
        self._cancel = cancel
        if self.stopping:
            cancel()

    def on_stop_call(self, stop_call: Callable[[int], object]) -> None:
        """Stop the n-th tool call by `stop_call`, which may be called from any thread."""
        self._stop_call = stop_call

    def stop(self) -> None:
        """Cancel it; harmless twice, and after the end."""
        if self.done or self.stopping:
            return
        self.stopping = True
        if self._cancel:
            self._cancel()

    def stop_call(self, number: int) -> None:
        """Stop one tool call; harmless after the end."""
        if self._stop_call:
            self._stop_call(number)

    def when_done(self, callback: Callable[[], object]) -> None:
        """Call back at the end, or at once if that is past."""
        if self.done:
            callback()
        else:
            self._callbacks.append(callback)

    def finish(self) -> None:
        """End, and tell everybody who waits."""
        self.done = True
        callbacks, self._callbacks = self._callbacks, []
        self._cancel = self._stop_call = None
        for callback in callbacks:
            callback()

    def wait(self, seconds: float | None) -> bool:
        """Block this thread until the end, or for so many seconds; return whether it has ended."""
        ended = threading.Event()
        self._callbacks.append(ended.set)
        return self.done or ended.wait(seconds)  # in this order: the end may come meanwhile, in another thread

    def __reduce__(self) -> tuple[Callable[[], Lifecycle], tuple[()]]:
        """Let a copy, and a file, have the end alone."""
        return _ended, ()


def _ended() -> Lifecycle:
    lifecycle = Lifecycle()
    lifecycle.finish()
    return lifecycle


class SafeCallback:
    """A callback that is left out once it has failed: whatever is wrong with it, the work goes on."""

    def __init__(self, callback: Callable[[Any], object] | None, trouble: str) -> None:
        """Call it for each value, if there is one; `trouble` is logged when it fails."""
        self._callback = callback
        self._trouble = trouble

    def __call__(self, value: Any) -> None:
        """Call it."""
        if self._callback is None:
            return
        try:
            self._callback(value)
        except Exception:  # noqa: BLE001 - anybody's code
            _log.exception(self._trouble)
            self._callback = None


class CancelOnce:
    """A stop as a cancel of a task; a cancel by somebody else must not go unheard."""

    def __init__(self, task: asyncio.Task[Any], over: Callable[[], bool]) -> None:
        self._task = task
        self._over = over
        self._before = task.cancelling()
        self._sent = False

    def cancel(self) -> None:
        """Cancel the task."""
        if not self._over():
            self._sent = True
            self._task.cancel()

    def was_all(self) -> bool:
        """Take the cancel back, once it has come; return whether it was the only one."""
        return self._sent and self._task.uncancel() <= self._before


class StreamHandle:
    """What users hold of something that runs: they stop it, or wait for its end."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._lifecycle.done

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._lifecycle.stopping

    def stop(self) -> None:
        """Stop, and keep what arrived; may be called from any thread, and more than once."""
        self._lifecycle.stop()

    def stop_call(self, number: int) -> None:
        """Stop one of `tool_calls`, counted from 0; the others continue. May be called from any thread."""
        self._lifecycle.stop_call(number)

    def when_done(self, callback: Callable[[], object]) -> None:
        """Call back when the state is terminal: at once if it is already."""
        self._lifecycle.when_done(callback)

    async def ended(self) -> None:
        """Return at the end."""
        if not self.done:
            refuse_deadlock(self)
            await self._end(None)

    def wait(self, timeout: float | None) -> None:
        """Return at the end, from code that is not async; the loop stays alive.

        Raises:
            TimeoutError: it took longer than `timeout` seconds; it goes on.
            ConfigurationError: the running loop can't be entered again (uvloop).
        """
        if self.done:
            return
        refuse_deadlock(self)
        if (loop := running_loop()) is not None:
            run_within(loop, self._end(timeout))
        elif not self._lifecycle.wait(timeout):
            raise TimeoutError(f"not finished after {timeout:g} s; it goes on")

    def wait_here(self) -> None:
        """Return at the end: called by whatever reads a value that is complete only then.

        Raises:
            UnfinishedError: it can't be waited for here.
            ToolError: it waits for the code that reads.
            ConfigurationError: the running loop can't be entered again (uvloop).
        """
        if self.done:
            return
        refuse_deadlock(self)
        home = self._lifecycle.home
        if current_reader() != "waits":
            refuse_unfinished("this code can't wait for it")
        if home is None:
            refuse_unfinished("it has not been started")
        if home.process != os.getpid():
            refuse_unfinished("it runs in the process that this one was forked from")
        if (loop := running_loop()) is None:
            self._wait_without_loop(home)
        else:
            run_within(loop, self._end(None))

    def _wait_without_loop(self, home: _Home) -> None:
        """Wait in a thread that runs no loop: for the loop of another thread, or, in its own, by letting it turn."""
        loop = home.loop
        if loop.is_closed():
            refuse_unfinished("its event loop is closed")
        if home.thread == threading.get_ident():
            loop.run_until_complete(self._end(None))
            return
        turned = threading.Event()
        still = 0.0
        loop.call_soon_threadsafe(turned.set)
        while not self._lifecycle.wait(_BEAT):
            still = 0.0 if turned.is_set() else still + _BEAT
            if still >= _PATIENCE:
                refuse_unfinished("its event loop is blocked, maybe because it waits for this thread")
            if turned.is_set():
                turned.clear()
                loop.call_soon_threadsafe(turned.set)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy has, and a file.

        Raises:
            UnfinishedError: it has not ended.
        """
        if not self.done:
            refuse_unfinished("a running one can't be copied or stored")
        return self.__dict__.copy()

    async def _end(self, seconds: float | None) -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        self.when_done(lambda: loop.call_soon_threadsafe(over.set))
        await asyncio.wait_for(over.wait(), seconds)


if TYPE_CHECKING:

    class complete(Generic[T]):  # noqa: N801 - reads as a decorator would
        """An attribute of a handle that waits for the end, and then reads the same attribute of `so_far`."""

        def __init__(self, read: Callable[[Any], T]) -> None: ...
        def __get__(self, handle: object, owner: type | None = None) -> T: ...

else:

    class complete(property):  # noqa: N801
        """An attribute of a handle that waits for the end, and then reads the same attribute of `so_far`."""

        def __init__(self, read: property) -> None:
            def value(handle: StreamHandle) -> Any:
                handle.wait_here()
                return read.fget(handle.so_far)

            value.__annotations__["return"] = read.fget.__annotations__["return"]
            super().__init__(value)
            self.__doc__ = read.__doc__  # or else Python would show the one of this class


def refuse_unfinished(why: str) -> NoReturn:
    """Say why a value can't be read yet, and the ways out.

    Raises:
        UnfinishedError: always.
    """
    raise UnfinishedError(
        f"not finished yet, and {why} → await it first, or .result() in code that is not async; .so_far has what has arrived"
    )
