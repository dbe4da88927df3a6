"""A server that sends prepared streams; the model's name in the path says which.

`n500`: 500 frames as fast as the socket takes them; `n500-10`: one each 10 ms; `n2-0-10000000`: each holds so many characters.
"""

from __future__ import annotations

import asyncio
import json
import re
import time

TEXT = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna "


def frame(finish=None, text=TEXT):
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
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
            await send(writer, *map(int, re.search(rb"models/n([\d-]+)", head)[1].split(b"-")))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def send(writer, count, gap=0, size=0):
    text = (TEXT * (size // len(TEXT) + 1))[: size or len(TEXT)]
    frames = [frame(text=text)] * (count - 1) + [frame("STOP", text)]
    if not gap:
        writer.write(HEAD + b"".join(frames) + b"0\r\n\r\n")
        return
    writer.write(HEAD)
    began = time.perf_counter()
    for number, one in enumerate(frames):
        writer.write(one)
        await asyncio.sleep(max(0.0, began + (number + 1) * gap / 1000 - time.perf_counter()))
    writer.write(b"0\r\n\r\n")


async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
