"""A server that sends prepared streams as fast as the socket takes them; the path says how many frames."""

from __future__ import annotations

import asyncio
import json
import re

TEXT = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna "


def frame(finish=None):
    candidate = {"content": {"parts": [{"text": TEXT}], "role": "model"}, "index": 0}
    usage = {"promptTokenCount": 4, "candidatesTokenCount": 20, "totalTokenCount": 24}
    data = {"candidates": [{**candidate, **({"finishReason": finish} if finish else {})}], "usageMetadata": usage}
    data |= {"modelVersion": "gemini-3.8-flash", "responseId": "abcdefghijklmnopqrstuvwx"}
    body = b"data: " + json.dumps(data).encode() + b"\r\n\r\n"
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def talk(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            count = int(re.search(rb"models/n(\d+)", head)[1])
            writer.write(HEAD + frame() * (count - 1) + frame("STOP") + b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
