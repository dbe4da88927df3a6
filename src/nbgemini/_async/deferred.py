"""Async work for code that is not async: `run_within` a loop that already runs, and coroutines with a `.result()`."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar

from nbgemini.errors import ConfigurationError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


class SupportsAclose(Protocol):
    """Whatever holds connections of an event loop."""

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        ...


_HOW = "await it, or .result() in code that is not async"
S = TypeVar("S", bound=SupportsAclose)


class Deferred(Coroutine[Any, Any, T_co]):
    """What an async method returns: nothing is done before it is awaited, made a task, or asked for its result."""

    def __init__(self, coroutine: Coroutine[Any, Any, T_co], aclose: Callable[[], Awaitable[None]]) -> None:
        """Run `coroutine`; a loop that ends with it closes its connections by `aclose`."""
        self._coroutine = coroutine
        self._aclose = aclose

    def __await__(self) -> Generator[Any, None, T_co]:
        """Run it on the running loop."""
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        """Go on, as a task does."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise inside of it, as a task does that is cancelled."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Give it up."""
        self._coroutine.close()

    def result(self, timeout: float | None = None) -> T_co:
        """Run it to its end in code that is not async and return what it returns; a running loop stays alive meanwhile.

        Raises:
            TimeoutError: it took longer than `timeout` seconds, and was given up.
            ConfigurationError: the running loop can't be entered again (uvloop).
        """
        work = asyncio.wait_for(self._coroutine, timeout)
        loop = running_loop()
        return asyncio.run(self._alone(work)) if loop is None else run_within(loop, work)

    async def _alone(self, work: Coroutine[Any, Any, T_co]) -> T_co:
        try:
            return await work
        finally:
            await self._aclose()

    def __repr__(self) -> str:
        """Say how to go on."""
        name = getattr(self._coroutine, "__qualname__", "…")
        return f"<{name}(…): {_HOW}>"

    def __getattr__(self, name: str) -> NoReturn:
        """Say how to go on to whoever takes this for its result."""
        raise AttributeError(f"no {name!r} before the end: {_HOW}")


def deferred(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], Deferred[T]]:
    """Let an async method return a `Deferred`."""

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return Deferred(method(self, *args, **kwargs), self.aclose)

    return call


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running loop, or None; what is raised afterwards does not come with asyncio's error about that."""
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


def run_within(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` to its end on the running `loop`, where everything else goes on; an interrupt cancels it alone.

    An interrupt that were raised wherever the loop is just then would hit a stream. asyncio is patched for this, so it happens
    only for whoever needs it, and as little as possible: `asyncio.run` stays what it was.

    Raises:
        ConfigurationError: the loop is of a kind that can't be entered again (uvloop); nothing was patched.
        KeyboardInterrupt: it was interrupted.
    """
    if not isinstance(loop, asyncio.BaseEventLoop):
        coroutine.close()
        raise ConfigurationError(f"an event loop of {type(loop).__module__} can't wait in code that is not async; use await")
    import nest_asyncio2  # noqa: PLC0415 - patches asyncio

    run = asyncio.run
    nest_asyncio2.apply(loop)
    asyncio.run = run  # the patched one breaks what others run in their threads
    task = loop.create_task(coroutine)
    with _interrupts(lambda: loop.call_soon_threadsafe(task.cancel)) as interrupts:
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if interrupts:
                raise KeyboardInterrupt from None
            raise


@contextmanager
def _interrupts(then: Callable[[], object]) -> Iterator[list[int]]:
    """Hear interrupts instead of being torn away by them; yield what came of them."""
    heard: list[int] = []

    def hear(number: int, _frame: object) -> None:
        heard.append(number)
        then()

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield heard
        return
    former = signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, former)
