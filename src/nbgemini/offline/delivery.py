"""How an answer goes out: streamed in one of two framings, or folded into one object; with the faults it is to have."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from msgspec import Struct

from nbgemini.offline.answers import Script
from nbgemini.offline.http import chunk, head

_JSON, _SSE = "application/json; charset=UTF-8", "text/event-stream"
_OK = 200


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
        await _stream(answer, to, array=array)
    else:
        await _whole(answer, to)


async def send_json(writer: asyncio.StreamWriter, status: int, data: Any) -> None:
    """Send a plain answer."""
    body = json.dumps(data, indent=2, ensure_ascii=False).encode()
    writer.write(head(status, _JSON, length=len(body)) + body)
    await writer.drain()


async def _stream(answer: Script, to: Delivery, *, array: bool) -> None:
    frames = [frame for _, frame in answer.frames]
    to.writer.write(head(_OK, _JSON if array else _SSE))
    for number, ((wait, _), piece) in enumerate(
        zip(answer.frames, _array_pieces(frames) if array else _sse_pieces(frames), strict=True)
    ):
        await _break_off(answer, number, to)
        await _pause(wait * (to.pace if answer.natural else 1.0), to)
        to.writer.write(chunk(piece))
        await to.writer.drain()
    await _break_off(answer, len(frames), to)
    if array:
        to.writer.write(chunk(b"\n]" if frames else b"[]"))
    to.writer.write(chunk(b""))
    await to.writer.drain()


async def _whole(answer: Script, to: Delivery) -> None:
    frames = [frame for _, frame in answer.frames]
    for number in range(len(frames) + 1):
        await _break_off(answer, number, to)
    error = next((frame["error"] for frame in frames if "error" in frame), None)
    if error:
        await send_json(to.writer, int(error.get("code", 500)), {"error": error})
    else:
        await send_json(to.writer, _OK, _folded(frames))


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
    return [b"data: " + json.dumps(frame, ensure_ascii=False).encode() + b"\r\n\r\n" for frame in frames]


def _array_pieces(frames: list[dict[str, Any]]) -> list[bytes]:
    shown = [json.dumps(frame, indent=2, ensure_ascii=False).encode() for frame in frames]
    return [(b"\n,\r\n" if number else b"[") + frame for number, frame in enumerate(shown)]


def _folded(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one answer that a stream adds up to; frames without candidates or parts are legal."""
    candidates = [candidate for frame in frames for candidate in frame.get("candidates") or ()]
    whole: list[dict[str, Any]] = []
    for part in (part for candidate in candidates for part in (candidate.get("content") or {}).get("parts") or ()):
        if whole and part.keys() == whole[-1].keys() and "text" in part and part.keys() <= {"text", "thought"}:
            whole[-1] = {**part, "text": (whole[-1]["text"] or "") + (part["text"] or "")}
        elif part not in ({"text": ""}, {}):
            whole.append(part)
    answer = {name: value for frame in frames for name, value in frame.items()}
    if candidates:
        last = {name: value for candidate in candidates for name, value in candidate.items()}
        answer["candidates"] = [{**last, "content": {"parts": whole, "role": "model"}}]
    return answer
