"""Official clients as sources: they ask, over connections lent to them; what comes is watched, refused and cut as ever.

Invariants: an official client sends nothing twice, follows no redirect and waits no longer than our own source would; however a
stream is left, its connection is closed at once, without waiting for the garbage collector; of an answer nothing is kept but
what was not yet read; whatever a client raises leaves as one of our own errors.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, aclosing, suppress
from contextvars import ContextVar
from functools import partial
from importlib import metadata
from itertools import islice
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self
from weakref import WeakKeyDictionary

from nbgemini._async.imports import load
from nbgemini.errors import ConfigurationError, NbGeminiError, WireError
from nbgemini.services import Service
from nbgemini.transport.http import RestSource, cut, raise_if_refused
from nbgemini.transport.httpx2_transport import Httpx2Response, Library, mapped, meter, new_client, tracing
from nbgemini.transport.origin import origin_of
from nbgemini.transport.request import Request
from nbgemini.transport.timeouts import Watch
from nbgemini.transport.transport import Limits

if TYPE_CHECKING:
    import httpx2

_DEEPEST = 10  # causes of an error that are looked at
_ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)  # whose request goes out, for the hooks of the pool


class Asked:
    """One request that an official client sends for us.

    Attributes:
        watch: how long it may keep silent.
        response: the answer, once it begins.
        refusal: why there is none, in our own words; whatever the client makes of it.
    """

    def __init__(self, watch: Watch) -> None:
        """Know no answer yet."""
        self.watch = watch
        self.response: Httpx2Response | None = None
        self.refusal: NbGeminiError | None = None

    async def first(self, thing: Awaitable[Any]) -> Any:
        """Wait for what makes the client send its request."""
        token = _ASKED.set(self)
        try:
            return await self.watch.awaited(thing)
        finally:
            _ASKED.reset(token)

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        self.watch.__enter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close the connection, unless all was read: a client's own generators would leave that to the garbage collector."""
        self.watch.__exit__(kind, error, tb)
        if self.response is not None:
            await self.response.aclose()


class LentSource(RestSource):
    """A source whose streams an official client asks for; all other requests it sends itself.

    Attributes:
        package: what has to be imported.
        installed_by: what pip is to be told if the package is missing.
        distribution: what it is called where packages are listed.
        reads_itself: whether the client cuts the answer into frames, and not we.
    """

    package: ClassVar[str]
    installed_by: ClassVar[str]
    distribution: ClassVar[str]
    reads_itself: ClassVar[bool] = False

    def __init__(self, service: Service, limits: Limits) -> None:
        """Remember where and as whom to ask; nothing is imported or opened yet.

        Raises:
            ConfigurationError: the URL would send the key unencrypted over a network.
        """
        super().__init__(service.base_url, service.key, service=service, limits=limits)
        self._sdks: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()

    async def _frames(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the answer as they come."""
        ask = self._way(request)
        async with aclosing(self._asked(ask, request) if ask else super()._frames(request)) as frames:
            async for frame in frames:
                yield frame

    async def aclose(self) -> None:
        """Close what the running loop has open; the official client has nothing but what was lent to it."""
        self._sdks.pop(asyncio.get_running_loop(), None)
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()
        await super().aclose()

    @abstractmethod
    def _way(self, request: Request) -> Callable[[Any, Request, Asked], AsyncGenerator[bytes, None]] | None:
        """Return what asks for this through the official client and yields frames; None if the client is not needed for it."""

    @abstractmethod
    def _made(self, module: ModuleType, pool: httpx2.AsyncClient) -> Any:
        """Return the official client, made in the loading thread, which is to use these connections."""

    async def streamed(
        self, resource: Any, request: Request, asked: Asked, named: Iterable[str]
    ) -> AsyncGenerator[bytes, None]:
        """Yield the frames of what a resource of Anthropic's or OpenAI's client streams.

        Args:
            resource: whose `create` asks.
            request: what is asked.
            asked: where the answer is.
            named: the fields that the client wants by name; all else goes out as it is.
        """
        body = dict(request.body or {})
        arguments = {name: body.pop(name) for name in named if name in body}
        asking = resource.with_streaming_response.create(**arguments, extra_body=body)
        async with AsyncExitStack() as stack:
            await asked.first(stack.enter_async_context(asking))
            if asked.response is not None:
                async for frame in cut(asked.response, asked.watch, self._mask, streams=True):
                    yield frame

    async def _asked(
        self, ask: Callable[[Any, Request, Asked], AsyncGenerator[bytes, None]], request: Request
    ) -> AsyncGenerator[bytes, None]:
        self._streams += 1
        asked = Asked(Watch(self._host, self._limits.first, self._limits.gap, self._limits.content))
        try:
            sdk = await self._sdk()
            async with asked, aclosing(ask(sdk, request, asked)) as frames:
                async for frame in frames:
                    asked.watch.frame()
                    yield frame
        except GeneratorExit:
            raise
        except Exception as error:  # noqa: BLE001 - the border: what leaves is ours
            trouble: BaseException = error if isinstance(error, NbGeminiError) else asked.refusal or self._mapped(error)
        except BaseException as error:  # noqa: BLE001 - a cancel, an interrupt
            trouble = error
        else:
            return
        finally:
            self._streams -= 1
            self._close_if_over()
        # Out here, without a past: the client's error holds the request, and that the key; so do the variables of its
        # functions, which a verbose traceback and a debugger show.
        trouble.__cause__ = trouble.__context__ = None
        raise trouble.with_traceback(None)

    async def _sdk(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._sdks:
            module = await load(partial(_imported, self.package, self.installed_by))
            pool = await self._pool()
            self._sdks[loop] = await load(partial(self._made, module, pool))
        return self._sdks[loop]

    async def _pool(self) -> httpx2.AsyncClient:
        """Return the running loop's connections, which tell us of each request that goes out and each answer that begins."""
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            library = library_of(self.distribution)
            made = await load(partial(new_client, self._limits, origin=self._origin, library=library))
            pool = self._pools.setdefault(loop, made)
            pool.event_hooks = {"request": [self._goes_out], "response": [self._begins]}
        return self._pools[loop]

    async def _goes_out(self, request: httpx2.Request) -> None:
        asked = _ASKED.get()
        try:  # clients have addresses of their own, and variables that set them
            origin_of(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}", secret=True)
        except ConfigurationError as error:
            if asked is not None:
                asked.refusal = error
            raise
        if asked is not None:
            limits = {"connect": self._limits.connect, "write": self._limits.write, "read": None, "pool": None}
            request.extensions = {**request.extensions, "timeout": limits, "trace": tracing(asked.watch)}

    async def _begins(self, response: httpx2.Response) -> None:
        asked = _ASKED.get()
        if asked is None:
            return
        asked.response = Httpx2Response(response, self._host, self._limits)
        asked.watch.begun()
        if self.reads_itself:
            meter(response, partial(setattr, asked, "refusal"))
        try:
            await raise_if_refused(asked.response, asked.watch, self._mask, self._key_name)
        except NbGeminiError as error:
            asked.refusal = error
            raise

    def _mapped(self, error: Exception) -> NbGeminiError:
        for cause in [*islice(_causes(error), _DEEPEST)]:  # all at once: what is handed back has another context
            with suppress(Exception):  # what is not the network's is handed back
                return mapped(cause, self._host, self._limits)
        name = type(error).__name__
        return WireError(f"{self.package} can't read what the service sent ({name}) → %config Gemini.source = 'rest'")


def _causes(error: BaseException | None) -> Iterator[Exception]:
    """Yield an error and what it came from: clients wrap what the network says."""
    while isinstance(error, Exception):
        yield error
        error = error.__cause__ or error.__context__


def library_of(distribution: str) -> Library:
    """Return which HTTP library an official client takes connections of: those of 2025 and before were made for httpx."""
    needs = (need for need in metadata.requires(distribution) or () if "extra ==" not in need)
    return "httpx2" if any(re.match(r"httpx2(?![\w-])", need) for need in needs) else "httpx"


def _imported(package: str, installed_by: str) -> ModuleType:
    """Import an official client, which takes half a second and more.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        pass
    raise ConfigurationError(f"this source needs the package {package}: pip install {installed_by}")
