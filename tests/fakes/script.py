"""What a scripted server does to one answer: small steps that a test puts together.

A script is a tuple of steps. It ends with the end of a chunked body, with all that a length promised, or with a step that ends
the connection.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Send:
    """Write these bytes as they are."""

    data: bytes


@dataclass(frozen=True)
class Chunk:
    """Write these bytes as one chunk of a chunked body."""

    data: bytes


@dataclass(frozen=True)
class Until:
    """Wait for an event of the test."""

    event: asyncio.Event


@dataclass(frozen=True)
class Pause:
    """Let some time go by, where time is the fact."""

    seconds: float


@dataclass(frozen=True)
class Stall:
    """Say nothing more until the client goes; then close."""


@dataclass(frozen=True)
class Drip:
    """Write a chunk again and again, with pauses, until the client goes."""

    data: bytes = b": keep-alive\r\n\r\n"
    pause: float = 0.01


@dataclass(frozen=True)
class Reset:
    """End the connection with a TCP reset."""


@dataclass(frozen=True)
class Close:
    """End the connection."""


@dataclass(frozen=True)
class HalfClose:
    """Say that nothing more comes, and go on listening until the client goes."""


@dataclass(frozen=True)
class ReadNothing:
    """First step only: take the connection and read no body, until the server is told to play something else."""


Step = Send | Chunk | Until | Pause | Stall | Drip | Reset | Close | HalfClose | ReadNothing
Script = tuple[Step, ...]

END = Chunk(b"")
SSE, JSON = "text/event-stream", "application/json; charset=UTF-8"


def head(status: str = "200 OK", kind: str = SSE, framing: str = "Transfer-Encoding: chunked", **more: str) -> Send:
    """Return the head of an answer; `framing` empty means that the end of the connection is the end of the body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", framing, *(f"{k.replace('_', '-')}: {v}" for k, v in more.items())]
    return Send("\r\n".join([line for line in lines if line] + ["", ""]).encode())


def event(frame: Any, end: bytes = b"\r\n\r\n") -> bytes:
    """Return a frame as a server-sent event."""
    return b"data: " + json.dumps(frame, ensure_ascii=False).encode("utf-8", "surrogatepass") + end


def events(*frames: Any) -> tuple[Chunk, ...]:
    """Return frames as events, each in a chunk of its own."""
    return tuple(Chunk(event(frame)) for frame in frames)


def stream(*frames: Any) -> Script:
    """Return a whole and healthy stream of these frames."""
    return (head(), *events(*frames), END)


def body(data: bytes, *, kind: str = SSE, **more: str) -> Script:
    """Return these bytes as a whole answer, in one chunk."""
    return (head(kind=kind, **more), Chunk(data), END)


def refusal(code: int, *details: Any, status: str = "", message: str = "no", **headers: str) -> Script:
    """Return an error as Google sends it."""
    data = json.dumps({"error": {"code": code, "message": message, "status": status, "details": details}}, indent=2).encode()
    return (head(f"{code} No", JSON, f"Content-Length: {len(data)}", **headers), Send(data))


def frame(*parts: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a frame with these parts; a text stands for its part."""
    said = [{"text": part} if isinstance(part, str) else part for part in parts]
    candidate: dict[str, Any] = {"content": {"parts": said, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-3.8-flash", "responseId": "fault-1", **more}


def thought(text: str) -> dict[str, Any]:
    """Return the part of a thought."""
    return {"text": text, "thought": True}


FINE = stream(frame(thought("hm")), frame("fine"), frame(finish="STOP"))
