"""The first request of a fresh interpreter: import, client, TLS context, and one short answer."""

from __future__ import annotations

import time
from contextlib import aclosing


async def cold(who, url):
    """Milliseconds of CPU, all threads counted, up to the end of the first answer.

    The server speaks plain HTTP, but the TLS context of the real service is built by all of them.
    """
    began = time.process_time()
    await ASK[who](url)
    return (time.process_time() - began) * 1000


async def nbgemini(url):
    from nbgemini import Client, Settings
    from nbgemini.secrets import Secret
    from nbgemini.transport.routes import tls_context

    client = Client(Settings(key=Secret("k"), base_url=url))
    async with aclosing(client.one_shot().stream("hi", model="n10")) as events:
        async for _ in events:
            pass
    tls_context()  # that of the real service; for loopback it was spared


async def google(url):
    from google import genai
    from google.genai.types import HttpOptions

    client = genai.Client(api_key="k", http_options=HttpOptions(base_url=url))
    async for _ in await client.aio.models.generate_content_stream(model="n10", contents="hi"):
        pass


async def httpx(url):
    import httpx2

    address = f"{url}/v1beta/models/n10:streamGenerateContent?alt=sse"
    client = httpx2.AsyncClient()
    async with client.stream("POST", address, json={"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}) as response:
        async for _ in response.aiter_bytes():
            pass


ASK = {"httpx2": httpx, "nbgemini": nbgemini, "google-genai": google}
