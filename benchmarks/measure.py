"""One measurement in a process of its own: `measure.py GROUP WHO URL` prints its numbers."""

from __future__ import annotations

import asyncio
import importlib
import json
import statistics
import sys
import time
from contextlib import aclosing
from pathlib import Path

FRAMES = 10_000
BODY = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


LOADED = {
    "load_ext": "get_ipython().run_line_magic('load_ext', 'nbgemini')",
    "httpx2": "import httpx2",
    "google-genai": "import google.genai",
}


def imports(who):
    """Milliseconds of CPU in a kernel that runs, where IPython and asyncio are loaded."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.kernel.conftest import Kernel

    kernel = Kernel(sys.executable)
    spent = kernel.text(f"import time\nbegan = time.process_time()\n{LOADED[who]}\nprint(time.process_time() - began)")
    kernel.close()
    return float(spent) * 1000


def reader(who, url):
    """A coroutine function that reads a stream of so many frames, calling `first` at the first text."""
    if who == "httpx2":
        import httpx2

        client = httpx2.AsyncClient(verify=False, timeout=None)

        async def read(count, first):
            address = f"{url}/v1beta/models/n{count}:streamGenerateContent?alt=sse"
            async with client.stream("POST", address, json=BODY) as response:
                async for _ in response.aiter_bytes():
                    first()

    elif who == "google-genai":
        import httpx2
        from google import genai
        from google.genai.types import HttpOptions

        pinned = httpx2.AsyncClient(timeout=None)
        client = genai.Client(api_key="k", http_options=HttpOptions(base_url=url, httpx_async_client=pinned))

        async def read(count, first):
            async for chunk in await client.aio.models.generate_content_stream(model=f"n{count}", contents="hi"):
                if chunk.candidates:
                    first()

    elif who == "nbgemini-segments":
        read = segments_only(url)
    else:
        from nbgemini import Client, Settings
        from nbgemini.secrets import Secret

        client = Client(Settings(key=Secret("k"), base_url=url))

        async def read(count, first):
            async with aclosing(client.one_shot().stream("hi", model=f"n{count}")) as events:
                async for _ in events:
                    first()

    return read


def segments_only(url):
    """Frames to segments, without the conversation around them."""
    from nbgemini.messages.segments import Segmenter
    from nbgemini.providers.gemini.codec import GeminiCodec
    from nbgemini.secrets import Secret
    from nbgemini.transport.http import HttpSource
    from nbgemini.transport.request import Request

    source, gemini = HttpSource(url, Secret("k")), GeminiCodec()

    async def read(count, first):
        segmenter, decode = Segmenter(), gemini.decoder()
        request = Request(f"v1beta/models/n{count}:streamGenerateContent", BODY, {"alt": "sse"})
        async with aclosing(source.frames(request)) as frames:
            async for frame in frames:
                segmenter.feed(decode(frame))
                first()

    return read


async def frames(who, url):
    read = reader(who, url)
    await read("100", lambda: None)
    began = time.process_time()
    await read(str(FRAMES), lambda: None)
    return (time.process_time() - began) / FRAMES * 1e6


async def lag(who, url):
    return await gaps_while(reader(who, url), ["500"] * 10)


async def many(who, url):
    return await gaps_while(reader(who, url), ["400-10"] * 50)


async def burst(who, url):
    return await gaps_while(reader(who, url), ["2000"])


async def huge(who, url):
    return await gaps_while(reader(who, url), ["1-0-10000000"])


async def gaps_while(read, streams):
    """The longest gap of a 1 ms heartbeat, and its 99th percentile, while these streams are read."""
    gaps = []
    await read("10", lambda: None)

    async def heartbeat():
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(heartbeat())
    await asyncio.gather(*(read(stream, lambda: None) for stream in streams))
    counted = len(gaps)
    while len(gaps) == counted:  # noqa: ASYNC110 - a gap that ends with the stream is one too
        await asyncio.sleep(0)
    beating.cancel()
    gaps.sort()
    return [gaps[-1] * 1000, gaps[len(gaps) * 99 // 100] * 1000]


async def first(who, url):
    read, times = reader(who, url), []
    for _ in range(50):
        began, seen = time.perf_counter(), []
        await read("2", lambda began=began, seen=seen: seen.append(time.perf_counter() - began))
        times.append(seen[0])
    return statistics.median(times) * 1000


SLOW = 'offline: {"frames": 500, "chars": 20, "gap": 0.004}'
CHATLAS = """
import chatlas
chat = chatlas.ChatGoogle(model="gemini-2.0-flash", api_key="k", kwargs={"http_options": {"base_url": URL}})
await chat.chat_async(PROMPT)
"""


def traffic(who):
    """Kilobytes and number of all messages of a cell, the first in its kernel and the next one, against the offline service."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.kernel.conftest import Kernel, is_final_status, parent, wire_size

    from nbgemini.offline.server import OfflineService

    figures = []
    with OfflineService() as service:
        kernel = Kernel(sys.executable)
        kernel.run(f"URL, PROMPT = {service.url!r}, {SLOW!r}")
        kernel.run(
            f"%load_ext nbgemini\nimport os; os.environ.update(GOOGLE_GEMINI_BASE_URL={service.url!r}, GEMINI_API_KEY='k')"
        )
        for _ in range(2):
            if who == "chatlas":
                messages = kernel.run(CHATLAS)
            else:
                mine = kernel.send(f"%%gemini --once\n{SLOW}")
                messages = [message for message in kernel.until(is_final_status) if parent(message) == mine]
            errors = [message["content"]["evalue"] for message in messages if message["msg_type"] == "error"]
            assert not errors, errors
            figures += [wire_size(messages) / 1000, len(messages)]
        kernel.close()
    return figures


def with_tools(group, who):
    """Measure turns with tools: the offline service asks for them."""
    import tool_turns
    from nbgemini.offline.server import OfflineService

    with OfflineService(pace=0) as service:
        return asyncio.run(getattr(tool_turns, group)(who, service.url))


def module(group, who, url):
    """Measure what has a file of its own."""
    return asyncio.run(getattr(importlib.import_module(group), group)(who, url))


def main(group, who, url):
    if group in ("parallel", "cold"):
        print(json.dumps(module(group, who, url)))
    elif group == "import":
        print(imports(who))
    elif group == "traffic":
        print(json.dumps(traffic(who)))
    elif group == "page":
        from page import page

        print(json.dumps(page(who)))
    elif group in ("tools", "beat"):
        print(with_tools(group, who))
    else:
        print(asyncio.run(globals()[group](who, url)))


main(*sys.argv[1:])
