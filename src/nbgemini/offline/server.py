"""The offline service: Gemini's protocol on a loopback port, in a thread and loop of its own.

Invariants: it listens on 127.0.0.1 only; a key's value is never kept; a client that goes away is noticed at once, while an
answer is being written or waited for. A key that begins with `bad` is refused as Google refuses a wrong one.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import aclosing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from nbgemini._environment import hush
from nbgemini.offline.batches import Batches
from nbgemini.offline.directive import parse_directive, refuse_as_directed
from nbgemini.offline.embeddings import text_of, vectors
from nbgemini.offline.files import FileStore
from nbgemini.offline.http_server import LARGEST_BODY, BodyBudget, ClientConnection, HttpRequest, read_requests
from nbgemini.offline.models import EMBEDS, generating_model, listed, one_model
from nbgemini.offline.recordings import Cassette, RecordedServices, provider_of
from nbgemini.offline.requests import InvalidRequest, Refused, body_of, decode_json, list_page, version_of
from nbgemini.offline.responder import Delivery, deliver, send_json
from nbgemini.offline.script import Script, gemini_script
from nbgemini.offline.stream import count_tokens
from nbgemini.offline.validation import counted, validate
from nbgemini.replay.fingerprint import normalized

_REMEMBERED = 1000
_MOST_CONNECTIONS = 4096
_MOST_ASKED = 100_000  # different requests that are counted
_LEAST_CACHED = 1024  # tokens
_NO_CACHE = "CachedContent not found (or permission denied)"
_SECRET_HEADERS = {"x-goog-api-key", "x-api-key", "authorization", "cookie"}
_SECRET_QUERY = {"key", "access_token"}


class RecordedRequest(Struct, frozen=True):
    """A request as it came, without the key."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    data: bytes

    @property
    def body(self) -> Any:
        """What it says; None if that is nothing, or no JSON."""
        try:
            return decode_json(self.data) if self.data else None
        except InvalidRequest:
            return None


class OfflineService:
    """A local server that speaks the Gemini protocol, in a thread; use it in a `with` statement.

    Attributes:
        url: its base URL, once started.
        requests: the latest requests, oldest first.
    """

    def __init__(self, *, port: int = 0, pace: float = 1.0, cassette: Path | None = None) -> None:
        """Set the port (0: a free one), the pace (0: no pauses, 1: natural pauses), and a cassette to play."""
        self.url = ""
        self.requests: deque[RecordedRequest] = deque()
        self._port, self._pace = port, pace
        self._thread: threading.Thread | None = None
        self._started: Future[str] = Future()
        self._talks: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.StreamWriter] = set()
        self._cassette = Cassette(cassette)
        self._files = FileStore()
        self._batches = Batches(self._files, self._script)
        self._others = RecordedServices(self._cassette.player)
        self._ids = itertools.count(1)
        self._room, self._remembered_bytes = BodyBudget(), 0
        self._asked: Counter[int] = Counter()

    @property
    def open_streams(self) -> int:
        """Number of answers that are streaming."""
        return len(self._streams)

    def start(self) -> Self:
        """Start the server, and return once it listens.

        Raises:
            OSError: the port is taken.
        """
        hush("asyncio")  # it tells of every new loop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="nbgemini-offline", daemon=True)
        self._thread.start()
        self.url = self._started.result()
        return self

    def stop(self) -> None:
        """Stop the server and close all connections; may be called more than once."""
        if self._thread and self._thread.is_alive():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(5)

    def wait(self) -> None:
        """Block until it is stopped."""
        if self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self if self.url else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await self._loop.create_server(lambda: ClientConnection(self._connected), "127.0.0.1", self._port)
        except (OSError, OverflowError) as error:  # the latter for a number that is no port
            self._started.set_exception(error)
            return
        self._started.set_result(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await self._over.wait()
        server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _connected(
        self, connection: ClientConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task and len(self._talks) < _MOST_CONNECTIONS:
            self._talks.add(task)
            task.add_done_callback(self._talks.discard)
            with suppress(asyncio.CancelledError, ConnectionError):
                async with aclosing(read_requests(reader, self._room)) as requests:
                    await self._talk(requests, Delivery(writer, connection.left, self._pace, self._streams))
        writer.close()

    async def _talk(self, requests: AsyncGenerator[HttpRequest, None], to: Delivery) -> None:
        """Answer the requests of one connection."""
        async for request in requests:
            try:
                await self._respond(request, to)
            except Refused as refused:
                error = {"error": refused.error}
                await send_json(to.writer, refused.code, [error] if request.wants_array else error)
            if request.headers.get("connection", "").lower() == "close":
                return

    async def _respond(self, request: HttpRequest, to: Delivery) -> None:
        if not request.is_from_here:
            raise Refused(403, "This service answers programs on its own machine only, at its own address.")
        self._remember(request)
        if provider := provider_of(request):
            await self._others.answer(provider, request, to)
            return
        version = "" if self._files.uploads(request) else version_of(request)
        path = request.path.strip("/").removeprefix(version).strip("/")
        if (about_file := self._files.answer(request, self.url)) is not None:
            await send_json(to.writer, 200, about_file.data, about_file.headers)
        elif path.partition("/")[0] == "cachedContents":
            await send_json(to.writer, 200, _caches(request, path))
        elif not await self._batches.speak(request, path, version, to.writer):
            await self._answer(request, path, version, to)

    def _remember(self, request: HttpRequest) -> None:
        """Keep a request without its key; all that are kept have one largest size."""
        headers = {name: value for name, value in request.headers.items() if name not in _SECRET_HEADERS}
        query = {name: value for name, value in request.query.items() if name not in _SECRET_QUERY}
        self.requests.append(RecordedRequest(request.method, request.path, query, headers, request.body))
        self._remembered_bytes += len(request.body)
        while self._remembered_bytes > LARGEST_BODY or len(self.requests) > _REMEMBERED:
            self._remembered_bytes -= len(self.requests.popleft().data)

    async def _answer(self, request: HttpRequest, path: str, version: str, to: Delivery) -> None:
        name, _, method = path.partition(":")
        if request.method == "GET":
            page = list_page(listed(version), "models", request.query) if name == "models" else one_model(name, version)
            await send_json(to.writer, 200, page)
            return
        model, body = generating_model(name, method if request.method == "POST" else "", version), body_of(request)
        earlier = self._count(request)
        if method in EMBEDS:
            body = _message(body)
            embeddings = vectors(body, method)
            refuse_as_directed(parse_directive(text_of(body.get("requests", [body])[0])), earlier)
            await send_json(to.writer, 200, embeddings)
        elif method == "countTokens":
            await send_json(to.writer, 200, {"totalTokens": count_tokens(counted(_message(body)))})
        else:
            await deliver(self._script(model, body, earlier), request, to)

    def _count(self, request: HttpRequest) -> int:
        """Return how often the very same has been asked before."""
        mark = hash((request.path, request.body))
        if len(self._asked) > _MOST_ASKED:
            self._asked.clear()
        self._asked[mark] += 1
        return self._asked[mark] - 1

    def _script(self, model: str, body: Any, earlier: int = 0) -> Script:
        """Return the answer to a request for content."""
        body = _message(body)
        if body.get("cachedContent"):
            raise Refused(403, _NO_CACHE)
        validate(body, model, self._cassette.signatures)
        self._files.check(body["contents"])
        recorded = self._cassette.play(model, body)
        return recorded or gemini_script(body, model, f"offline-{next(self._ids)}", earlier, self._files.head)


def _message(body: Any) -> dict[str, Any]:
    """Return the body in its normal form."""
    if not isinstance(body, dict):
        raise InvalidRequest("Invalid JSON payload received. Root element must be a message.")
    return dict(normalized(body))


def _caches(request: HttpRequest, path: str) -> dict[str, Any]:
    """Return the list of caches, which is empty, as without billing there are none, nor can one be made."""
    if path != "cachedContents":
        raise Refused(403, _NO_CACHE)
    if request.method == "GET":
        return {}
    contents = _message(body_of(request)).get("contents")
    tokens = count_tokens(counted({"contents": contents})) if contents else 0
    if tokens < _LEAST_CACHED:
        few = f"total_token_count={tokens}, min_total_token_count={_LEAST_CACHED}"
        raise Refused(400, f"Cached content is too small. {few}")
    asked = f"limit=0, requested={tokens}"
    raise Refused(429, f"TotalCachedContentStorageTokensPerModelFreeTier limit exceeded for the offline service: {asked}")
