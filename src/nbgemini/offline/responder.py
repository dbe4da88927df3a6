"""How an answer goes out: streamed in one of two framings, or folded into one object; with the faults it is to have."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from msgspec import Struct

from nbgemini.offline.http_server import HttpRequest, chunk, head
from nbgemini.offline.script import Script
from nbgemini.offline.stream import candidates_of, parts_of

_JSON, EVENTS = "application/json; charset=UTF-8", "text/event-stream"
_OK, _INTERNAL = 200, 500
_LOOK = 0.02  # seconds between two looks at a file that is waited for


class Delivery(Struct, frozen=True):
    """Where an answer goes; a ConnectionError ends it if the client leaves, or if it is to break off.

    Attributes:
        writer: of the connection.
        left: set once the client has left.
        pace: the factor of natural pauses.
        streams: the writers of all answers that are being streamed.
    """

    writer: asyncio.StreamWriter
    left: asyncio.Event
    pace: float
    streams: set[asyncio.StreamWriter]

    async def reach(self, answer: Script, number: int, wait: float = 0.0) -> None:
        """Go on to a frame of an answer: break off or stall there if it is to, else let its pause pass."""
        if number == answer.cut:
            raise ConnectionResetError
        while number == answer.stall and not (answer.until and os.path.exists(answer.until)):  # noqa: ASYNC240, PTH110 - quick
            await self._pause(_LOOK if answer.until else None)
        if wait > 0:
            await self._pause(wait * (self.pace if answer.natural else 1.0))
        if self.left.is_set():
            raise ConnectionResetError

    async def _pause(self, seconds: float | None) -> None:
        """Let so much time pass (None: all), or less if the client leaves."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.left.wait()
                raise ConnectionResetError


async def deliver(answer: Script, request: HttpRequest, to: Delivery) -> None:
    """Send an answer in the form that a request for content asks for."""
    frames = [frame for _, frame in answer.frames]
    if request.wants_array:
        pieces = [(b"\n,\r\n" if number else b"[") + _json(frame) for number, frame in enumerate(frames)]
        await send_stream(answer, pieces, to, content_type=_JSON, end=b"\n]" if frames else b"[]")
    elif request.streams:
        await send_stream(answer, [b"data: " + _json(frame, indent=None) + b"\r\n\r\n" for frame in frames], to)
    else:
        await send_whole(answer, *folded_answer(frames), to)


async def send_json(writer: asyncio.StreamWriter, status: int, data: Any, more: Mapping[str, str] | None = None) -> None:
    """Send a plain answer; `more` are its own headers."""
    body = _json(data)
    writer.write(head(status, _JSON, length=len(body), more=more) + body)
    await writer.drain()


def _json(data: Any, indent: int | None = 2) -> bytes:
    return json.dumps(data, indent=indent, ensure_ascii=False).encode()


async def send_stream(  # noqa: PLR0913 - what an answer is made of
    answer: Script, pieces: list[bytes], to: Delivery, *, content_type: str = EVENTS, begin: bytes = b"", end: bytes = b""
) -> None:
    """Send the pieces of an answer, each when its frame is due; `begin` goes at once, `end` follows the last."""
    to.streams.add(to.writer)
    try:
        to.writer.write(head(_OK, content_type))
        _write(to.writer, begin)
        for number, ((wait, _), piece) in enumerate(zip(answer.frames, pieces, strict=True)):
            await to.reach(answer, number, wait)
            _write(to.writer, piece)
            await to.writer.drain()
        await to.reach(answer, len(pieces))
        _write(to.writer, end)
        to.writer.write(chunk(b""))
        await to.writer.drain()
    finally:
        to.streams.discard(to.writer)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write a chunk: an empty one would end the answer."""
    if data:
        writer.write(chunk(data))


async def send_whole(answer: Script, status: int, data: Any, to: Delivery) -> None:
    """Send an answer in one piece when all of it is there; one that is cut comes as far as its frames did."""
    body, frames = _json(data), len(answer.frames)
    for number, wait in enumerate([*(wait for wait, _ in answer.frames), 0.0]):
        if number == answer.cut:
            to.writer.write(head(status, _JSON, length=len(body)) + body[: (len(body) - 1) * number // max(1, frames)])
            await to.writer.drain()
        await to.reach(answer, number, wait)
    await send_json(to.writer, status, data)


def folded_answer(frames: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and the one answer that a stream adds up to; frames without candidates or parts are legal."""
    error = next((frame["error"] for frame in frames if "error" in frame), None)
    if error is not None:
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, int) and code in range(400, 600) else _INTERNAL, {"error": error}
    answer = {name: value for frame in frames for name, value in frame.items()}
    if candidates := [candidate for frame in frames for candidate in candidates_of(frame)]:
        last = {name: value for candidate in candidates for name, value in candidate.items()}
        parts = _joined([part for frame in frames for part in parts_of(frame)])
        answer["candidates"] = [{**last, "content": {"parts": parts, "role": "model"}}]
    return _OK, answer


def _joined(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts with runs of unsigned text as one, and without those that say nothing."""
    joined: list[dict[str, Any]] = []
    for part in parts:
        if joined and _is_plain(part) and _is_plain(joined[-1]) and part.get("thought") == joined[-1].get("thought"):
            joined[-1] = {**part, "text": joined[-1]["text"] + part["text"]}
        elif part not in ({"text": ""}, {}):
            joined.append(part)
    return joined


def _is_plain(part: dict[str, Any]) -> bool:
    return isinstance(part.get("text"), str) and part.keys() <= {"text", "thought"}
