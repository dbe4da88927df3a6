"""A server that takes a second for each answer and next to no time of its own: the answer echoes the question.

A question that ends in `at once` is answered at once.
"""

from __future__ import annotations

import asyncio
import json
import re

SECONDS = 1.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
QUESTION = re.compile(rb'"text": ?"(question \d+)( at once)?"')


def chunk(text, finish=None):
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    usage = {"promptTokenCount": 4, "candidatesTokenCount": 20, "totalTokenCount": 24}
    data = {"candidates": [{**candidate, **({"finishReason": finish} if finish else {})}], "usageMetadata": usage}
    data |= {"modelVersion": "gemini-3.8-flash", "responseId": "abcdefghijklmnopqrstuvwx"}
    return b"data: " + json.dumps(data).encode() + b"\r\n\r\n"


BEFORE, AFTER = chunk("answer to "), chunk("QUESTION", "STOP").split(b"QUESTION")


def answer(question):
    body = BEFORE + question.join(AFTER)
    return b"%b%x\r\n%b\r\n0\r\n\r\n" % (HEAD, len(body), body)


class Talk(asyncio.Protocol):
    """One connection, one request after the other."""

    def connection_made(self, transport):
        self.transport = transport
        self.received = b""

    def data_received(self, data):
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if end and len(body) >= int(LENGTH.search(head)[1]):
            self.received = b""
            question, at_once = QUESTION.search(body).groups()
            asyncio.get_running_loop().call_later(0 if at_once else SECONDS, self.transport.write, answer(question))


async def main():
    server = await asyncio.get_running_loop().create_server(Talk, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
