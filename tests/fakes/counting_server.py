"""A service on loopback that answers each prompt with its own words, counts what it is asked, and may set limits.

`at_once` lets so many requests in at the same time, `per_second` so many in each second of its clock; what is more gets a 429,
with RetryInfo where `per_second` knows when the next second begins. `answers` may say otherwise for a prompt.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from time import monotonic

from nbgemini.offline.http_server import ClientConnection, read_requests
from tests.fakes.script import Send, frame, refusal, stream

USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}


class CountingServer:
    """Attributes:
    asked: the prompts, in the order they came.
    served: those that were answered well.
    most: the most that were in at the same time.
    hold: while it is not set, answers wait.
    """

    def __init__(self, *, at_once=10_000, per_second=None, seconds=0.0, answers=lambda _prompt, _nth: None):
        self.at_once, self.per_second, self.seconds, self.answers = at_once, per_second, seconds, answers
        self.asked, self.served, self.most = [], [], 0
        self.hold = asyncio.Event()
        self.hold.set()
        self._inside, self._window, self._talks = 0, (0, 0), set()

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: ClientConnection(lambda _, reader, writer: self._talk(reader, writer)), "127.0.0.1", 0, backlog=4096
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._began = monotonic()
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader, writer):
        self._talks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.CancelledError):
            async for request in read_requests(reader):
                prompt = json.loads(request.body)["contents"][-1]["parts"][-1]["text"]
                self.asked.append(prompt)
                await self._answer(prompt, writer)
        writer.close()

    async def _answer(self, prompt, writer):
        script = self._limit() or self.answers(prompt, self.asked.count(prompt))
        if script is None:
            self._inside += 1
            self.most = max(self.most, self._inside)
            try:
                await self.hold.wait()
                await asyncio.sleep(self.seconds)
                script = stream(frame(f"<{prompt}>", finish="STOP", usageMetadata=USAGE))
                self.served.append(prompt)
            finally:
                self._inside -= 1
        for step in script:
            writer.write(step.data if isinstance(step, Send) else _chunk(step.data))
        await writer.drain()

    def _limit(self):
        if self._inside >= self.at_once:
            return refusal(429, status="RESOURCE_EXHAUSTED")
        if self.per_second is None:
            return None
        now = monotonic() - self._began
        second, count = self._window
        self._window = (int(now), count + 1 if second == int(now) else 1)
        if self._window[1] <= self.per_second:
            return None
        wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{int(now) + 1 - now:.3f}s"}
        return refusal(429, wait, status="RESOURCE_EXHAUSTED")


def _chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
