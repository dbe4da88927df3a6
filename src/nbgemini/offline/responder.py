"""How an answer goes out: streamed in one of two framings, or folded into one object; with the faults it is to have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from nbgemini.offline.http_server import chunk, head
from nbgemini.offline.script import Script
from nbgemini.offline.stream import candidates_of, parts_of

_JSON, EVENTS = "application/json; charset=UTF-8", "text/event-stream"
_OK, _INTERNAL = 200, 500


class Delivery(Struct, frozen=True):
    """Where an answer goes: the writer, the event of the client's leaving, and the factor of natural pauses."""

    writer: asyncio.StreamWriter
    left: asyncio.Event
    pace: float


async def deliver(answer: Script, to: Delivery, *, streams: bool, array: bool) -> None:
    """Send an answer.

    Raises:
        ConnectionError: the client has left, or the answer breaks off as it should.
    """
    if answer.status != _OK:
        error = {"error": answer.error}
        await send_json(to.writer, answer.status, [error] if array else error)
    elif streams:
        frames = [frame for _, frame in answer.frames]
        pieces, end = (_array_pieces(frames), b"\n]" if frames else b"[]") if array else (_sse_pieces(frames), b"")
        await send_stream(answer, pieces, to, content_type=_JSON if array else EVENTS, end=end)
    else:
        await send_whole(answer, *folded_answer([frame for _, frame in answer.frames]), to)


async def send_json(writer: asyncio.StreamWriter, status: int, data: Any, more: Mapping[str, str] | None = None) -> None:
    """Send a plain answer; `more` are its own headers."""
    body = _json(data)
    writer.write(head(status, _JSON, length=len(body), more=more) + body)
    await writer.drain()


def _json(data: Any, indent: int | None = 2) -> bytes:
    return json.dumps(data, indent=indent, ensure_ascii=False).encode()


async def send_stream(  # noqa: PLR0913 - what an answer is made of
    answer: Script,
    pieces: list[bytes],
    to: Delivery,
    *,
    content_type: str,
    begin: bytes = b"",
    end: bytes = b"",
    more: Mapping[str, str] | None = None,
) -> None:
    """Send the pieces of an answer, each when its frame is due; `begin` goes at once, `end` follows the last.

    Raises:
        ConnectionError: the client has left, or the answer breaks off as it should.
    """
    to.writer.write(head(_OK, content_type, more=more))
    _write(to.writer, begin)
    for number, ((wait, _), piece) in enumerate(zip(answer.frames, pieces, strict=True)):
        await _break_off(answer, number, to)
        await _pause(wait * (to.pace if answer.natural else 1.0), to)
        _write(to.writer, piece)
        await to.writer.drain()
    await _break_off(answer, len(pieces), to)
    _write(to.writer, end)
    to.writer.write(chunk(b""))
    await to.writer.drain()


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write a chunk: an empty one would end the answer."""
    if data:
        writer.write(chunk(data))


async def send_whole(answer: Script, status: int, data: Any, to: Delivery, more: Mapping[str, str] | None = None) -> None:
    """Send an answer in one piece when all of it is there; one that is cut comes as far as its frames did.

    Raises:
        ConnectionError: the client has left, or the answer breaks off as it should.
    """
    body, frames = _json(data), len(answer.frames)
    for number, wait in enumerate([*(wait for wait, _ in answer.frames), 0.0]):
        if number == answer.cut:
            to.writer.write(head(status, _JSON, length=len(body)) + body[: (len(body) - 1) * number // max(1, frames)])
            await to.writer.drain()
        await _break_off(answer, number, to)
        await _pause(wait * (to.pace if answer.natural else 1.0), to)
    await send_json(to.writer, status, data, more)


def folded_answer(frames: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and the one answer that a stream adds up to."""
    error = next((frame["error"] for frame in frames if "error" in frame), None)
    if error is None:
        return _OK, _folded(frames)
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and code in range(400, 600) else _INTERNAL, {"error": error}


async def _break_off(answer: Script, number: int, to: Delivery) -> None:
    if number == answer.stall:
        await to.left.wait()
    if number in (answer.cut, answer.stall):
        raise ConnectionResetError


async def _pause(wait: float, to: Delivery) -> None:
    if wait > 0 and not to.left.is_set():
        try:
            async with asyncio.timeout(wait):
                await to.left.wait()
        except TimeoutError:
            return
    if to.left.is_set():
        raise ConnectionResetError


def _sse_pieces(frames: list[dict[str, Any]]) -> list[bytes]:
    return [b"data: " + _json(frame, indent=None) + b"\r\n\r\n" for frame in frames]


def _array_pieces(frames: list[dict[str, Any]]) -> list[bytes]:
    return [(b"\n,\r\n" if number else b"[") + _json(frame) for number, frame in enumerate(frames)]


def _folded(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one answer that a stream adds up to; frames without candidates or parts are legal."""
    answer = {name: value for frame in frames for name, value in frame.items()}
    if candidates := [candidate for frame in frames for candidate in candidates_of(frame)]:
        last = {name: value for candidate in candidates for name, value in candidate.items()}
        parts = _joined([part for frame in frames for part in parts_of(frame)])
        answer["candidates"] = [{**last, "content": {"parts": parts, "role": "model"}}]
    return answer


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
