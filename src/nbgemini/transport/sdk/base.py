"""Official clients as sources: they ask, and our one HTTP client carries what they ask.

Invariants: an official client sends nothing twice, follows no redirect and waits no longer than our own source would; however a
stream is left, its connection is closed at once, without waiting for the garbage collector; of a response nothing is kept but
what was not yet read; whatever a client raises leaves as one of our own errors.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, aclosing, suppress
from contextvars import ContextVar
from importlib import metadata
from itertools import islice
from types import ModuleType
from typing import Any, ClassVar, TypeAlias
from weakref import WeakKeyDictionary

from nbgemini._async.scheduler import FairScheduler
from nbgemini._async.threads import run_in_import_thread
from nbgemini._environment import hush
from nbgemini.errors import ConfigurationError, NbGeminiError, WireError
from nbgemini.services import Service
from nbgemini.transport.client import HttpClients
from nbgemini.transport.framing import Framer
from nbgemini.transport.http import PIECE, HttpCall, HttpSource, iter_frames, request_extensions
from nbgemini.transport.origin import origin_of
from nbgemini.transport.request import Request
from nbgemini.transport.timeouts import StallTimeout, Timeouts

_MOST_CAUSES = 10  # of an error, that are looked at


class SdkCall(HttpCall):
    """One request that an official client sends for us; its own generators would leave closing to the garbage collector.

    Attributes:
        refusal: why there is no answer, in our own words; whatever the client makes of it.
    """

    refusal: NbGeminiError | None = None

    async def begin(self, awaitable: Awaitable[Any]) -> Any:
        """Wait for what makes the client send its request."""
        token = _CALL.set(self)
        try:
            return await self.stall.wait(awaitable)
        finally:
            _CALL.reset(token)


_CALL: ContextVar[SdkCall | None] = ContextVar("call", default=None)  # whose request the client sends
Ask: TypeAlias = Callable[[Any, Request, SdkCall], AsyncGenerator[bytes, None]]


class SdkSource(HttpSource):
    """A source whose streams an official client asks for; all other requests it sends itself.

    Attributes:
        package: what has to be imported.
        installed_by: what pip is to be told if the package is missing.
        distribution: what it is called where packages are listed.
    """

    package: ClassVar[str]
    installed_by: ClassVar[str]
    distribution: ClassVar[str]

    def __init__(self, service: Service, timeouts: Timeouts, clients: HttpClients | None = None) -> None:
        """Remember where and as whom to ask; nothing is imported or opened yet.

        Raises:
            ConfigurationError: the URL would send the key unencrypted over a network.
        """
        super().__init__(service.base_url, service.key, service=service, timeouts=timeouts, clients=clients)
        self._sdks: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    async def aclose(self) -> None:
        """Close what the running loop has open; the official client has nothing but what was lent to it."""
        self._sdks.pop(asyncio.get_running_loop(), None)
        await super().aclose()

    @abstractmethod
    def _ask_for(self, request: Request) -> Ask | None:
        """Return what asks for this through the official client and yields frames; None if the client is not needed for it."""

    @abstractmethod
    def _new_sdk(self, module: ModuleType, http_client: Any) -> Any:
        """Return the official client, made in the import thread, which is to send its requests by this HTTP client."""

    async def _batches(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        ask = self._ask_for(request)
        async with aclosing(self._asked(ask, request) if ask else super()._batches(request)) as batches:
            async for batch in batches:
                yield batch

    async def _stream(
        self, resource: Any, request: Request, call: SdkCall, named: Iterable[str]
    ) -> AsyncGenerator[bytes, None]:
        """Yield the frames of what a resource of Anthropic's or OpenAI's client streams.

        Args:
            resource: whose `create` asks.
            request: what is asked.
            call: where the response is.
            named: the fields that the client wants by name; all else goes out as it is.
        """
        body = dict(request.body or {})
        arguments = {name: body.pop(name) for name in named if name in body}
        async with AsyncExitStack() as stack:
            await call.begin(stack.enter_async_context(resource.with_streaming_response.create(**arguments, extra_body=body)))
            if call.status:
                async for batch in iter_frames(call, self._mask, streams=True):
                    for frame in batch:
                        yield frame

    async def _asked(self, ask: Ask, request: Request) -> AsyncGenerator[list[bytes], None]:
        call = self._call()
        try:
            async with call, aclosing(ask(await self._sdk(), request, call)) as frames:
                async for frame in frames:
                    call.stall.content_came()
                    yield [frame]
        except GeneratorExit:
            raise
        except Exception as error:  # noqa: BLE001 - the border: what leaves is ours
            trouble: BaseException = error if isinstance(error, NbGeminiError) else call.refusal or self._translate_sdk(error)
        except BaseException as error:  # noqa: BLE001 - a cancel, an interrupt
            trouble = error
        else:
            return
        # Out here, without a past: the client's error holds the request, and that the key; so do the variables of its
        # functions, which a verbose traceback and a debugger show.
        trouble.__cause__ = trouble.__context__ = None
        raise trouble.with_traceback(None)

    def _call(self) -> SdkCall:
        return SdkCall(self._clients, self._host, self._timeouts)

    async def _sdk(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._sdks:
            self._sdks[loop] = await run_in_import_thread(self._load_sdk)
        return self._sdks[loop]

    def _load_sdk(self) -> Any:
        module = _import(self.package, self.installed_by)
        return self._new_sdk(module, lent_client(importlib.import_module(library_of(self.distribution)), self._carry))

    async def _carry(self, request: Any) -> HttpCall:
        """Send what the official client asks by our own HTTP client, and return the response, if it is none that refuses it."""
        call = _CALL.get() or self._call()
        try:  # clients have addresses of their own, and variables that set them
            origin_of(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}", secret=True)
            send = await self._clients.sender()
            response = await send(await _as_httpx2(request, self._timeouts, call.stall))
            await call.accept(response, self._mask, self._key_name)
        except NbGeminiError as error:
            call.refusal = error
            raise
        return call

    def _translate_sdk(self, error: Exception) -> NbGeminiError:
        for cause in [*islice(_causes(error), _MOST_CAUSES)]:  # all at once: what is handed back has another context
            with suppress(Exception):  # what is not the network's is handed back
                return self._translate(cause)
        name = type(error).__name__
        return WireError(f"{self.package} can't read what the service sent ({name}) → %config Gemini.source = 'rest'")


async def _as_httpx2(request: Any, timeouts: Timeouts, stall: StallTimeout) -> Any:
    """Return a request of an official client, made with httpx2 or httpx, as one of httpx2's that our timeouts hold for."""
    import httpx2  # noqa: PLC0415 - loaded in a thread, for the client

    return httpx2.Request(
        request.method,
        str(request.url),
        headers=request.headers.raw,
        stream=httpx2.ByteStream(await request.aread()),
        extensions=request_extensions(timeouts, stall),
    )


def lent_client(library: Any, carry: Callable[[Any], Awaitable[HttpCall]]) -> Any:
    """Return a client of httpx2, or of httpx for older official clients, whose requests go out by `carry`.

    Whoever reads a response gets it in bounded pieces, others having their turn between them; what is no answer of an API ends.
    """

    class Body(library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, call: HttpCall) -> None:
            self._call = call

        async def __aiter__(self) -> AsyncIterator[bytes]:
            framer, scheduler = Framer(), FairScheduler.here()
            async with aclosing(self._call.pieces()) as pieces:
                async for piece in pieces:
                    for at in range(0, len(piece), PIECE):
                        await scheduler.turn()
                        framer.feed(piece[at : at + PIECE])
                        yield piece[at : at + PIECE]

        async def aclose(self) -> None:
            await self._call.aclose()

    class Transport(library.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            call = await carry(request)
            unpacked = {name: value for name, value in call.headers.items() if name.lower() != "content-encoding"}
            return library.Response(call.status, headers=unpacked, stream=Body(call))

    hush(library.__name__)
    return library.AsyncClient(
        transport=Transport(), trust_env=False, timeout=None, headers={"accept-encoding": "gzip, deflate"}
    )


def library_of(distribution: str) -> str:
    """Return which HTTP library an official client takes clients of: those of 2025 and before were made for httpx."""
    needs = (need for need in metadata.requires(distribution) or () if "extra ==" not in need)
    return "httpx2" if any(re.match(r"httpx2(?![\w-])", need) for need in needs) else "httpx"


def _causes(error: BaseException | None) -> Iterator[Exception]:
    """Yield an error and what it came from: clients wrap what the network says."""
    while isinstance(error, Exception):
        yield error
        error = error.__cause__ or error.__context__


def _import(package: str, installed_by: str) -> ModuleType:
    """Import an official client, which takes half a second and more."""
    try:
        return importlib.import_module(package)
    except ImportError:
        pass
    raise ConfigurationError(f"this source needs the package {package}: pip install {installed_by}")
