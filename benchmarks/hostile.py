"""What a hostile service, server or answer costs the loop: `python benchmarks/hostile.py`, or with words of the cases' names.

Each case of a service runs in a process of its own against a server in another; printed are the longest gap of a 10 ms
heartbeat, the most that the loop's thread worked between two beats (which other programs don't lengthen), how long it took,
and how it ended. Then 100 kB of each pattern of Markdown is painted as in a notebook, live and at rest: the longest gap, the
most that all threads worked between two beats, how long it took, and how much HTML it became.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from markdown_patterns import texts

MARKDOWN = 100_000  # characters of a pattern,
CHUNK = 1_000  # which come so many at once
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"


def frame(parts: list[dict]) -> bytes:
    return b"data: " + json.dumps({"candidates": [{"content": {"role": "model", "parts": parts}}]}).encode() + b"\r\n\r\n"


def calls(number: int) -> list[dict]:
    return [{"functionCall": {"name": "f", "args": {"n": n}}} for n in range(number)]


def bomb(line: bytes, count: int) -> bytes:
    packer = gzip.compress(line * 1_000_000, 6)
    return HEAD + b"Content-Encoding: gzip\r\n\r\n" + packer * (count // 1_000_000)  # members, one after the other


def one_bomb(line: bytes, count: int) -> bytes:
    import zlib

    packer = zlib.compressobj(6, wbits=31)
    piece = line * 1_000_000
    packed = b"".join(packer.compress(piece) for _ in range(count // 1_000_000)) + packer.flush()
    return HEAD + b"Content-Encoding: gzip\r\n\r\n" + packed


def shreds(number: int) -> bytes:
    parts = [part for n in range(number // 2) for part in ({"text": "a"}, {"text": "b", "thought": True})]
    return frame(parts)


def cites(number: int) -> bytes:
    chunk = [{"web": {"uri": f"https://a.example/{n}", "title": "a"}} for n in range(number)]
    said = [
        json.dumps(
            {"candidates": [{"content": {"parts": [{"text": "a"}]}, "groundingMetadata": {"groundingChunks": chunk[:n]}}]}
        )
        for n in range(0, number, max(1, number // 200))
    ]
    return b"".join(f"data: {one}\r\n\r\n".encode() for one in said)


CASES = {
    "20,000 calls in one frame": lambda: HEAD + b"\r\n" + frame(calls(20_000)),
    "20,000 calls in as many frames": lambda: HEAD + b"\r\n" + b"".join(frame([call]) for call in calls(20_000)),
    "256 calls": lambda: HEAD + b"\r\n" + frame(calls(256)),
    "a call with 20 MB of arguments": lambda: (
        HEAD + b"\r\n" + frame([{"functionCall": {"name": "f", "args": {"n": 1, "x": "y" * 20_000_000}}}])
    ),
    "20,000 pieces of two kinds": lambda: HEAD + b"\r\n" + shreds(20_000),
    "5,000 sources, said 200 times": lambda: HEAD + b"\r\n" + cites(5_000),
    "40 M comment lines, packed": lambda: one_bomb(b":\n", 40_000_000),
    "40 M lines of nothing, packed": lambda: one_bomb(b"\n", 40_000_000),
    "40 M comment lines in members": lambda: bomb(b":\n", 40_000_000),
    "a picture of 20 MB": lambda: (
        HEAD + b"\r\n" + frame([{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo" + "A" * 20_000_000}}])
    ),
    "400 MB of blanks for a plain call": lambda: one_bomb(b" ", 400_000_000),
}
BLOCKS = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    if asked["method"] == "initialize":
        info = {"name": "s", "version": "1"}
        said = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
    elif asked["method"] == "tools/list":
        said = {"tools": [{"name": "f", "inputSchema": {"type": "object", "properties": {}}}]}
    else:
        said = {"content": [{"type": "text", "text": "x"}] * COUNT}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": said}) + "\\n")
    sys.stdout.flush()
"""
MCP_CASES = {"1,000 MCP blocks": 1_000, "200,000 MCP blocks": 200_000, "4,000,000 MCP blocks": 4_000_000}


async def serve(data: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def beat(gaps: list[tuple[float, float]], working: Callable[[], float] = time.thread_time) -> None:
    before, worked = time.perf_counter(), working()
    while True:
        await asyncio.sleep(0.01)
        now, work = time.perf_counter(), working()
        gaps.append((now - before - 0.01, work - worked))
        before, worked = now, work


class Page:
    """A page with widgets that takes everything."""

    live = widgets = True
    kept = moved = for_good = False
    rebuilt = 0

    def live_widget(self, _role: str, _snapshot: object) -> Page:
        return self

    def tell(self, _widget: object, next_operations: Callable[[], list]) -> None:
        next_operations()

    def renew(self) -> None:
        """Nothing is missing."""

    def change(self, call: Callable[[], None]) -> None:
        call()

    def offered(self, _code: str) -> str:
        return ""

    def show(self, data: dict, _state: str, _widget: object = None) -> None:
        self.data = data


async def paint(text: str) -> tuple[float, float, float, int]:
    from nbgemini.messages.segments import Segment, SegmentDelta, SegmentEnd
    from nbgemini.notebook.display.text_view import TextPainter

    page, segment, gaps = Page(), Segment(0, "answer"), []
    painter = TextPainter(segment, page)
    painter.begin(page)
    beating = asyncio.create_task(beat(gaps, time.process_time))
    await asyncio.sleep(0.03)
    gaps.clear()
    began = time.perf_counter()
    for at in range(0, len(text), CHUNK):
        segment.append(text[at : at + CHUNK])
        painter.take(SegmentDelta(0, text[at : at + CHUNK]))
        await painter.paint()
    painter.take(SegmentEnd(0))
    painter.end_of_stream()
    await painter.paint()
    took = time.perf_counter() - began
    await asyncio.sleep(0.02)
    beating.cancel()
    longest, work = (max(column) * 1000 for column in zip(*gaps, strict=True))
    return longest, work, took, len(page.data["text/html"])


def paint_all(words: list[str]) -> None:
    asyncio.run(paint("a **b**\n\n```python\nx = 1\n```\n"))  # what is loaded at first use is loaded
    for name, text in texts(MARKDOWN):
        if not words or any(word in name for word in words):
            longest, work, took, size = asyncio.run(paint(text))
            print(f"{name:46} {longest:6.0f} ms {work:6.0f} ms {took:6.2f} s   {size:,} characters of HTML", flush=True)


async def ask(name: str, port: str) -> str:
    from nbgemini import Client, NbGeminiError, Settings
    from nbgemini.secrets import Secret

    async def f(n: int = 0, x: str = "") -> int:  # noqa: ARG001
        """Return n."""
        return n

    async with Client(Settings(key=Secret("k" * 20), base_url=f"http://127.0.0.1:{port}", retries=0)) as client:
        try:
            if "plain call" in name:
                found = await client.list_models()
                return f"{len(found)} models"
            reply = client.chat("c", tools=[f], approve="auto").begin("x")
            await client.chat("c").drive(reply)
            return f"{reply.state}, {len(reply.segments)} segments, {len(reply.tool_calls)} calls: {reply.error}"
        except NbGeminiError as error:
            return f"{type(error).__name__}: {error}"


async def call_mcp(count: int) -> str:
    from nbgemini import McpServer

    async with McpServer([sys.executable, "-c", BLOCKS.replace("COUNT", str(count))]) as server:
        (tool,) = await server.tools()
        from nbgemini.messages.events import ToolCall
        from nbgemini.tools.tool import run

        result = await run(tool, ToolCall("f", {}))
        return f"{result.state}: {str(result.response)[:70]}"


async def measure(name: str, port: str) -> None:
    gaps: list[tuple[float, float]] = []
    beating = asyncio.create_task(beat(gaps))
    await asyncio.sleep(0.3)
    if name in MCP_CASES:
        from nbgemini import McpServer  # noqa: F401

        await call_mcp(1)  # what is loaded at first use is loaded
    else:
        await ask("", "9")
    gaps.clear()
    began = time.perf_counter()
    outcome = await (call_mcp(MCP_CASES[name]) if name in MCP_CASES else ask(name, port))
    took = time.perf_counter() - began
    await asyncio.sleep(0.02)
    beating.cancel()
    longest, work = (max(column) * 1000 for column in zip(*gaps, strict=True))
    print(f"{name:34} {longest:6.0f} ms {work:6.0f} ms {took:6.2f} s   {outcome[:110]}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in [*CASES, *MCP_CASES]:
            if len(sys.argv) > 1 and not any(word in name for word in sys.argv[1:]):
                continue
            port, server = "0", None
            if name in CASES:
                path = Path(folder) / "answer"
                path.write_bytes(CASES[name]())
                server = subprocess.Popen([sys.executable, __file__, "--serve", str(path)], stdout=subprocess.PIPE, text=True)
                port = server.stdout.readline().strip()
            subprocess.run([sys.executable, __file__, "--measure", name, port], check=False, timeout=300)
            if server:
                server.kill()
                server.wait()
    subprocess.run([sys.executable, __file__, "--markdown", *sys.argv[1:]], check=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(Path(sys.argv[2]).read_bytes()))
    elif sys.argv[1:2] == ["--measure"]:
        asyncio.run(measure(*sys.argv[2:]))
    elif sys.argv[1:2] == ["--markdown"]:
        paint_all(sys.argv[2:])
    else:
        main()
