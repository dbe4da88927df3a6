"""The offline service: Gemini's protocol on a loopback port, in a thread and loop of its own.

Invariants: it listens on 127.0.0.1 only; a key's value is never kept; a client that goes away is noticed at once, while an
answer is being written or waited for. A key that begins with `bad` is refused as Google refuses a wrong one.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from nbgemini.offline.answers import Script, count_tokens, script
from nbgemini.offline.cassette import Cassette
from nbgemini.offline.http import HttpRequest, chunk, head, read_request
from nbgemini.offline.models import listed, resolve
from nbgemini.offline.validate import Invalid, normalised, validate

_JSON, _SSE = "application/json; charset=UTF-8", "text/event-stream"
_REMEMBERED = 1000
_STATUS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}


class RecordedRequest(Struct, frozen=True):
    """A request as it came, without the key."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class _Refused(Exception):  # noqa: N818 - it is what the request is
    def __init__(self, code: int, message: str, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.error = {"code": code, "message": message, "status": _STATUS[code], **({"details": details} if details else {})}


class OfflineService:
    """A Gemini service for one machine.

    Attributes:
        url: where it listens, once started.
        requests: the latest requests, oldest first.
        open_streams: how many answers are being written now.
    """

    def __init__(self, *, port: int = 0, pace: float = 1.0, cassette: Path | None = None) -> None:
        """Prepare; `pace` multiplies the natural pauses (0: none); port 0 takes a free one."""
        self.url = ""
        self.requests: deque[RecordedRequest] = deque(maxlen=_REMEMBERED)
        self.open_streams = 0
        self._port = port
        self._pace = pace
        self._cassette = Cassette(cassette) if cassette else None
        self._ids = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failed: OSError | None = None
        self._over: asyncio.Event | None = None

    def start(self) -> Self:
        """Listen; returns when it does.

        Raises:
            OSError: the port is taken.
        """
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
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task:
                connections.add(task)
                task.add_done_callback(connections.discard)
            with suppress(asyncio.CancelledError, ConnectionError):
                await self._talk(reader, writer)
            writer.close()

        try:
            server = await asyncio.start_server(connected, "127.0.0.1", self._port, limit=2**20)
        except OSError as error:
            self._failed = error
            self._ready.set()
            return
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            array = _streams(request) and request.query.get("alt") != "sse"
            try:
                version = self._checked(request)
                await self._answer(request, version, reader, writer)
            except _Refused as refused:
                await _send_json(writer, refused.code, _wrapped({"error": refused.error}, array=array))

    def _checked(self, request: HttpRequest) -> str:
        headers = {name: value for name, value in request.headers.items() if name != "x-goog-api-key"}
        body = _json(request.body) if request.body else None
        query = {name: value for name, value in request.query.items() if name != "key"}
        self.requests.append(RecordedRequest(request.method, request.path, query, headers, body))
        key = request.headers.get("x-goog-api-key") or request.query.get("key")
        if not key:
            raise _Refused(403, "Method doesn't allow unregistered callers. Please use an API key.")
        if key.startswith("bad"):
            info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
            raise _Refused(400, "API key not valid. Please pass a valid API key.", [info])
        version = request.path.strip("/").split("/")[0]
        if version not in ("v1", "v1beta", "v1alpha"):
            raise _Refused(404, f"Requested entity was not found: {request.path}")
        return version

    async def _answer(
        self, request: HttpRequest, version: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        rest = request.path.strip("/").removeprefix(version).strip("/")
        name, _, method = rest.partition(":")
        if request.method == "GET":
            await _send_json(writer, 200, _models_page(request, version) if name == "models" else _one_model(name, version))
            return
        model = _model(name, method, version)
        body = normalised(_json(request.body))
        if method == "countTokens":
            asked = (body.get("generateContentRequest") or body).get("contents") or []
            await _send_json(writer, 200, {"totalTokens": count_tokens(asked)})
            return
        try:
            validate(body, model)
        except Invalid as invalid:
            raise _Refused(400, str(invalid)) from None
        await self._generate(request, self._script(model, body), reader, writer)

    def _script(self, model: str, body: dict[str, Any]) -> Script:
        recorded = self._cassette.play(model, body) if self._cassette else None
        return Script(recorded) if recorded else script(body, model, f"offline-{next(self._ids)}")

    async def _generate(
        self, request: HttpRequest, answer: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        streams, array = _streams(request), request.query.get("alt") != "sse"
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            await _send_json(writer, answer.status, _wrapped({"error": answer.error}, array=streams and array))
        elif not streams:
            await _send_json(writer, 200, _folded([frame for _, frame in answer.frames]))
        else:
            await self._stream(answer, _array_pieces(answer) if array else _sse_pieces(answer), array, reader, writer)

    async def _stream(
        self, answer: Script, pieces: list[bytes], array: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.open_streams += 1
        gone = asyncio.ensure_future(reader.read(1))  # nothing is expected from the client: whatever comes is its leaving
        try:
            writer.write(head(200, _JSON if array else _SSE))
            for number, piece in enumerate(pieces):
                if number in (answer.cut, answer.stall):
                    if number == answer.stall:
                        await gone
                    raise ConnectionResetError
                await self._pause(answer, number, gone)
                writer.write(chunk(piece))
                await writer.drain()
            writer.write(chunk(b""))
            await writer.drain()
        finally:
            self.open_streams -= 1
            if not gone.done():
                gone.cancel()
                with suppress(asyncio.CancelledError):
                    await gone

    async def _pause(self, answer: Script, number: int, gone: asyncio.Future[bytes]) -> None:
        wait = answer.frames[number][0] if number < len(answer.frames) else 0.0
        wait *= self._pace if answer.natural else 1.0
        if gone.done() or (wait and (await asyncio.wait([gone], timeout=wait))[0]):
            raise ConnectionResetError


def _streams(request: HttpRequest) -> bool:
    return request.path.endswith(":streamGenerateContent")


def _json(body: bytes) -> Any:
    try:
        found = json.loads(body)
    except ValueError:
        raise _Refused(400, "Invalid JSON payload received. Unexpected token.") from None
    if not isinstance(found, dict):
        raise _Refused(400, "Invalid JSON payload received. Root element must be a message.")
    return found


def _model(name: str, method: str, version: str) -> str:
    model = resolve(name.removeprefix("models/"), version)
    if model is None or method not in ("generateContent", "streamGenerateContent", "countTokens"):
        raise _Refused(
            404,
            f"{name} is not found for API version {version}, or is not supported for {method or 'get'}. "
            "Call ModelService.ListModels to see the list of available models and their supported methods.",
        )
    return model


def _models_page(request: HttpRequest, version: str) -> dict[str, Any]:
    models = listed(version)
    size = int(request.query.get("pageSize") or 50)
    token = request.query.get("pageToken")
    start = int(base64.b64decode(token)) if token else 0
    page: dict[str, Any] = {"models": models[start : start + size]}
    if start + size < len(models):
        page["nextPageToken"] = base64.b64encode(str(start + size).encode()).decode()
    return page


def _one_model(name: str, version: str) -> dict[str, Any]:
    found = next((entry for entry in listed(version) if entry["name"] == name), None)
    if found is None:
        raise _Refused(404, f"{name} is not found for API version {version}.")
    return found


def _sse_pieces(answer: Script) -> list[bytes]:
    return [b"data: " + json.dumps(frame, ensure_ascii=False).encode() + b"\r\n\r\n" for _, frame in answer.frames]


def _array_pieces(answer: Script) -> list[bytes]:
    frames = [json.dumps(frame, indent=2, ensure_ascii=False).encode() for _, frame in answer.frames]
    return [*((b"\n,\r\n" if n else b"[") + frame for n, frame in enumerate(frames)), b"\n]"]


def _folded(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one answer that a stream adds up to."""
    parts = [part for frame in frames for candidate in frame.get("candidates", ()) for part in candidate["content"]["parts"]]
    whole: list[dict[str, Any]] = []
    for part in parts:
        if whole and part.keys() == whole[-1].keys() <= {"text", "thought"}:
            whole[-1] = {**part, "text": whole[-1]["text"] + part["text"]}
        elif part != {"text": ""}:
            whole.append(part)
    last = frames[-1]
    candidate = {**last["candidates"][0], "content": {"parts": whole, "role": "model"}} if "candidates" in last else {}
    return {**last, "candidates": [candidate]}


def _wrapped(error: dict[str, Any], *, array: bool) -> Any:
    return [error] if array else error


async def _send_json(writer: asyncio.StreamWriter, status: int, data: Any) -> None:
    body = json.dumps(data, indent=2, ensure_ascii=False).encode()
    writer.write(head(status, _JSON, length=len(body)) + body)
    await writer.drain()
