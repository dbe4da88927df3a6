"""A client of raw sockets, for what has to be true to the byte."""

from __future__ import annotations

import asyncio
import json

from msgspec import Struct

USER = {"role": "user", "parts": [{"text": "hi"}]}
CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}
ANSWER = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 1}}}]}
TOOLS = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]


class Answer(Struct):
    status: int
    head: str
    body: bytes
    whole: bool = True  # whether it came to its proper end

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def frames(self):
        return [json.loads(event.removeprefix(b"data: ")) for event in self.body.split(b"\r\n\r\n") if event]

    @property
    def parts(self):
        """The parts of a stream."""
        return [p for frame in self.frames for c in frame.get("candidates", ()) for p in c["content"]["parts"]]

    @property
    def text(self):
        return "".join(part.get("text", "") for part in self.parts if not part.get("thought"))


def model(*parts):
    return {"role": "model", "parts": list(parts)}


def prompt(text, **more):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def directive(**told):
    return prompt(f"offline: {json.dumps(told)}")


def path(name="gemini-3.8-flash", method="streamGenerateContent?alt=sse", version="v1"):
    return f"/{version}/models/{name}:{method}"


async def connect(service):
    host, port = service.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


def request(target, body=None, *, key="k", method="POST", extra=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    named = f"x-goog-api-key: {key}\r\n" if key else ""
    return f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{named}{extra}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def read(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    answer = Answer(int(head.split()[1]), head, b"")
    try:
        if "Transfer-Encoding: chunked" in head:
            while size := int(await reader.readline() or b"-1", 16):
                answer.body += (await reader.readexactly(size + 2 if size > 0 else 1))[:-2]
            assert await reader.readline() == b"\r\n"
        else:
            answer.body = await reader.readexactly(int(head.split("Content-Length: ")[1].split("\r\n")[0]))
    except asyncio.IncompleteReadError:
        answer.whole = False
    return answer


async def ask(service, target, body=None, **how):
    reader, writer = await connect(service)
    writer.write(request(target, body, **how))
    try:
        return await read(reader)
    finally:
        writer.close()
        await writer.wait_closed()


async def until(true, seconds=2.0):
    """Wait for another thread's fact."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.001)
