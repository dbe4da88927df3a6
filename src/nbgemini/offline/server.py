"""The offline service: Gemini's protocol on a loopback port, in a thread and loop of its own.

Invariants: it listens on 127.0.0.1 only; a key's value is never kept; a client that goes away is noticed at once, while an
answer is being written or waited for. A key that begins with `bad` is refused as Google refuses a wrong one.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from nbgemini._environment import hush
from nbgemini.offline.batches import Batches
from nbgemini.offline.embeddings import text_of, vectors
from nbgemini.offline.files import FileStore
from nbgemini.offline.http_server import LARGEST_BODY, BodyBudget, ClientConnection, HttpRequest, read_request
from nbgemini.offline.models import EMBEDS, generating_model, models_page, one_model
from nbgemini.offline.recordings import Cassette, RecordedServices, provider_of
from nbgemini.offline.requests import (
    InvalidRequest,
    Refused,
    cached_contents,
    check_cache,
    decode_json,
    refuse_strangers,
    version_of,
)
from nbgemini.offline.responder import Delivery, deliver, send_json
from nbgemini.offline.script import Script, gemini_script, scripted_refusal
from nbgemini.offline.stream import count_tokens
from nbgemini.offline.validation import counted, validate
from nbgemini.replay.fingerprint import normalized

_REMEMBERED = 1000
_MOST_CONNECTIONS = 4096
_MOST_ASKED = 100_000  # different requests that are counted
_SECRET_HEADERS = {"x-goog-api-key", "x-api-key", "authorization", "cookie"}
_SECRET_QUERY = {"key", "access_token"}


class RecordedRequest(Struct, frozen=True):
    """A request as it came, without the key."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class LoopbackServer:
    """A server on 127.0.0.1, in a thread and loop of its own.

    Attributes:
        url: where it listens, once started.
    """

    def __init__(self, port: int, pace: float) -> None:
        """Prepare; `pace` multiplies the natural pauses (0: none); port 0 takes a free one."""
        self.url = ""
        self._port = port
        self._pace = pace
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failed: Exception | None = None
        self._over: asyncio.Event | None = None

    def start(self) -> Self:
        """Listen; returns when it does.

        Raises:
            OSError: the port is taken.
        """
        hush("asyncio")  # it tells of every new loop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="nbgemini-offline", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failed:
            raise self._failed
        return self

    def stop(self) -> None:
        """Close every connection and end the thread; harmless twice."""
        if self._thread and self._loop and self._over and self._thread.is_alive():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(5)

    def wait(self) -> None:
        """Block until it is stopped."""
        if self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        """Start, unless it has been."""
        return self if self.url else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        talks: set[asyncio.Task[None]] = set()

        async def connected(connection: ClientConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if len(talks) >= _MOST_CONNECTIONS:
                writer.close()
                return
            if task:
                talks.add(task)
                task.add_done_callback(talks.discard)
            with suppress(asyncio.CancelledError, ConnectionError):
                await self._talk(reader, Delivery(writer, connection.left, self._pace))
            writer.close()

        try:
            server = await self._loop.create_server(lambda: ClientConnection(connected), "127.0.0.1", self._port)
        except (OSError, OverflowError) as error:  # the latter for a number that is no port
            self._failed = error
            self._ready.set()
            return
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, to: Delivery) -> None:
        """Answer the requests of one connection."""
        raise NotImplementedError


class OfflineService(LoopbackServer):
    """A Gemini service for one machine.

    Attributes:
        requests: the latest requests, oldest first.
        open_streams: how many answers are being written now.
    """

    def __init__(self, *, port: int = 0, pace: float = 1.0, cassette: Path | None = None) -> None:
        """Prepare; `pace` multiplies the natural pauses (0: none); port 0 takes a free one."""
        super().__init__(port, pace)
        self.requests: deque[RecordedRequest] = deque(maxlen=_REMEMBERED)
        self.open_streams = 0
        self._cassette = Cassette(cassette) if cassette else None
        self._files = FileStore()
        self._batches = Batches(self._files, self._prepared_row)
        self._others = RecordedServices(cassette)
        self._ids = itertools.count(1)
        self._room, self._kept = BodyBudget(), 0  # kept: bytes of the bodies that are remembered
        self._sizes: deque[int] = deque()
        self._asked: Counter[int] = Counter()

    async def _talk(self, reader: asyncio.StreamReader, to: Delivery) -> None:
        while (request := await read_request(reader, self._room)) is not None:
            try:
                refuse_strangers(request)
                body = self._remembered(request)
                provider = provider_of(request)
                await (self._speak(provider, request, body, to) if provider else self._speak_gemini(request, body, to))
            except Refused as refused:
                error = {"error": refused.error}
                await send_json(to.writer, refused.code, [error] if _array(request) else error)
            finally:
                self._room.give(len(request.body))
            if request.headers.get("connection", "").lower() == "close":
                return

    async def _speak_gemini(self, request: HttpRequest, body: Any, to: Delivery) -> None:
        version = "" if self._files.uploads(request) else version_of(request)
        if (about_file := self._files.answer(request, self.url)) is not None:
            await send_json(to.writer, 200, about_file.data, about_file.headers)
        elif (caches := cached_contents(request, version, _held(body))) is not None:
            await send_json(to.writer, 200, caches)
        elif not await self._batches.speak(request, version, body, to.writer):
            await self._answer(request, version, body, to)

    async def _speak(self, provider: str, request: HttpRequest, body: Any, to: Delivery) -> None:
        """Answer in the place of another service."""
        streams = isinstance(body, dict) and body.get("stream") is True
        self.open_streams += streams
        try:
            await self._others.answer(provider, request, body, to)
        finally:
            self.open_streams -= streams

    def _earlier(self, request: HttpRequest) -> int:
        """Return how often the very same has been asked."""
        mark = hash((request.path, request.body))
        if len(self._asked) > _MOST_ASKED:
            self._asked.clear()
        self._asked[mark] += 1
        return self._asked[mark] - 1

    def _remembered(self, request: HttpRequest) -> Any:
        headers = {name: value for name, value in request.headers.items() if name not in _SECRET_HEADERS}
        query = {name: value for name, value in request.query.items() if name not in _SECRET_QUERY}
        body = _body(request)
        known = None if isinstance(body, InvalidRequest) or not request.body else body
        while self.requests and (self._kept + len(request.body) > LARGEST_BODY or len(self.requests) == _REMEMBERED):
            self.requests.popleft()
            self._kept -= self._sizes.popleft() if self._sizes else 0
        self.requests.append(RecordedRequest(request.method, request.path, query, headers, known))
        self._sizes.append(len(request.body))
        self._kept += len(request.body)
        return body

    async def _answer(self, request: HttpRequest, version: str, body: Any, to: Delivery) -> None:
        name, _, method = request.path.strip("/").removeprefix(version).strip("/").partition(":")
        if request.method == "GET":
            await send_json(
                to.writer, 200, models_page(request.query, version) if name == "models" else one_model(name, version)
            )
            return
        method = method if request.method == "POST" else ""
        try:
            answer = self._prepared(generating_model(name, method, version), method, body, self._earlier(request))
        except InvalidRequest as invalid:
            raise Refused(400, str(invalid)) from None
        if not isinstance(answer, Script):
            await send_json(to.writer, 200, answer)
            return
        self.open_streams += _streams(request)
        try:
            await deliver(answer, to, streams=_streams(request), array=_array(request))
        finally:
            self.open_streams -= _streams(request)

    def _prepared_row(self, model: str, body: Any) -> Script:
        """Return the answer to one row of a batch."""
        answer = self._prepared(model, "generateContent", body, 0)
        return answer if isinstance(answer, Script) else Script([])

    def _prepared(self, model: str, method: str, body: Any, earlier: int) -> Script | dict[str, Any]:
        if isinstance(body, InvalidRequest):
            raise body
        if not isinstance(body, dict):
            raise InvalidRequest("Invalid JSON payload received. Root element must be a message.")
        body = normalized(body)
        if method in EMBEDS:
            made = vectors(body, method)
            return scripted_refusal(text_of(body.get("requests", [body])[0]), earlier) or made
        if method == "countTokens":
            return {"totalTokens": count_tokens(counted(body))}
        check_cache(body)
        validate(body, model, self._cassette.signatures if self._cassette else ())
        self._files.check(body["contents"])
        recorded = self._cassette.play(model, body) if self._cassette else None
        return recorded or gemini_script(body, model, f"offline-{next(self._ids)}", earlier, self._files.head)


def _body(request: HttpRequest) -> Any:
    """Return what the body says, or why it says nothing: that is told only to who is allowed to ask."""
    try:
        return decode_json(request.body or b"{}")
    except InvalidRequest as invalid:
        return invalid


def _held(body: Any) -> int:
    """Return how many tokens a cache of these contents would hold."""
    contents = normalized(body).get("contents") if isinstance(body, dict) else None
    try:
        return count_tokens(counted({"contents": contents or []})) if contents else 0
    except InvalidRequest as invalid:
        raise Refused(400, str(invalid)) from None


def _streams(request: HttpRequest) -> bool:
    return request.path.endswith(":streamGenerateContent")


def _array(request: HttpRequest) -> bool:
    return _streams(request) and request.query.get("alt") != "sse"
